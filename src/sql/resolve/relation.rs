//! What a relation's name in FROM stands for: a guard, an open relation, a view to expand, or nothing.

use super::scope::{Col, GuardId, Item, Source};
use super::{Analysis, MAX_VIEW_DEPTH, Unit, lost};
use crate::catalog::{Column, Oid, Relation, RelationKind};
use crate::gate::limit::stricter;
use crate::gate::{Origin, Read, RowLimit};
use crate::name::{QualifiedName, quote_ident};
use crate::policy::{Access, ColumnView, Rows, TableView};
use crate::refusal::{Refusal, SqlState};
use crate::sql::lists;
use crate::sql::parse::parse;
use crate::sql::resolve::facts::Reach;
use crate::sql::rewrite::splice::{SpliceKind, Splices};
use pg_query::NodeEnum;
use pg_query::protobuf::RangeVar;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// How many guards one text may need; the database would plan for minutes long before.
const MOST_GUARDS: usize = 500;

/// A place where a protected relation or a view over one stood.
#[derive(Debug)]
pub struct Guard {
    /// Which unit's text it stands in.
    pub unit: usize,
    /// The bytes to replace: ONLY, the name, `*`.
    pub at: Range<usize>,
    /// The name by which the text refers to it.
    pub refname: String,
    /// The text gives it an alias itself.
    pub has_alias: bool,
    /// What is inside.
    pub source: GuardSource,
    /// Are rows hidden (so that what the client runs on it must be watched)?
    pub hides: bool,
    /// ONLY was written.
    pub only: bool,
    /// A TABLESAMPLE clause to take along.
    pub sample: Option<String>,
    /// What its surroundings need of it.
    pub wants: Wants,
    /// Private columns would shift the columns of an aliased join.
    pub no_private: bool,
}

/// What a guard is made of.
#[derive(Debug)]
pub enum GuardSource {
    /// A protected table.
    Table {
        /// The table.
        relation: Arc<Relation>,
        /// What shows of it.
        view: Arc<TableView>,
    },
    /// A table that a statement writes: it stays, and every reference to it is replaced where it stands.
    Target {
        /// The table.
        relation: Arc<Relation>,
        /// What shows of it.
        view: Arc<TableView>,
        /// The rows that the statement reaches.
        rows: Rows,
        /// The view through which it is written.
        through: Option<Arc<Relation>>,
    },
    /// A view over protected relations, expanded.
    View {
        /// The view.
        relation: Arc<Relation>,
        /// The unit that holds its definition.
        unit: usize,
    },
}

/// What a guard must offer beside the permitted columns.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    /// The column that says whether the row is in scope.
    pub flag: bool,
    /// System columns by name.
    pub system: BTreeSet<&'static str>,
    /// Filter before anything outside runs.
    pub fence: bool,
    /// FOR UPDATE or SHARE reaches it.
    pub lock: bool,
    /// All permitted columns, named or not.
    pub all: bool,
    /// Attribute numbers of masked columns that an exact match compares as they are.
    pub search: BTreeSet<i16>,
}

impl Guard {
    /// The table or view that it stands for.
    pub fn relation(&self) -> &Arc<Relation> {
        match &self.source {
            GuardSource::Target {
                through: Some(through), ..
            } => through,
            GuardSource::Table { relation, .. }
            | GuardSource::Target { relation, .. }
            | GuardSource::View { relation, .. } => relation,
        }
    }

    /// The names of the columns that show, as the table has them.
    pub fn permitted_names(&self) -> Vec<String> {
        match &self.source {
            GuardSource::Table { relation, view } | GuardSource::Target { relation, view, .. } => {
                let shown = relation
                    .columns
                    .iter()
                    .zip(&view.columns)
                    .filter(|(_, v)| **v != ColumnView::Hidden);
                shown.map(|(c, _)| c.name.clone()).collect()
            }
            GuardSource::View { relation, .. } => relation.columns.iter().map(|c| c.name.clone()).collect(),
        }
    }

    /// Has it columns that no `*` may show?
    pub fn has_private(&self) -> bool {
        self.wants.flag
            || !self.wants.system.is_empty()
            || !self.wants.search.is_empty()
            || matches!(self.source, GuardSource::Target { .. })
    }
}

/// What a name in FROM became.
pub struct Named {
    /// Its source.
    pub source: Source,
    /// Its columns.
    pub columns: Vec<Col>,
    /// Guards that a lock on it reaches.
    pub locks: Vec<GuardId>,
}

/// Where and how a relation's name is written.
pub struct Written {
    /// Bytes of the name alone.
    pub name: Range<usize>,
    /// Bytes with ONLY and `*`.
    pub whole: Range<usize>,
    /// The alias or the bare name.
    pub refname: String,
    /// An alias is written.
    pub has_alias: bool,
    /// ONLY is written.
    pub only: bool,
}

impl Analysis<'_> {
    /// The relation that a name means: a temp relation, then the schemas of the path.
    pub fn find_relation(&self, var: &RangeVar) -> Result<(Arc<Relation>, bool), Refusal> {
        let name = var.relname.as_str();
        if !var.catalogname.is_empty() && var.catalogname != self.world.catalog.database {
            return Err(self.place(
                Refusal::unsupported(
                    "cross-database",
                    format!(
                        "cross-database references are not implemented: \"{}.{}.{name}\"",
                        var.catalogname, var.schemaname
                    ),
                ),
                var.location,
            ));
        }
        let in_temp = || {
            self.session
                .temp_relations
                .iter()
                .find(|r| r.name.name == name)
                .cloned()
        };
        let in_schema = |schema: &str| self.world.catalog.relation(&QualifiedName::new(schema, name)).cloned();
        let found = match var.schemaname.as_str() {
            "" if self.unit == 0 => in_temp().map(|r| (r, true)).or_else(|| {
                let path = self.unit().ok()?.search_path.clone();
                std::iter::once("pg_catalog".to_owned())
                    .chain(path)
                    .find_map(|s| in_schema(&s))
                    .map(|r| (r, false))
            }),
            "" => in_schema("pg_catalog").map(|r| (r, false)),
            "pg_temp" => in_temp().map(|r| (r, true)),
            schema => in_schema(schema).map(|r| (r, false)),
        };
        found.ok_or_else(|| {
            let shown = if var.schemaname.is_empty() {
                name.to_owned()
            } else {
                format!("{}.{name}", var.schemaname)
            };
            self.place(
                Refusal::new(
                    "no-relation",
                    SqlState::UndefinedTable,
                    format!("relation \"{shown}\" does not exist"),
                ),
                var.location,
            )
        })
    }

    /// Resolves a relation of FROM and notes what must change where it is written.
    pub fn relation(
        &mut self,
        var: &RangeVar,
        written: &Written,
        sample: Option<String>,
        no_private: bool,
    ) -> Result<Named, Refusal> {
        let (relation, temp) = self.find_relation(var)?;
        if temp {
            if let Some(stored) = &self.session.stored {
                self.not_exportable.get_or_insert_with(|| stored.relation.clone());
                self.row_limit = stricter(self.row_limit.take(), stored.row_limit.as_ref());
            }
            self.qualify(var, written, "pg_temp")?;
            return Ok(self.open(&relation));
        }
        let schema = relation.name.schema.clone();
        if schema == "pg_catalog" || schema == "information_schema" {
            if !lists::catalog_relation_is_open(&schema, &relation.name.name) {
                return Err(self.place(self.denied(&relation), var.location));
            }
            self.qualify(var, written, &schema)?;
            return Ok(self.open(&relation));
        }
        match relation.kind {
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::View
            | RelationKind::MaterializedView
            | RelationKind::ForeignTable => {}
            RelationKind::Sequence | RelationKind::Toast | RelationKind::CompositeType | RelationKind::Index => {
                return Err(self.place(self.denied(&relation), var.location));
            }
        }
        match self.who.access(&relation) {
            Access::Guarded(view) => self.guarded(var, relation, view, written, sample, no_private),
            access @ (Access::Open | Access::Denied) => {
                if !self.reads_protected(&relation, 0) {
                    if access == Access::Denied {
                        return Err(self.place(self.denied(&relation), var.location));
                    }
                    self.qualify(var, written, &schema)?;
                    self.note_read(&relation, None);
                    return Ok(self.open(&relation));
                }
                match relation.kind {
                    RelationKind::View => self.expand(var, &relation, written, no_private),
                    RelationKind::MaterializedView | RelationKind::ForeignTable
                        if self.rights.derived_relations.contains(&relation.name) =>
                    {
                        self.qualify(var, written, &schema)?;
                        self.note_read(&relation, None);
                        Ok(self.open(&relation))
                    }
                    RelationKind::MaterializedView
                    | RelationKind::ForeignTable
                    | RelationKind::Table
                    | RelationKind::PartitionedTable
                    | RelationKind::Sequence
                    | RelationKind::Toast
                    | RelationKind::CompositeType
                    | RelationKind::Index => Err(self.place(self.denied(&relation), var.location)),
                }
            }
        }
    }

    pub(super) fn denied(&self, relation: &Relation) -> Refusal {
        let what = match relation.kind {
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
            RelationKind::Sequence => "sequence",
            RelationKind::ForeignTable => "foreign table",
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::Toast
            | RelationKind::CompositeType
            | RelationKind::Index => "table",
        };
        Refusal::forbidden(
            "relation-denied",
            format!("permission denied for {what} {}", relation.name.name),
        )
        .hint(format!(
            "Ask the administrator of rowgate for a policy that lets your role view {}.",
            relation.name
        ))
    }

    /// Does a view, materialized view or foreign table read something that is not open to this person as it is?
    pub(super) fn reads_protected(&self, relation: &Relation, depth: usize) -> bool {
        if depth > MAX_VIEW_DEPTH {
            return true;
        }
        relation.depends_on.iter().any(|oid| {
            let Some(inner) = self.world.catalog.relations.get(oid) else {
                return true;
            };
            if inner.oid == relation.oid || matches!(inner.name.schema.as_str(), "pg_catalog" | "information_schema") {
                return false;
            }
            match self.who.access(inner) {
                Access::Guarded(_) => true,
                Access::Open => self.reads_protected(inner, depth + 1),
                Access::Denied => !matches!(inner.kind, RelationKind::View) || self.reads_protected(inner, depth + 1),
            }
        })
    }

    /// Puts the schema before a name that is written without one.
    pub fn qualify(&mut self, var: &RangeVar, written: &Written, schema: &str) -> Result<(), Refusal> {
        if var.schemaname.is_empty() {
            let text = if schema == "pg_temp" {
                format!("pg_temp.{}", crate::name::quote_ident(&var.relname))
            } else {
                QualifiedName::new(schema, &var.relname).to_sql()
            };
            self.unit_mut()?
                .splices
                .replace(written.name.clone(), text, SpliceKind::Qualifier);
        }
        Ok(())
    }

    /// Is it a temporary table of the session, whose rows the client made?
    fn is_temporary(&self, relation: &Relation) -> bool {
        self.session.temp_relations.iter().any(|r| r.oid == relation.oid)
    }

    fn open(&self, relation: &Relation) -> Named {
        let columns = relation
            .columns
            .iter()
            .map(|c| Col {
                name: c.name.clone(),
                ty: Some(c.type_oid),
                typmod: c.typmod,
                collation: collation_of(c),
                distant: self.is_temporary(relation),
                edge: false,
                origin: Some(Origin {
                    table: relation.oid,
                    column: c.number,
                }),
                ..Col::default()
            })
            .collect();
        Named {
            source: Source::Relation(relation.oid),
            columns,
            locks: Vec::new(),
        }
    }

    fn guarded(
        &mut self,
        var: &RangeVar,
        relation: Arc<Relation>,
        view: Arc<TableView>,
        written: &Written,
        sample: Option<String>,
        no_private: bool,
    ) -> Result<Named, Refusal> {
        if self.guards.len() >= MOST_GUARDS {
            return Err(Refusal::new(
                "too-many-relations",
                SqlState::StatementTooComplex,
                "statement names too many relations",
            )
            .detail(format!("At most {MOST_GUARDS} protected ones can be secured at once.")));
        }
        self.note_read(&relation, Some(&view));
        for line in &view.because {
            let note = format!("{}: {line}", relation.name);
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.limit_rows(&relation, &view);
        if !view.hides_rows() && view.all_columns_clear() && view.lockable == Rows::All {
            let schema = relation.name.schema.clone();
            self.qualify(var, written, &schema)?;
            return Ok(self.open(&relation));
        }
        let id = self.guards.len();
        let hides = view.hides_rows();
        let mut columns = Vec::new();
        for (column, shown) in relation.columns.iter().zip(&view.columns) {
            let masked = match shown {
                ColumnView::Hidden => continue,
                ColumnView::Masked { .. } => true,
                ColumnView::Clear => false,
            };
            let mut reach = Reach::default();
            if hides {
                reach.direct.insert(id);
            }
            columns.push(Col {
                name: column.name.clone(),
                text: String::new(),
                ty: Some(column.type_oid),
                typmod: column.typmod,
                collation: collation_of(column),
                distant: false,
                edge: false,
                origin: Some(Origin {
                    table: relation.oid,
                    column: column.number,
                }),
                origin_lost: masked,
                reach,
                home: Some((id, columns.len())),
                ..Col::default()
            });
        }
        self.guards.push(Guard {
            unit: self.unit,
            at: written.whole.clone(),
            refname: written.refname.clone(),
            has_alias: written.has_alias,
            source: GuardSource::Table { relation, view },
            hides,
            only: written.only,
            sample,
            wants: Wants::default(),
            no_private,
        });
        Ok(Named {
            source: Source::Guard(id),
            columns,
            locks: vec![id],
        })
    }

    /// What is read of a relation that may not be exported limits the statement's rows.
    pub(super) fn limit_rows(&mut self, relation: &Relation, view: &TableView) {
        if !view.export {
            self.not_exportable.get_or_insert_with(|| relation.name.to_string());
            let own = view.max_rows.as_ref().map(RowLimit::of);
            self.row_limit = stricter(self.row_limit.take(), own.as_ref());
        }
    }

    /// Expands a view over protected relations: its definition is read as a text of its own.
    fn expand(
        &mut self,
        var: &RangeVar,
        relation: &Arc<Relation>,
        written: &Written,
        no_private: bool,
    ) -> Result<Named, Refusal> {
        if self.depth >= MAX_VIEW_DEPTH {
            return Err(Refusal::new(
                "view-depth",
                SqlState::StatementTooComplex,
                "views are nested too deeply",
            ));
        }
        let definition = relation
            .definition
            .as_deref()
            .ok_or_else(|| self.place(self.denied(relation), var.location))?;
        let definition = definition.trim_end().trim_end_matches(';');
        let parsed = parse(definition)?;
        let [statement] = parsed.tree.stmts.as_slice() else {
            return Err(lost());
        };
        let Some(NodeEnum::SelectStmt(select)) = statement.stmt.as_ref().and_then(|s| s.node.as_ref()) else {
            return Err(lost());
        };
        let unit = self.units.len();
        self.units.push(Unit {
            text: parsed.text.clone(),
            tokens: parsed.tokens,
            splices: Splices::default(),
            stars: Vec::new(),
            search_path: Vec::new(),
        });
        let (outer_unit, first_guard) = (self.unit, self.guards.len());
        self.unit = unit;
        self.depth += 1;
        let inner = self.query_inside(select, None);
        self.unit = outer_unit;
        self.depth -= 1;
        let inner = inner?;
        if inner.len() != relation.columns.len() {
            return Err(lost());
        }
        let id = self.guards.len();
        let locks = (first_guard..id).collect();
        let barrier = relation.security_barrier;
        let columns = relation
            .columns
            .iter()
            .zip(&inner)
            .map(|(column, inside)| Col {
                name: column.name.clone(),
                text: String::new(),
                ty: Some(column.type_oid),
                typmod: column.typmod,
                collation: collation_of(column),
                distant: inside.distant,
                edge: inside.edge,
                origin: Some(Origin {
                    table: relation.oid,
                    column: column.number,
                }),
                origin_lost: true,
                reach: if barrier {
                    Reach::default()
                } else {
                    inside.reach.from_outside()
                },
                ..Col::default()
            })
            .collect();
        self.note_read(relation, None);
        self.notes
            .push(format!("{}: view expanded from its definition", relation.name));
        self.guards.push(Guard {
            unit: self.unit,
            at: written.whole.clone(),
            refname: written.refname.clone(),
            has_alias: written.has_alias,
            source: GuardSource::View {
                relation: Arc::clone(relation),
                unit,
            },
            hides: false,
            only: false,
            sample: None,
            wants: Wants {
                fence: barrier,
                ..Wants::default()
            },
            no_private,
        });
        Ok(Named {
            source: Source::Guard(id),
            columns,
            locks,
        })
    }

    /// Notes for the audit what is read or written.
    pub fn note_read(&mut self, relation: &Relation, view: Option<&TableView>) {
        if self.unit != 0 && view.is_none() {
            return;
        }
        let name = relation.name.to_string();
        if self.reads.iter().any(|r| r.relation == name) {
            return;
        }
        let masked = view
            .map(|v| {
                relation
                    .columns
                    .iter()
                    .zip(&v.columns)
                    .filter_map(|(c, shown)| match shown {
                        ColumnView::Masked { mask, .. } => Some(format!("{}:{mask}", c.name)),
                        ColumnView::Clear | ColumnView::Hidden => None,
                    })
                    .collect()
            })
            .unwrap_or_default();
        self.reads.push(Read {
            relation: name,
            columns: Vec::new(),
            masked,
            searched: Vec::new(),
        });
    }

    /// The relation behind an item's row type, where it is a guarded table.
    pub fn guarded_table(&self, id: GuardId) -> Option<(&Arc<Relation>, &TableView)> {
        match &self.guards.get(id)?.source {
            GuardSource::Table { relation, view } | GuardSource::Target { relation, view, .. } => {
                Some((relation, view))
            }
            GuardSource::View { .. } => None,
        }
    }

    /// Does a row type belong to a relation that hides columns from this person?
    pub fn row_type_hides(&self, relation: Oid) -> bool {
        let Some(relation) = self.world.catalog.relations.get(&relation) else {
            return false;
        };
        match self.who.access(relation) {
            Access::Guarded(view) => view.columns.iter().any(|c| matches!(c, ColumnView::Hidden)),
            Access::Open | Access::Denied => false,
        }
    }
}

/// A column's collation, where that is not the default; values of the type `name` compare under the collation C.
pub(super) fn collation_of(column: &Column) -> Option<QualifiedName> {
    let plain = || (column.type_oid == super::oid::NAME).then(|| QualifiedName::new("pg_catalog", "C"));
    column.collation.clone().or_else(plain)
}

/// A write target as an item of its own statement.
pub fn target_item(relation: &Relation, var: &RangeVar) -> Rc<Item> {
    let name = var
        .alias
        .as_ref()
        .map_or_else(|| var.relname.clone(), |a| a.aliasname.clone());
    let columns = relation.columns.iter().map(|c| Col {
        name: c.name.clone(),
        text: format!("{}.{}", quote_ident(&name), quote_ident(&c.name)),
        ty: Some(c.type_oid),
        collation: collation_of(c),
        distant: false,
        edge: false,
        ..Col::default()
    });
    Rc::new(Item {
        qualifier: name.clone(),
        columns: columns.collect(),
        name,
        schema: None,
        opaque: false,
        name_visible: true,
        columns_visible: true,
        source: Source::Relation(relation.oid),
        locks: Vec::new(),
        shown: Vec::new(),
        parts: Vec::new(),
    })
}
