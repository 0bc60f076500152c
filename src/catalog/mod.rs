//! What exists: an immutable snapshot of the database's relations, types, functions and operators.
//!
//! Pure data: `backend::introspect` fills it, the gate reads it.

mod triggers;

use crate::name::QualifiedName;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// PostgreSQL's object identifier.
pub type Oid = u32;

/// A snapshot of everything that a statement can name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The database's name, as a three-part name would spell it.
    pub database: String,
    /// `server_version_num`, such as 150018.
    pub server_version: u32,
    /// Every schema, with its OID; temporary ones left out.
    pub schemas: HashMap<String, Oid>,
    /// Tables, views and the like of every schema (`pg_catalog` and `information_schema` included).
    pub relations: HashMap<Oid, Arc<Relation>>,
    /// The same by name.
    pub relation_names: HashMap<QualifiedName, Oid>,
    /// Types by OID.
    pub types: HashMap<Oid, Arc<Type>>,
    /// Types by name.
    pub type_names: HashMap<QualifiedName, Oid>,
    /// Functions by their unqualified name, every schema.
    pub functions: HashMap<String, Vec<Arc<Function>>>,
    /// Operators by their symbol, every schema.
    pub operators: HashMap<String, Vec<Arc<Operator>>>,
    /// Casts by (source type, target type).
    pub casts: HashMap<(Oid, Oid), Cast>,
    /// The expression of each generated column, by relation and attribute number, printed by `pg_get_expr`
    /// under an empty search_path.
    pub generation_expressions: HashMap<(Oid, i16), String>,
    /// Foreign keys by the relation that holds them.
    pub foreign_keys: HashMap<Oid, Vec<ForeignKey>>,
    /// Domains that have, themselves or below, a CHECK or NOT NULL (casting to them can raise).
    pub constrained_domains: HashSet<Oid>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// It is validated and never deferred, so that what it says is true of every row at every moment.
    pub holds: bool,
    /// A partition has it from the table that it is a part of.
    pub inherited: bool,
    /// Attribute numbers of the referencing columns.
    pub columns: Vec<i16>,
    /// The referenced relation.
    pub target: Oid,
    /// Attribute numbers of the referenced columns, in the same order.
    pub target_columns: Vec<i16>,
}

/// What kind of relation (`pg_class.relkind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// `r`
    Table,
    /// `p`
    PartitionedTable,
    /// `v`
    View,
    /// `m`
    MaterializedView,
    /// `f`
    ForeignTable,
    /// `S`
    Sequence,
    /// `t`
    Toast,
    /// `c`
    CompositeType,
    /// `i` and `I`
    Index,
}

/// A table, view or the like.
#[derive(Debug, Clone)]
pub struct Relation {
    /// `pg_class.oid`
    pub oid: Oid,
    /// Schema and name.
    pub name: QualifiedName,
    /// What it is.
    pub kind: RelationKind,
    /// Live user columns in attribute order (dropped ones left out).
    pub columns: Vec<Column>,
    /// Attribute numbers of the primary key, in key order; empty where there is none (or it is deferrable,
    /// which PostgreSQL does not infer dependencies from).
    pub primary_key: Vec<i16>,
    /// Direct parents: the partitioned table or the inherited tables.
    pub parents: Vec<Oid>,
    /// Direct children: partitions or inheriting tables.
    pub children: Vec<Oid>,
    /// Is this a partition (rather than an inheritance child)?
    pub is_partition: bool,
    /// A view's or materialized view's query, printed by `pg_get_viewdef` under an empty search_path.
    pub definition: Option<String>,
    /// A view created `WITH (security_barrier)`.
    pub security_barrier: bool,
    /// A view created `WITH (security_invoker)`.
    pub security_invoker: bool,
    /// Relations that a view's definition reads directly (`pg_depend` of its rule).
    pub depends_on: Vec<Oid>,
    /// The composite type of its rows.
    pub row_type: Oid,
    /// Attribute numbers of each index's leading column (for advice about unindexed scopes).
    pub leading_index_columns: Vec<i16>,
    /// Attribute numbers of the columns of each index by which no two rows of this relation alone are alike at any moment:
    /// unique, valid, immediate, over plain columns and all rows, by PostgreSQL's own equality, of deterministic collations.
    pub unique_indexes: Vec<Vec<i16>>,
    /// Columns that a unique or exclusion index of any kind looks at.
    pub unique_columns: Vec<i16>,
    /// Has the table's own row-level security switched on?
    pub row_security: bool,
    /// Planner's estimate of its rows (`reltuples`), −1 when unknown.
    pub estimated_rows: f32,
    /// Planner's estimate of how many values a column has, by its name, where it has few; empty before ANALYZE.
    pub estimated_values: BTreeMap<String, f32>,
    /// The role that owns it.
    pub owner: String,
    /// Unique, primary key and exclusion constraints: the attribute numbers of each (0 for an expression).
    pub unique: BTreeMap<String, Vec<i16>>,
    /// The functions of enabled BEFORE INSERT triggers for each row, which may change what is stored.
    pub before_insert: BTreeSet<QualifiedName>,
    /// The same for UPDATE.
    pub before_update: BTreeSet<QualifiedName>,
    /// Has rules for INSERT, UPDATE or DELETE.
    pub has_rules: bool,
    /// Has enabled triggers of any kind, those of foreign keys left out.
    pub has_triggers: bool,
    /// A view that has an enabled INSTEAD OF trigger.
    pub instead_of: bool,
    /// A view created `WITH CHECK OPTION`.
    pub check_option: Option<CheckOption>,
}

/// Which conditions a row must meet that is written through a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOption {
    /// The view's own.
    Local,
    /// Those of the views below it, too.
    Cascaded,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// `pg_attribute.attnum`, from 1.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: Oid,
    /// Its type modifier, −1 for none.
    pub typmod: i32,
    /// The type as SQL text, fully qualified and quoted, with its modifier:
    /// `"pg_catalog"."varchar"(40)`, `"public"."stage"`, `"pg_catalog"."int4"[]`.
    pub type_sql: String,
    /// The collation where it is not the type's default.
    pub collation: Option<QualifiedName>,
    /// NOT NULL.
    pub not_null: bool,
    /// For a generated column, the attribute numbers it is computed from; empty for others.
    pub generated_from: Vec<i16>,
    /// `GENERATED ALWAYS AS (…) STORED` or `VIRTUAL`.
    pub is_generated: bool,
    /// `GENERATED ALWAYS AS (…) VIRTUAL` (PostgreSQL 18): computed when it is read, which may raise.
    pub is_virtual: bool,
    /// Has a default or is an identity.
    pub has_default: bool,
}

impl Relation {
    /// The column of this name, if any.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Do these columns, by their attribute numbers, name one row at most, those of partitions and children included? An
    /// index of a partitioned table holds for all of it; one of a table that others inherit from knows nothing of theirs.
    pub fn is_named_by(&self, columns: &[i16]) -> bool {
        let is_whole = self.children.is_empty() || self.kind == RelationKind::PartitionedTable;
        let mut indexes = self.unique_indexes.iter();
        is_whole && indexes.any(|index| index.iter().all(|number| columns.contains(number)))
    }

    /// The column of this attribute number, if any.
    pub fn column_by_number(&self, number: i16) -> Option<&Column> {
        self.columns.iter().find(|c| c.number == number)
    }
}

/// `pg_type.typtype`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// `b`
    Base,
    /// `c`
    Composite,
    /// `d`
    Domain,
    /// `e`
    Enum,
    /// `p`
    Pseudo,
    /// `r`
    Range,
    /// `m`
    Multirange,
}

/// A data type.
#[derive(Debug, Clone)]
pub struct Type {
    /// `pg_type.oid`
    pub oid: Oid,
    /// Schema and name (arrays as PostgreSQL stores them: `_int4`).
    pub name: QualifiedName,
    /// What kind.
    pub kind: TypeKind,
    /// `typcategory`, such as `S` for strings, `N` for numbers, `A` for arrays.
    pub category: char,
    /// Element type of a true array; 0 otherwise.
    pub element: Oid,
    /// The array type over this one; 0 for none.
    pub array: Oid,
    /// Base type of a domain; 0 otherwise.
    pub base: Oid,
    /// The relation of a composite type; 0 otherwise.
    pub relation: Oid,
    /// Has a default btree or hash equality (may it stand in GROUP BY)?
    pub has_equality: bool,
    /// Do its values have a collation?
    pub collatable: bool,
    /// The collation of its values where that is not the default, as for `name`.
    pub collation: Option<QualifiedName>,
}

/// `pg_proc.provolatile`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Volatility {
    /// `i`
    Immutable,
    /// `s`
    Stable,
    /// `v`
    Volatile,
}

/// `pg_proc.prokind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// `f`
    Function,
    /// `a`
    Aggregate,
    /// `w`
    Window,
    /// `p`
    Procedure,
}

/// A function, aggregate or procedure.
#[derive(Debug, Clone)]
pub struct Function {
    /// `pg_proc.oid`
    pub oid: Oid,
    /// Schema and name.
    pub name: QualifiedName,
    /// Input argument types.
    pub arguments: Vec<Oid>,
    /// How many of them have defaults.
    pub defaults: u16,
    /// Takes VARIADIC arguments.
    pub variadic: bool,
    /// Result type.
    pub result: Oid,
    /// Returns a set.
    pub returns_set: bool,
    /// Volatility.
    pub volatility: Volatility,
    /// `proleakproof`: never tells anything of its arguments but its result.
    pub leakproof: bool,
    /// Returns NULL on any NULL argument.
    pub strict: bool,
    /// Which sort.
    pub kind: FunctionKind,
    /// Runs with its owner's rights.
    pub security_definer: bool,
    /// Names of OUT / TABLE columns, where it has some.
    pub out_names: Vec<String>,
    /// Types of those.
    pub out_types: Vec<Oid>,
}

/// An operator.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Schema and symbol.
    pub name: QualifiedName,
    /// Left type, 0 for a prefix operator.
    pub left: Oid,
    /// Right type.
    pub right: Oid,
    /// Result type.
    pub result: Oid,
    /// The function behind it.
    pub function: Oid,
    /// Is that function leakproof?
    pub leakproof: bool,
    /// The function's schema and name.
    pub function_name: QualifiedName,
}

/// How a cast is done.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The function behind it; `None` for binary-coercible or through text I/O.
    pub function: Option<QualifiedName>,
    /// `castcontext`: `i` implicit, `a` assignment, `e` explicit.
    pub context: char,
    /// `castmethod`: `f` function, `b` binary, `i` in/out.
    pub method: char,
    /// Is the function leakproof (binary: always)?
    pub leakproof: bool,
}

impl Catalog {
    /// The partitions and children of a relation, and those of theirs.
    pub fn below(&self, relation: &Relation) -> Vec<&Relation> {
        let mut open: Vec<Oid> = relation.children.clone();
        let mut seen = HashSet::new();
        let mut below = Vec::new();
        while let Some(oid) = open.pop() {
            if seen.insert(oid)
                && let Some(child) = self.relations.get(&oid)
            {
                below.push(&**child);
                open.extend(&child.children);
            }
        }
        below
    }

    /// The foreign keys that a row of a relation may have: its own, and those that the relations below it have by
    /// themselves; with the relation that has it.
    pub fn keys_of<'c>(&'c self, relation: &'c Relation) -> Vec<(&'c Relation, &'c ForeignKey)> {
        let of = |holder: &'c Relation, own: bool| {
            let keys = self.foreign_keys.get(&holder.oid).into_iter().flatten();
            keys.filter(move |key| own || !key.inherited)
                .map(move |key| (holder, key))
        };
        let below = self.below(relation).into_iter();
        of(relation, true)
            .chain(below.flat_map(|child| of(child, false)))
            .collect()
    }

    /// The relation of this qualified name.
    pub fn relation(&self, name: &QualifiedName) -> Option<&Arc<Relation>> {
        self.relations.get(self.relation_names.get(name)?)
    }

    /// The type of this qualified name.
    pub fn type_named(&self, schema: &str, name: &str) -> Option<&Arc<Type>> {
        self.types.get(self.type_names.get(&QualifiedName::new(schema, name))?)
    }
}
