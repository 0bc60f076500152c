//! Relations: one JSON text each, so that a session's own connection can read its temp relations the same way.

use super::{IntrospectError, types};
use crate::catalog::{CheckOption, Column, ForeignKey, Oid, Relation, RelationKind, Type};
use crate::name::QualifiedName;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

macro_rules! relations_sql {
    ($which:literal) => {
        concat!(
            "
SELECT pg_catalog.json_build_object(
  'oid', c.oid::pg_catalog.int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
  'row_type', c.reltype::pg_catalog.int8, 'is_partition', c.relispartition, 'options', c.reloptions,
  'row_security', c.relrowsecurity, 'rows', c.reltuples, 'values', CASE WHEN c.relkind IN ('r', 'p') AND c.oid >= 16384 THEN (
    SELECT pg_catalog.json_object_agg(s.attname, s.n_distinct) FROM pg_catalog.pg_stats s
    WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.n_distinct > 0) END, 'owner', pg_catalog.pg_get_userbyid(c.relowner),
  'columns', CASE WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'S') THEN (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'number', a.attnum, 'name', a.attname, 'type', a.atttypid::pg_catalog.int8, 'typmod', a.atttypmod,
      'printed', CASE WHEN a.atttypmod >= 0 THEN pg_catalog.format_type(a.atttypid, a.atttypmod) ELSE '' END,
      'collation', (SELECT pg_catalog.json_build_array(cn.nspname, co.collname) FROM pg_catalog.pg_collation co
                    JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
                    JOIN pg_catalog.pg_type ct ON ct.oid = a.atttypid
                    WHERE co.oid = a.attcollation AND a.attcollation <> 0 AND a.attcollation <> ct.typcollation),
      'not_null', a.attnotnull, 'generated', a.attgenerated <> '', 'virtual', a.attgenerated = 'v',
      'has_default', a.atthasdef OR a.attidentity <> '',
      'expression', CASE WHEN a.attgenerated <> '' THEN (
        SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
        WHERE d.adrelid = c.oid AND d.adnum = a.attnum) END,
      'from', CASE WHEN a.attgenerated <> '' THEN (
        SELECT pg_catalog.json_agg(DISTINCT x.refobjsubid) FROM pg_catalog.pg_depend x
        WHERE x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.refobjid = c.oid
          AND x.refobjsubid > 0 AND x.refobjsubid <> a.attnum
          AND ((x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = c.oid
                AND x.objsubid = a.attnum)
            OR (x.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND x.objid IN (
                SELECT d.oid FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum)))) END
    ) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
  'primary_key', CASE WHEN c.relhasindex THEN (
    SELECT pg_catalog.json_agg(k.number ORDER BY k.place) FROM pg_catalog.pg_index i,
      pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(number, place)
    WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid AND k.place <= i.indnkeyatts) END,
  'leading', CASE WHEN c.relhasindex THEN (
    SELECT pg_catalog.json_agg(DISTINCT i.indkey[0]) FROM pg_catalog.pg_index i
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indkey[0] > 0 AND i.indpred IS NULL) END,
  'unique_indexes', CASE WHEN c.relhasindex AND c.oid >= 16384 THEN (
    SELECT pg_catalog.json_agg((
      SELECT pg_catalog.json_agg(k.number) FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(number, place)
      WHERE k.place <= i.indnkeyatts) ORDER BY i.indexrelid)
    FROM pg_catalog.pg_index i
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indislive AND NOT i.indisexclusion
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indclass::pg_catalog.oid[]) AS o(oid)
        JOIN pg_catalog.pg_opclass oc ON oc.oid = o.oid WHERE oc.opcnamespace <> 'pg_catalog'::pg_catalog.regnamespace)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
        WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::pg_catalog.int2[]) AND NOT co.collisdeterministic)) END,
  'parents', (SELECT pg_catalog.json_agg(h.inhparent::pg_catalog.int8 ORDER BY h.inhseqno)
              FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid),
  'children', CASE WHEN c.relhassubclass THEN (
    SELECT pg_catalog.json_agg(h.inhrelid::pg_catalog.int8 ORDER BY h.inhrelid)
    FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid) END,
  'definition', CASE WHEN c.relkind IN ('v', 'm') AND c.oid >= 16384 THEN pg_catalog.pg_get_viewdef(c.oid) END,
  'depends_on', CASE WHEN c.relkind IN ('v', 'm') THEN (
    SELECT pg_catalog.json_agg(DISTINCT x.refobjid::pg_catalog.int8) FROM pg_catalog.pg_depend x
    WHERE x.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.refobjid <> c.oid
      AND x.objid IN (SELECT r.oid FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid)) END,
  'foreign_keys', CASE WHEN c.relkind IN ('r', 'p') AND c.oid >= 16384 THEN (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', f.conname, 'columns', f.conkey, 'target', f.confrelid::pg_catalog.int8, 'target_columns', f.confkey,
      'holds', f.convalidated AND NOT f.condeferrable, 'inherited', f.conparentid <> 0) ORDER BY f.oid)
    FROM pg_catalog.pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint a WHERE a.oid = f.conparentid AND a.conrelid = c.oid)) END,
  'unique_columns', CASE WHEN c.relhasindex AND c.oid >= 16384 THEN (
    SELECT pg_catalog.json_agg(DISTINCT u.number) FROM pg_catalog.pg_index i, LATERAL (
        SELECT k.number FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) AS k(number)
        UNION ALL
        SELECT x.refobjsubid FROM pg_catalog.pg_depend x
        WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = i.indexrelid
          AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.refobjid = c.oid) AS u
    WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion) AND u.number > 0) END,
  'unique', CASE WHEN c.relkind IN ('r', 'p') AND c.oid >= 16384 THEN (
    SELECT pg_catalog.json_object_agg(u.conname, u.conkey) FROM pg_catalog.pg_constraint u
    WHERE u.conrelid = c.oid AND u.contype IN ('u', 'p', 'x')) END,
  'before_insert', CASE WHEN c.relhastriggers THEN (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, p.proname))
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace
    WHERE t.tgrelid = c.oid AND t.tgtype & 7 = 7 AND t.tgenabled IN ('O', 'A')) END,
  'before_update', CASE WHEN c.relhastriggers THEN (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, p.proname))
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace
    WHERE t.tgrelid = c.oid AND t.tgtype & 19 = 19 AND t.tgenabled IN ('O', 'A')) END,
  'has_triggers', c.relhastriggers AND EXISTS (SELECT FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'),
  'has_rules', c.relhasrules AND EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1'),
  'instead_of', c.relhastriggers AND EXISTS (SELECT FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = c.oid AND t.tgtype & 64 = 64 AND t.tgenabled IN ('O', 'A'))
)::pg_catalog.text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind <> 't' AND ",
            $which
        )
    };
}

/// Reads the session's own temp relations: one row with one text column for each, for [`relations_from_json`].
///
/// Everything in it is qualified but the operators, which resolve in `pg_catalog` first.
pub const TEMP_RELATIONS_SQL: &str = relations_sql!("n.oid = pg_catalog.pg_my_temp_schema()");

pub(super) fn all_sql() -> String {
    relations_sql!("n.nspname !~ '^pg_(toast|temp_|toast_temp_)'").to_owned()
}

/// The relations behind the texts that [`TEMP_RELATIONS_SQL`] yields; `known` are the snapshot's types (a
/// relation's own row type need not be among them).
pub fn relations_from_json<'a>(
    texts: impl Iterator<Item = &'a str>,
    known: &HashMap<Oid, Arc<Type>>,
) -> Result<Vec<Arc<Relation>>, IntrospectError> {
    Ok(from_json(texts, known)?.relations)
}

/// What the relations query yields.
#[derive(Default)]
pub(super) struct Read {
    pub relations: Vec<Arc<Relation>>,
    pub generation_expressions: HashMap<(Oid, i16), String>,
    pub foreign_keys: HashMap<Oid, Vec<ForeignKey>>,
}

pub(super) fn from_json<'a>(
    texts: impl Iterator<Item = &'a str>,
    known: &HashMap<Oid, Arc<Type>>,
) -> Result<Read, IntrospectError> {
    let mut read = Read::default();
    for text in texts {
        let raw: RawRelation = serde_json::from_str(text)?;
        let keys: Vec<ForeignKey> = raw
            .foreign_keys
            .iter()
            .flatten()
            .map(|k| ForeignKey {
                name: k.name.clone(),
                holds: k.holds,
                inherited: k.inherited,
                columns: k.columns.clone(),
                target: k.target,
                target_columns: k.target_columns.clone(),
            })
            .collect();
        if !keys.is_empty() {
            read.foreign_keys.insert(raw.oid, keys);
        }
        for column in raw.columns.iter().flatten() {
            if let Some(expression) = &column.expression {
                read.generation_expressions
                    .insert((raw.oid, column.number), expression.clone());
            }
        }
        read.relations.push(Arc::new(raw.into_relation(known)));
    }
    Ok(read)
}

#[derive(Deserialize)]
struct RawRelation {
    oid: Oid,
    schema: String,
    name: String,
    kind: String,
    row_type: Oid,
    is_partition: bool,
    options: Option<Vec<String>>,
    row_security: bool,
    rows: f32,
    values: Option<BTreeMap<String, f32>>,
    owner: String,
    columns: Option<Vec<RawColumn>>,
    primary_key: Option<Vec<i16>>,
    leading: Option<Vec<i16>>,
    unique_indexes: Option<Vec<Vec<i16>>>,
    unique_columns: Option<Vec<i16>>,
    parents: Option<Vec<Oid>>,
    children: Option<Vec<Oid>>,
    definition: Option<String>,
    depends_on: Option<Vec<Oid>>,
    foreign_keys: Option<Vec<RawForeignKey>>,
    unique: Option<BTreeMap<String, Vec<i16>>>,
    before_insert: Option<Vec<(String, String)>>,
    before_update: Option<Vec<(String, String)>>,
    has_rules: bool,
    has_triggers: bool,
    instead_of: bool,
}

#[derive(Deserialize)]
struct RawForeignKey {
    name: String,
    holds: bool,
    inherited: bool,
    columns: Vec<i16>,
    target: Oid,
    target_columns: Vec<i16>,
}

#[derive(Deserialize)]
struct RawColumn {
    number: i16,
    name: String,
    #[serde(rename = "type")]
    type_oid: Oid,
    typmod: i32,
    printed: String,
    collation: Option<(String, String)>,
    not_null: bool,
    generated: bool,
    r#virtual: bool,
    has_default: bool,
    expression: Option<String>,
    from: Option<Vec<i16>>,
}

impl RawRelation {
    fn into_relation(self, known: &HashMap<Oid, Arc<Type>>) -> Relation {
        let option = |name: &str| {
            self.options.iter().flatten().any(|o| {
                o.split_once('=')
                    .is_some_and(|(key, value)| key == name && !matches!(value, "false" | "off" | "0" | "no"))
            })
        };
        Relation {
            oid: self.oid,
            kind: match self.kind.as_str() {
                "r" => RelationKind::Table,
                "p" => RelationKind::PartitionedTable,
                "v" => RelationKind::View,
                "m" => RelationKind::MaterializedView,
                "f" => RelationKind::ForeignTable,
                "S" => RelationKind::Sequence,
                "t" => RelationKind::Toast,
                "c" => RelationKind::CompositeType,
                _ => RelationKind::Index,
            },
            security_barrier: option("security_barrier"),
            security_invoker: option("security_invoker"),
            name: QualifiedName::new(self.schema, self.name),
            columns: self
                .columns
                .unwrap_or_default()
                .into_iter()
                .map(|c| c.into_column(known))
                .collect(),
            primary_key: self.primary_key.unwrap_or_default(),
            parents: self.parents.unwrap_or_default(),
            children: self.children.unwrap_or_default(),
            is_partition: self.is_partition,
            definition: self.definition,
            depends_on: self.depends_on.unwrap_or_default(),
            row_type: self.row_type,
            leading_index_columns: self.leading.unwrap_or_default(),
            unique_indexes: self.unique_indexes.unwrap_or_default(),
            unique_columns: self.unique_columns.unwrap_or_default(),
            row_security: self.row_security,
            estimated_rows: self.rows,
            estimated_values: self.values.unwrap_or_default(),
            owner: self.owner,
            unique: self.unique.unwrap_or_default(),
            before_insert: functions(self.before_insert),
            before_update: functions(self.before_update),
            has_rules: self.has_rules,
            has_triggers: self.has_triggers,
            instead_of: self.instead_of,
            check_option: self.options.iter().flatten().find_map(|o| match o.as_str() {
                "check_option=local" => Some(CheckOption::Local),
                "check_option=cascaded" => Some(CheckOption::Cascaded),
                _ => None,
            }),
        }
    }
}

fn functions(named: Option<Vec<(String, String)>>) -> BTreeSet<QualifiedName> {
    let named = named.into_iter().flatten();
    named.map(|(schema, name)| QualifiedName::new(schema, name)).collect()
}

impl RawColumn {
    fn into_column(self, known: &HashMap<Oid, Arc<Type>>) -> Column {
        Column {
            number: self.number,
            type_sql: types::to_sql(known, self.type_oid, self.typmod, &self.printed),
            name: self.name,
            type_oid: self.type_oid,
            typmod: self.typmod,
            collation: self.collation.map(|(schema, name)| QualifiedName::new(schema, name)),
            not_null: self.not_null,
            generated_from: self.from.unwrap_or_default(),
            is_generated: self.generated,
            is_virtual: self.r#virtual,
            has_default: self.has_default,
        }
    }
}
