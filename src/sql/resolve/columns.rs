//! Column references: what each one means, and how its text must change.

use super::facts::Facts;
use super::scope::{Col, Found, GuardId, Item, SYSTEM_COLUMNS, Scope, Source, column_of};
use super::write::EXCLUDED;
use super::{Analysis, lost, string_of};
use crate::gate::Origin;
use crate::name::{QualifiedName, quote_ident};
use crate::policy::decision::ROW_ALIAS;
use crate::refusal::{Refusal, SqlState};
use crate::sql::lists;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::protobuf::ColumnRef;
use std::rc::Rc;

/// The private name of a guard's system column.
pub fn private_system(name: &str, id: GuardId) -> String {
    format!("\"rowgate:{name}:{id}\"")
}

/// What a column reference means.
pub enum Meaning {
    /// A value.
    Value(Facts),
    /// A whole row of an item.
    Row(Rc<Item>),
    /// `item.function`: a function called on a whole row.
    Call(Rc<Item>, String),
}

impl Analysis<'_> {
    /// Reads a column reference in an expression.
    pub fn column_ref(&mut self, reference: &ColumnRef, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        match self.meaning(reference, scope)? {
            Meaning::Value(facts) => Ok(facts),
            Meaning::Row(item) => self.whole_row(reference, &item),
            Meaning::Call(item, function) => {
                self.function_allowed(&[function.as_str()], &[None], reference.location)?;
                let mut facts = self.row_facts(&item)?;
                facts.not_total(|| format!("function {function}"));
                self.keep_row_private(&item)?;
                Ok(facts)
            }
        }
    }

    /// What a reference means, its schema taken off and its system column renamed where that is needed.
    pub fn meaning(&mut self, reference: &ColumnRef, scope: &Scope<'_>) -> Result<Meaning, Refusal> {
        let mut names: Vec<&str> = reference.fields.iter().filter_map(string_of).collect();
        let starred = names.len() + 1 == reference.fields.len();
        if !starred && names.len() != reference.fields.len() {
            return Err(lost());
        }
        if names.len() >= 3 + usize::from(!starred) {
            let database = names.remove(0);
            if database != self.world.catalog.database || names.len() > 3 {
                return Err(self.no_column(&names.join("."), reference.location));
            }
        }
        if starred {
            let item = match names.as_slice() {
                [table] => self.named_item(None, table, scope, reference)?,
                [schema, table] => {
                    let item = self.named_item(Some(schema), table, scope, reference)?;
                    self.drop_schema(reference, &item)?;
                    item
                }
                _ => return Err(lost()),
            };
            return Ok(Meaning::Row(item));
        }
        match names.as_slice() {
            [name] => match scope.column(name) {
                Some(Found::Opaque) if scope.item(None, name).is_some() => self.found(Found::Unclear, name, reference),
                Some(found) => self.found(found, name, reference),
                None => match scope.item(None, name) {
                    Some(Ok(item)) => Ok(Meaning::Row(item)),
                    Some(Err(_)) => Err(self.ambiguous_table(name, reference.location)),
                    None => Err(self.no_column(name, reference.location)),
                },
            },
            [table, name] => {
                let item = self.named_item(None, table, scope, reference)?;
                self.column_in(item, name, reference)
            }
            [schema, table, name] => {
                let item = self.named_item(Some(schema), table, scope, reference)?;
                self.drop_schema(reference, &item)?;
                self.column_in(item, name, reference)
            }
            _ => Err(lost()),
        }
    }

    fn column_in(&mut self, item: Rc<Item>, name: &str, reference: &ColumnRef) -> Result<Meaning, Refusal> {
        match column_of(&item, name) {
            Some(found) => self.found(found, name, reference),
            None if self.world.catalog.functions.contains_key(name) => Ok(Meaning::Call(item, name.to_owned())),
            None => Err(self.no_column(&format!("{}.{name}", item.name), reference.location)),
        }
    }

    fn found(&mut self, found: Found, name: &str, reference: &ColumnRef) -> Result<Meaning, Refusal> {
        match found {
            Found::Column(item, index) => {
                let column = item.columns.get(index).ok_or_else(lost)?;
                self.in_place(&item, column, reference)?;
                Ok(Meaning::Value(self.column_facts(column)))
            }
            Found::System(item) => Ok(Meaning::Value(self.system_column(&item, name, reference)?)),
            Found::Unclear => Err(self.place(
                super::unsupported("an unqualified column beside a function whose columns are not known"),
                reference.location,
            )),
            Found::Opaque => Ok(Meaning::Value(Facts {
                columns: true,
                distant: true,
                bulky: true,
                stored: true,
                edge: true,
                ..Facts::default()
            })),
            Found::Ambiguous => Err(self.place(
                Refusal::new(
                    "ambiguous-column",
                    SqlState::AmbiguousColumn,
                    format!("column reference \"{name}\" is ambiguous"),
                ),
                reference.location,
            )),
        }
    }

    /// A reference to the table that is written becomes what shows of the column; any other by a name that this table
    /// has too, but not in clear, is qualified.
    fn in_place(&mut self, item: &Item, column: &Col, reference: &ColumnRef) -> Result<(), Refusal> {
        let in_view = self.unit != 0;
        let bare = reference.fields.len() == 1;
        // PostgreSQL 16 and later leave the qualifiers out of a view's definition that reads one relation
        let is_plain = !bare || !self.veiled.contains(&column.name);
        if in_view && is_plain && !matches!(item.source, Source::Target(_)) {
            return Ok(());
        }
        let text = match item.source {
            Source::Target(_) if bare && !in_view && !column.origin_lost && !self.veiled.contains(&column.name) => {
                return Ok(());
            }
            Source::Target(_) => column.text.clone(),
            // a view's name for a column of the row that was to be inserted
            Source::Checked | Source::Derived if item.name == EXCLUDED && column.sent.is_some() => column.text.clone(),
            Source::Guard(_) | Source::Relation(_) | Source::Derived | Source::Checked | Source::Join => {
                if is_plain {
                    return Ok(());
                }
                if !column.text.contains('.') {
                    return Err(self.place(
                        super::unsupported("an unqualified column of a join beside a column that is not in clear")
                            .hint("Qualify the column."),
                        reference.location,
                    ));
                }
                column.text.clone()
            }
        };
        let bytes = self.reference_bytes(reference)?;
        self.unit_mut()?.splices.replace(bytes, text, SpliceKind::Column);
        self.renames += usize::from(!in_view || matches!(item.source, Source::Target(_)));
        Ok(())
    }

    /// The facts of a column, which from now on counts as used.
    pub fn column_facts(&mut self, column: &Col) -> Facts {
        if let Some((guard, index)) = column.home {
            self.used.insert((guard, index));
            self.named.insert((guard, index));
            self.note_column(guard, &column.name);
        }
        self.used.extend(&column.within);
        self.seen.extend(column.reach.direct.iter().map(|&g| (g, true)));
        self.seen.extend(column.reach.indirect.iter().map(|&g| (g, false)));
        self.facts_of_column(column)
    }

    /// The facts of a column that nothing names.
    pub fn facts_of_column(&self, column: &Col) -> Facts {
        let collatable = self.type_of(column.ty).is_none_or(|t| t.collatable);
        Facts {
            ty: column.ty,
            typmod: column.typmod,
            reach: column.reach.clone(),
            origin: column.origin,
            home: column.home,
            origin_lost: column.origin_lost,
            bulky: column.origin.is_none() || column.distant,
            distant: column.distant,
            stored: self.holds_anything(column),
            edge: column.edge,
            columns: true,
            collations: column.collation.iter().filter(|_| collatable).cloned().collect(),
            ..Facts::default()
        }
    }

    /// Is there no end to the size, or the distance in time, of what may stand in it?
    fn holds_anything(&self, column: &Col) -> bool {
        column.ty.map(|ty| self.list_type(ty)).is_none_or(|ty| {
            lists::is_moment(ty) || !(lists::is_small(ty) || column.typmod >= 0 && lists::is_bounded_by_typmod(ty))
        })
    }

    fn note_column(&mut self, guard: GuardId, name: &str) {
        let Some((relation, _)) = self.guarded_table(guard) else {
            return;
        };
        let relation = relation.name.to_string();
        if let Some(read) = self.reads.iter_mut().find(|r| r.relation == relation)
            && !read.columns.iter().any(|c| c == name)
        {
            read.columns.push(name.to_owned());
        }
    }

    fn system_column(&mut self, item: &Item, name: &str, reference: &ColumnRef) -> Result<Facts, Refusal> {
        let ty = match name {
            "ctid" => 27,
            "tableoid" => super::oid::OID,
            "cmin" | "cmax" => 29,
            _ => 28,
        };
        let mut facts = Facts::of(Some(ty));
        if let Source::Target(id) = item.source {
            if matches!(
                self.guard_mut(id)?.source,
                super::GuardSource::Target { through: Some(_), .. }
            ) {
                return Err(self.no_column(name, reference.location));
            }
            if self.guard_mut(id)?.hides {
                facts.reach.direct.insert(id);
            }
            let bytes = self.reference_bytes(reference)?;
            let text = format!("{}.{name}", quote_ident(ROW_ALIAS));
            self.unit_mut()?.splices.replace(bytes, text, SpliceKind::Column);
            self.renames += 1;
            return Ok(facts);
        }
        let Source::Guard(id) = item.source else {
            return Ok(facts);
        };
        let kept = SYSTEM_COLUMNS.into_iter().find(|c| *c == name).ok_or_else(lost)?;
        let Some((relation, _)) = self.guarded_table(id) else {
            return Err(self.no_column(name, reference.location));
        };
        let table = relation.oid;
        let guard = self.guard_mut(id)?;
        if guard.no_private {
            return Err(super::unsupported("a system column of a table inside an aliased join"));
        }
        guard.wants.system.insert(kept);
        if guard.hides {
            facts.reach.direct.insert(id);
        }
        let number = match name {
            "ctid" => -1,
            "xmin" => -2,
            "cmin" => -3,
            "xmax" => -4,
            "cmax" => -5,
            _ => -6,
        };
        facts.origin = Some(Origin { table, column: number });
        let (tokens, last) = self.reference_tokens(reference)?;
        let bytes = tokens.get(last).map(|t| t.start..t.end).ok_or_else(lost)?;
        self.unit_mut()?
            .splices
            .replace(bytes, private_system(kept, id), SpliceKind::Column);
        self.renames += 1;
        Ok(facts)
    }

    /// The tokens of this unit and the index of the reference's last name.
    fn reference_tokens(&self, reference: &ColumnRef) -> Result<(&crate::sql::tokens::Tokens, usize), Refusal> {
        let tokens = self.tokens()?;
        let first = tokens.at_location(reference.location).ok_or_else(lost)?;
        Ok((tokens, first + 2 * (reference.fields.len() - 1)))
    }

    /// The bytes of a whole reference.
    pub fn reference_bytes(&self, reference: &ColumnRef) -> Result<std::ops::Range<usize>, Refusal> {
        let (tokens, last) = self.reference_tokens(reference)?;
        let first = tokens.at_location(reference.location).ok_or_else(lost)?;
        tokens.bytes(first..last + 1).ok_or_else(lost)
    }

    /// A guard has no schema: `public.customers.name` becomes `"customers".name`.
    fn drop_schema(&mut self, reference: &ColumnRef, item: &Item) -> Result<(), Refusal> {
        if !matches!(item.source, Source::Guard(_)) {
            return Ok(());
        }
        let tokens = self.tokens()?;
        let first = tokens.at_location(reference.location).ok_or_else(lost)?;
        // the qualifier ends two tokens (dot and column or star) before the reference does
        let end = first + 2 * (reference.fields.len() - 1) - 1;
        let bytes = tokens.bytes(first..end).ok_or_else(lost)?;
        let text = quote_ident(&item.qualifier);
        self.unit_mut()?.splices.replace(bytes, text, SpliceKind::Column);
        Ok(())
    }

    fn named_item(
        &self,
        schema: Option<&str>,
        name: &str,
        scope: &Scope<'_>,
        reference: &ColumnRef,
    ) -> Result<Rc<Item>, Refusal> {
        match scope.item(schema, name) {
            Some(Ok(item)) => Ok(item),
            Some(Err(_)) => Err(self.ambiguous_table(name, reference.location)),
            None => Err(self.place(
                Refusal::new(
                    "no-from-entry",
                    SqlState::UndefinedTable,
                    format!("missing FROM-clause entry for table \"{name}\""),
                ),
                reference.location,
            )),
        }
    }

    fn ambiguous_table(&self, name: &str, location: i32) -> Refusal {
        let message = format!("table reference \"{name}\" is ambiguous");
        self.place(
            Refusal::new("ambiguous-table", SqlState::AmbiguousAlias, message),
            location,
        )
    }

    /// 42703 for a name that means no column here.
    pub fn no_column(&self, name: &str, location: i32) -> Refusal {
        let shown = if name.contains('.') {
            name.to_owned()
        } else {
            format!("\"{name}\"")
        };
        let message = format!("column {shown} does not exist");
        self.place(Refusal::new("no-column", SqlState::UndefinedColumn, message), location)
    }

    /// The facts of a whole row.
    pub fn row_facts(&mut self, item: &Item) -> Result<Facts, Refusal> {
        let mut facts = Facts {
            columns: true,
            distant: true,
            bulky: true,
            stored: true,
            ..Facts::default()
        };
        for column in &item.columns {
            let column = self.column_facts(column);
            facts.reach.merge(&column.reach);
            facts.edge |= column.edge;
        }
        if let Source::Guard(id) | Source::Target(id) = item.source
            && self.guard_mut(id)?.hides
        {
            facts.reach.direct.insert(id);
        }
        if let Source::Relation(oid) = item.source {
            facts.ty = self.world.catalog.relations.get(&oid).map(|r| r.row_type);
        }
        Ok(facts)
    }

    /// A whole row: of a guarded table where nothing is hidden it is cast to the table's type, so that it is
    /// what it would be without rowgate; otherwise it stays a record of what shows.
    fn whole_row(&mut self, reference: &ColumnRef, item: &Item) -> Result<Facts, Refusal> {
        let mut facts = self.row_facts(item)?;
        let (Source::Guard(id) | Source::Target(id)) = item.source else {
            if item.source == Source::Join {
                self.no_private_in_join(item)?;
            }
            if item.source == Source::Checked || item.source == Source::Join && self.checks > 0 {
                return Err(super::unsupported(
                    "the whole row of excluded or of a WITH query that writes",
                ));
            }
            return Ok(facts);
        };
        let bytes = self.reference_bytes(reference)?;
        let in_place = matches!(item.source, Source::Target(_));
        let name = quote_ident(if in_place { ROW_ALIAS } else { &item.qualifier });
        let columns: Vec<String> = item
            .columns
            .iter()
            .map(|c| match in_place {
                true => c.text.clone(),
                false => format!("{name}.{}", quote_ident(&c.name)),
            })
            .collect();
        let typed = match &self.guards.get(id).ok_or_else(lost)?.source {
            super::GuardSource::Target {
                through: Some(through), ..
            } => Some((through.name.clone(), through.row_type)),
            super::GuardSource::Table { relation, view } | super::GuardSource::Target { relation, view, .. } => {
                let hidden = view
                    .columns
                    .iter()
                    .any(|c| matches!(c, crate::policy::ColumnView::Hidden));
                (!hidden).then(|| (relation.name.clone(), relation.row_type))
            }
            super::GuardSource::View { relation, .. } => Some((relation.name.clone(), relation.row_type)),
        };
        facts.origin = Some(Origin {
            table: self.guards.get(id).ok_or_else(lost)?.relation().oid,
            column: 0,
        });
        facts.origin_lost = true;
        let text = match &typed {
            Some((table, ty)) => {
                facts.ty = Some(*ty);
                match in_place {
                    true => format!("(ROW({})::{})", columns.join(", "), table.to_sql()),
                    false => typed_row(&name, &columns, table),
                }
            }
            None => {
                facts.ty = Some(super::oid::RECORD);
                self.record_rows = true;
                let own = self.guards.get(id).ok_or_else(lost)?.permitted_names();
                let fields: Vec<String> = columns
                    .iter()
                    .zip(own)
                    .map(|(c, name)| format!("{c} AS {}", quote_ident(&name)))
                    .collect();
                match in_place {
                    true => record(&fields),
                    false => record_row(&name, &fields),
                }
            }
        };
        self.unit_mut()?.splices.replace(bytes, text, SpliceKind::WholeRow);
        self.renames += 1;
        Ok(facts)
    }

    /// A whole row that must stay as it is written may not show private columns.
    pub fn keep_row_private(&mut self, item: &Item) -> Result<(), Refusal> {
        if let Source::Guard(id) = item.source {
            self.guard_mut(id)?.no_private = true;
        }
        Ok(())
    }

    fn no_private_in_join(&mut self, item: &Item) -> Result<(), Refusal> {
        for column in &item.columns {
            if let Some((guard, _)) = column.home {
                self.guard_mut(guard)?.no_private = true;
            }
        }
        Ok(())
    }
}

/// A row as a record of what shows, its fields named as in the table. By its name alone the row might be a column of a
/// level around, such as one of the table that is written.
fn record_row(name: &str, fields: &[String]) -> String {
    format!("(CASE WHEN {name}.* IS DISTINCT FROM NULL THEN {} END)", record(fields))
}

/// These fields as a record that knows their names.
fn record(fields: &[String]) -> String {
    let whole = "\"rowgate:whole\"";
    format!("(SELECT {whole} FROM (SELECT {}) AS {whole})", fields.join(", "))
}

/// A row of the table's own type; NULL, not a row of NULLs, where an outer join made it up.
fn typed_row(name: &str, columns: &[String], table: &QualifiedName) -> String {
    format!(
        "(CASE WHEN {name}.* IS DISTINCT FROM NULL THEN ROW({})::{} END)",
        columns.join(", "),
        table.to_sql()
    )
}
