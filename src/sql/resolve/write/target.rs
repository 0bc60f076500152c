//! The table that a statement writes: who may, and how its columns are named in place.

use super::through::Through;
use crate::catalog::{ForeignKey, Relation, RelationKind};
use crate::gate::Origin;
use crate::name::quote_ident;
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{Access, ColumnView, Rows, TableView, Writes};
use crate::refusal::Refusal;
use crate::sql::resolve::condition::flatten;
use crate::sql::resolve::facts::Reach;
use crate::sql::resolve::relation::{collation_of, target_item};
use crate::sql::resolve::scope::{Col, Item, Scope, Source};
use crate::sql::resolve::{Analysis, Guard, GuardSource, Wants, lost, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::protobuf::{Node, RangeVar, Token};
use std::rc::Rc;
use std::sync::Arc;

/// What is done to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
    /// MERGE
    Merge,
    /// TRUNCATE
    Truncate,
}

impl Doing {
    /// Does it store values?
    fn stores(self) -> bool {
        match self {
            Self::Insert | Self::Update | Self::Merge => true,
            Self::Delete | Self::Truncate => false,
        }
    }
}

/// What shows of a table, and what may be written to it.
type Rights = (Arc<TableView>, Arc<Writes>);

/// The table that a statement writes.
pub struct Target {
    /// The table.
    pub relation: Arc<Relation>,
    /// What names it in the statement.
    pub item: Rc<Item>,
    /// The first token of its name: the statement's own level.
    pub first: usize,
    /// It is an own temporary table.
    pub temp: bool,
    /// What shows of it, where it is protected.
    pub view: Option<Arc<TableView>>,
    /// The view through which it is written.
    pub through: Option<Through>,
    guarded: Option<Rights>,
}

impl Target {
    /// The check of a new row: what the policy says, and that of a view.
    pub fn checked(&self, policy: Option<String>) -> Option<String> {
        match &self.through {
            Some(through) => through.check(policy),
            None => policy,
        }
    }

    /// What shows of it and what may be written, where either is less than everything.
    pub fn guarded(&self) -> Option<(&Writes, &TableView)> {
        self.guarded.as_ref().map(|(view, writes)| (&**writes, &**view))
    }

    /// What may be written, where that is less than everything.
    pub fn writes(&self) -> Option<&Writes> {
        self.guarded.as_ref().map(|(_, writes)| &**writes)
    }
}

impl Analysis<'_> {
    /// A statement that writes few rows of its target is held to the policy in the words for that.
    pub(super) fn few_rows(&mut self, target: &mut Target, doing: Doing) -> Result<(), Refusal> {
        let Some((_, writes)) = target.guarded.as_mut().filter(|_| target.through.is_none()) else {
            return Ok(());
        };
        let Some(by_key) = writes.by_key.as_ref().map(Arc::clone) else {
            return Ok(());
        };
        if let Source::Target(id) = target.item.source
            && let GuardSource::Target { rows, .. } = &mut self.guard_mut(id)?.source
        {
            *rows = reached(&by_key, doing);
        }
        *writes = by_key;
        Ok(())
    }

    /// The same where the condition gives the key of the target's rows.
    pub(super) fn few_rows_by_key(
        &mut self,
        target: &mut Target,
        doing: Doing,
        condition: Option<&Node>,
        scope: &Scope<'_>,
    ) -> Result<(), Refusal> {
        let mut terms = Vec::new();
        if let Some(condition) = condition {
            flatten(condition, &mut terms);
        }
        for term in terms {
            self.note_key(term, scope);
        }
        match target.item.source {
            Source::Target(id) if self.reached_by_key().contains(&id) => self.few_rows(target, doing),
            _ => Ok(()),
        }
    }

    /// The table that a statement writes. `free` says whether the person may do all of it as it is written, so that
    /// nothing has to change but the name.
    pub fn write_target(
        &mut self,
        var: &RangeVar,
        doing: Doing,
        free: impl FnOnce(&Relation, &TableView, &Writes) -> bool,
    ) -> Result<Target, Refusal> {
        let (relation, temp) = self.find_relation(var)?;
        if !temp && self.expands(&relation) {
            return self.view_target(var, &relation, doing);
        }
        let first = self.tokens()?.at_location(var.location).ok_or_else(lost)?;
        let written = self.written(var)?;
        if temp {
            self.qualify(var, &written, "pg_temp")?;
            let item = target_item(&relation, var);
            return Ok(Target {
                relation,
                item,
                first,
                temp,
                view: None,
                through: None,
                guarded: None,
            });
        }
        let Some((view, writes)) = self.write_rights(&relation, var, doing)? else {
            let schema = relation.name.schema.clone();
            self.qualify(var, &written, &schema)?;
            self.note_read(&relation, None);
            return Ok(Target {
                item: target_item(&relation, var),
                relation,
                first,
                temp,
                view: None,
                through: None,
                guarded: None,
            });
        };
        self.note_read(&relation, Some(&view));
        if free(&relation, &view, &writes) {
            let schema = relation.name.schema.clone();
            self.qualify(var, &written, &schema)?;
            return Ok(Target {
                item: target_item(&relation, var),
                relation,
                first,
                temp,
                view: Some(view),
                through: None,
                guarded: None,
            });
        }
        let rows = reached(&writes, doing);
        self.notes.push(format!(
            "{}: written in place, as far as the policy lets",
            relation.name
        ));
        let item = self.guarded_item(&relation, &view, rows, false, var)?;
        Ok(Target {
            relation,
            item: Rc::new(item),
            first,
            temp,
            view: Some(Arc::clone(&view)),
            through: None,
            guarded: Some((view, writes)),
        })
    }

    /// Is a relation a view over protected ones, which no policy of its own protects?
    fn expands(&self, relation: &Arc<Relation>) -> bool {
        relation.kind == RelationKind::View
            && self.reads_protected(relation, 0)
            && !matches!(self.who.access(relation), Access::Guarded(_))
    }

    /// A view as the table that is written: what is below it, under the view's condition.
    fn view_target(&mut self, var: &RangeVar, named: &Arc<Relation>, doing: Doing) -> Result<Target, Refusal> {
        if doing == Doing::Merge {
            return Err(self.place(unsupported("MERGE into a view over protected tables"), var.location));
        }
        let chain = self.chain(named, doing).map_err(|e| self.place(e, var.location))?;
        let base = Arc::clone(&chain.base);
        let Some((view, writes)) = self.write_rights(&base, var, doing)? else {
            return Err(self.place(self.denied_to(&base, doing), var.location));
        };
        if !var.inh {
            return Err(self.place(unsupported("ONLY of a view that is written"), var.location));
        }
        self.note_read(&base, Some(&view));
        self.notes
            .push(format!("{}: written through view {}", base.name, named.name));
        let rows = reached(&writes, doing);
        let row = self.guarded_item(&base, &view, rows.clone(), chain.has_barrier(), var)?;
        let Source::Target(id) = row.source else {
            return Err(lost());
        };
        let (mut item, through, reached) = self.read_chain(chain, id, &row, &rows, doing)?;
        let written = self.written(var)?;
        item.schema = (!written.has_alias).then(|| named.name.schema.clone());
        item.name = written.refname;
        for column in &base.columns {
            let same = through.place(&column.name).flatten();
            if same.and_then(|at| base.columns.get(at)) != Some(column) {
                self.veiled.insert(column.name.clone());
            }
        }
        if let GuardSource::Target {
            rows, through: over, ..
        } = &mut self.guard_mut(id)?.source
        {
            *rows = reached;
            *over = Some(Arc::clone(named));
        }
        Ok(Target {
            relation: base,
            item: Rc::new(item),
            first: self.tokens()?.at_location(var.location).ok_or_else(lost)?,
            temp: false,
            view: Some(Arc::clone(&view)),
            through: Some(through),
            guarded: Some((view, writes)),
        })
    }

    /// What may be written to a relation that is not the session's own; `None` where all of it is open. Refused where
    /// nothing is.
    pub fn write_rights(
        &mut self,
        relation: &Arc<Relation>,
        var: &RangeVar,
        doing: Doing,
    ) -> Result<Option<Rights>, Refusal> {
        self.leaves.unknown |= self.world.catalog.fires_triggers(relation);
        let policies = Arc::clone(&self.world.policies);
        if policies.is_directory(relation.oid) && !self.rights.directory {
            return Err(self
                .place(self.denied(relation), var.location)
                .detail("The directory of people or a scope reads it.")
                .hint("Ask the administrator of rowgate for directory among your role's rights."));
        }
        match self.who.access(relation) {
            Access::Guarded(view) => {
                let writes = self
                    .who
                    .writes(relation)
                    .ok_or_else(|| self.place(self.denied(relation), var.location))?;
                let may = match doing {
                    Doing::Insert => writes.inserts(),
                    Doing::Update => writes.edit != Rows::None,
                    Doing::Delete => writes.delete != Rows::None,
                    Doing::Merge => true,
                    Doing::Truncate => writes.deletes_all(),
                };
                if !may {
                    return Err(self.place(self.denied_to(relation, doing), var.location));
                }
                if relation.has_rules {
                    return Err(self.place(unsupported("writing to a table with rules"), var.location));
                }
                Ok(Some((view, writes)))
            }
            Access::Open | Access::Denied => {
                let plain = matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable)
                    || !self.reads_protected(relation, 0);
                if policies.writes_unprotected(relation) && plain && !relation.has_rules {
                    return match self.who.tells_keys(relation).filter(|_| doing.stores()) {
                        None => Ok(None),
                        Some(key) => Err(self.place(tells_keys(relation, key), var.location)),
                    };
                }
                Err(self.place(self.denied_to(relation, doing), var.location))
            }
        }
    }

    pub(super) fn denied_to(&self, relation: &Relation, doing: Doing) -> Refusal {
        let word = match doing {
            Doing::Insert => "insert into",
            Doing::Update => "edit",
            Doing::Delete => "delete from",
            Doing::Merge => "write to",
            Doing::Truncate => "delete every row of",
        };
        self.denied(relation).hint(format!(
            "Ask the administrator of rowgate for a policy that lets your role {word} {}.",
            relation.name
        ))
    }

    fn guarded_item(
        &mut self,
        relation: &Arc<Relation>,
        view: &Arc<TableView>,
        rows: Rows,
        barrier: bool,
        var: &RangeVar,
    ) -> Result<Item, Refusal> {
        let id = self.guards.len();
        let hides = rows != Rows::All || barrier;
        let row = quote_ident(ROW_ALIAS);
        let mut columns = Vec::new();
        for (column, shown) in relation.columns.iter().zip(&view.columns) {
            let text = match shown {
                ColumnView::Hidden => {
                    self.veiled.insert(column.name.clone());
                    continue;
                }
                ColumnView::Masked { sql, .. } => {
                    self.veiled.insert(column.name.clone());
                    sql.clone()
                }
                ColumnView::Clear => format!("{row}.{}", quote_ident(&column.name)),
            };
            let mut reach = Reach::default();
            if hides {
                reach.direct.insert(id);
            }
            columns.push(Col {
                name: column.name.clone(),
                text,
                ty: Some(column.type_oid),
                typmod: column.typmod,
                collation: collation_of(column),
                distant: false,
                edge: false,
                origin: Some(Origin {
                    table: relation.oid,
                    column: column.number,
                }),
                origin_lost: !matches!(shown, ColumnView::Clear),
                reach,
                home: Some((id, columns.len())),
                ..Col::default()
            });
        }
        let written = self.written(var)?;
        let tokens = self.tokens()?;
        let mut end = tokens
            .list()
            .iter()
            .position(|t| t.end == written.whole.end)
            .ok_or_else(lost)?
            + 1;
        if var.alias.is_some() {
            end += if tokens.kind(end) == Some(Token::As) { 2 } else { 1 };
        }
        let at = written.whole.start..tokens.bytes(end - 1..end).ok_or_else(lost)?.end;
        self.guards.push(Guard {
            unit: self.unit,
            at,
            refname: written.refname.clone(),
            has_alias: true,
            source: GuardSource::Target {
                relation: Arc::clone(relation),
                view: Arc::clone(view),
                rows,
                through: None,
            },
            hides,
            only: written.only,
            sample: None,
            wants: Wants::default(),
            no_private: false,
        });
        Ok(Item {
            qualifier: ROW_ALIAS.to_owned(),
            schema: (!written.has_alias).then(|| relation.name.schema.clone()),
            name: written.refname,
            columns,
            opaque: false,
            name_visible: true,
            columns_visible: true,
            source: Source::Target(id),
            shown: vec![id],
            parts: Vec::new(),
            locks: Vec::new(),
        })
    }

    /// Qualifies the name of a relation that is written by name alone (TRUNCATE).
    pub fn qualify_target(&mut self, var: &RangeVar, schema: &str) -> Result<(), Refusal> {
        let written = self.written(var)?;
        self.qualify(var, &written, schema)
    }

    /// Inserts text of a write at a byte.
    pub fn write_at(&mut self, at: usize, text: String, kind: SpliceKind) -> Result<(), Refusal> {
        self.unit_mut()?.splices.insert(at, text, kind);
        Ok(())
    }
}

fn tells_keys(relation: &Relation, key: &ForeignKey) -> Refusal {
    let message = format!("permission denied for table {}", relation.name.name);
    Refusal::forbidden("tells-keys", message)
        .detail(format!(
            "Its foreign key \"{}\" refers to rows that are not all yours to see: what it takes would tell which of them are there.",
            key.name
        ))
        .hint("Ask the administrator of rowgate for a policy for this table: its foreign keys are then met by what shows.")
}

/// The rows of the policy that a statement reaches.
pub(super) fn reached(writes: &Writes, doing: Doing) -> Rows {
    match doing {
        Doing::Insert => Rows::All,
        Doing::Update => writes.edit.clone(),
        Doing::Delete | Doing::Truncate => writes.delete.clone(),
        Doing::Merge => writes.view.clone(),
    }
}
