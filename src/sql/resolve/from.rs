//! FROM: relations, subqueries, functions and joins become items with columns.

use super::condition::Clause;
use super::facts::{Reach, either_collation, several_collations};
use super::relation::Written;
use super::scope::{Col, Item, Scope, Source};
use super::{Analysis, lost, name_parts, string_of, unsupported};
use crate::name::quote_ident;
use crate::refusal::Refusal;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    Alias, JoinExpr, JoinType, Node, RangeFunction, RangeSubselect, RangeTableSample, RangeVar, Token,
};
use std::collections::BTreeSet;
use std::rc::Rc;

impl Analysis<'_> {
    /// Reads the FROM list of a level; what comes earlier is visible to LATERAL items.
    pub fn from_clause(&mut self, list: &[Node], scope: &mut Scope<'_>) -> Result<(), Refusal> {
        for node in list {
            let items = self.read_item(node, scope, false)?;
            scope.items.extend(items);
        }
        self.refuse_twice_named(scope)
    }

    /// PostgreSQL lets two relations of one name stand side by side if their schemas differ; a guard has no
    /// schema to tell it by.
    fn refuse_twice_named(&self, scope: &Scope<'_>) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        for item in scope.items.iter().filter(|i| i.name_visible && !i.name.is_empty()) {
            if !seen.insert(item.name.as_str())
                && scope
                    .items
                    .iter()
                    .any(|i| i.name == item.name && matches!(i.source, Source::Guard(_) | Source::Target(_)))
            {
                return Err(Refusal::unsupported(
                    "twice-named",
                    format!("table name \"{}\" specified more than once", item.name),
                )
                .hint("Give each of them an alias."));
            }
        }
        Ok(())
    }

    fn read_item(&mut self, node: &Node, scope: &Scope<'_>, aliased_join: bool) -> Result<Vec<Rc<Item>>, Refusal> {
        match node.node.as_ref().ok_or_else(lost)? {
            NodeEnum::RangeVar(var) => Ok(vec![Rc::new(self.range_var(var, scope, None, aliased_join)?)]),
            NodeEnum::RangeTableSample(sample) => Ok(vec![Rc::new(self.table_sample(sample, scope, aliased_join)?)]),
            NodeEnum::RangeSubselect(sub) => Ok(vec![Rc::new(self.range_subselect(sub, scope)?)]),
            NodeEnum::RangeFunction(function) => Ok(vec![Rc::new(self.range_function(function, scope)?)]),
            NodeEnum::JoinExpr(join) => self.join(join, scope, aliased_join),
            NodeEnum::RangeTableFunc(table) => Ok(vec![Rc::new(self.xml_table(table, scope)?)]),
            NodeEnum::JsonTable(table) => Ok(vec![Rc::new(self.json_table(table, scope)?)]),
            _ => Err(unsupported("this kind of FROM item")),
        }
    }

    /// Where a relation's name, ONLY, `*` and alias stand.
    pub fn written(&self, var: &RangeVar) -> Result<Written, Refusal> {
        let tokens = self.tokens()?;
        let first = tokens.at_location(var.location).ok_or_else(lost)?;
        let end = tokens.name_end(first);
        let name = tokens.bytes(first..end).ok_or_else(lost)?;
        let (mut from, mut to) = (first, end);
        if !var.inh {
            let mut i = first;
            while i > 0 && tokens.kind(i - 1) == Some(Token::Ascii40) {
                i -= 1;
                to += 1;
            }
            if i == 0 || tokens.kind(i - 1) != Some(Token::Only) {
                return Err(lost());
            }
            // brackets belong to ONLY only directly behind it
            if i < first && tokens.kind(end) != Some(Token::Ascii41) {
                return Err(lost());
            }
            from = i - 1;
        } else if tokens.kind(end) == Some(Token::Ascii42) {
            to = end + 1;
        }
        let whole = tokens.bytes(from..to).ok_or_else(lost)?;
        let has_alias = var.alias.is_some();
        let refname = var
            .alias
            .as_ref()
            .map_or_else(|| var.relname.clone(), |a| a.aliasname.clone());
        Ok(Written {
            name,
            whole,
            refname,
            has_alias,
            only: !var.inh,
        })
    }

    fn range_var(
        &mut self,
        var: &RangeVar,
        scope: &Scope<'_>,
        sample: Option<&RangeTableSample>,
        no_private: bool,
    ) -> Result<Item, Refusal> {
        if var.schemaname.is_empty()
            && var.catalogname.is_empty()
            && let Some(cte) = scope.cte(&var.relname)
        {
            let columns = cte.columns.clone().ok_or_else(|| {
                self.place(
                    unsupported("a reference to a WITH query that comes later"),
                    var.location,
                )
            })?;
            let source = match &cte.check {
                Some(check) => {
                    if var.alias.as_ref().is_some_and(|a| !a.colnames.is_empty()) {
                        self.name_check(var.location, check)?;
                    }
                    Source::Checked
                }
                None => Source::Derived,
            };
            return Ok(self.finish_item(columns, source, var.alias.as_ref(), &var.relname, None));
        }
        let written = self.written(var)?;
        let clause = sample.map(|s| self.sample_bytes(s, &written)).transpose()?;
        let sample_text = match &clause {
            Some(bytes) => Some(self.tokens()?.slice(bytes.clone()).to_owned()),
            None => None,
        };
        let named = self.relation(var, &written, sample_text, no_private)?;
        if var.alias.as_ref().is_some_and(|a| !a.colnames.is_empty()) {
            self.want_all(&named.columns)?;
        }
        if let (Source::Guard(_), Some(bytes)) = (named.source, clause) {
            self.unit_mut()?
                .splices
                .replace(bytes, String::new(), SpliceKind::Guard);
        }
        let schema = if written.has_alias {
            None
        } else if var.schemaname.is_empty() {
            self.find_relation(var).ok().map(|(r, _)| r.name.schema.clone())
        } else {
            Some(var.schemaname.clone())
        };
        let mut item = self.finish_item(named.columns, named.source, var.alias.as_ref(), &var.relname, schema);
        item.locks = named.locks;
        Ok(item)
    }

    fn table_sample(
        &mut self,
        sample: &RangeTableSample,
        scope: &Scope<'_>,
        no_private: bool,
    ) -> Result<Item, Refusal> {
        let Some(NodeEnum::RangeVar(var)) = sample.relation.as_ref().and_then(|r| r.node.as_ref()) else {
            return Err(unsupported("TABLESAMPLE of anything but a table"));
        };
        let method = name_parts(&sample.method).ok_or_else(lost)?;
        if !matches!(
            method.as_slice(),
            ["system" | "bernoulli"] | ["pg_catalog", "system" | "bernoulli"]
        ) {
            return Err(unsupported(&format!("tablesample method {}", method.join("."))));
        }
        // a share that is none raises, and so does no seed
        self.raises = true;
        let empty = Scope::default();
        for argument in sample.args.iter().chain(sample.repeatable.as_deref()) {
            self.expression(argument, &empty)?;
        }
        self.range_var(var, scope, Some(sample), no_private)
    }

    /// The bytes of `TABLESAMPLE method (…) [REPEATABLE (…)]`.
    fn sample_bytes(&self, sample: &RangeTableSample, written: &Written) -> Result<std::ops::Range<usize>, Refusal> {
        let tokens = self.tokens()?;
        let mut i = tokens.at(written.name.start).ok_or_else(lost)?;
        while tokens.kind(i).ok_or_else(lost)? != Token::Tablesample {
            i += 1;
        }
        let start = i;
        while tokens.kind(i).ok_or_else(lost)? != Token::Ascii40 {
            i += 1;
        }
        let mut end = tokens.past_closing(i).ok_or_else(lost)?;
        if sample.repeatable.is_some() {
            if tokens.kind(end) != Some(Token::Repeatable) {
                return Err(lost());
            }
            end = tokens.past_closing(end + 1).ok_or_else(lost)?;
        }
        tokens.bytes(start..end).ok_or_else(lost)
    }

    fn range_subselect(&mut self, sub: &RangeSubselect, scope: &Scope<'_>) -> Result<Item, Refusal> {
        let Some(NodeEnum::SelectStmt(select)) = sub.subquery.as_ref().and_then(|s| s.node.as_ref()) else {
            return Err(lost());
        };
        let first_guard = self.guards.len();
        // common table expressions of this level are visible either way, its items only to LATERAL
        let level = Scope {
            items: if sub.lateral { scope.items.clone() } else { Vec::new() },
            ctes: scope.ctes.clone(),
            parent: scope.parent,
            ..Scope::default()
        };
        let columns = self.query_inside(select, Some(&level))?;
        let columns = columns
            .into_iter()
            .map(|c| Col {
                reach: c.reach.from_outside(),
                home: None,
                within: Vec::new(),
                ..c
            })
            .collect();
        let mut item = self.finish_item(columns, Source::Derived, sub.alias.as_ref(), "", None);
        item.locks = (first_guard..self.guards.len()).collect();
        if sub.alias.is_none() {
            item.name_visible = false;
        }
        Ok(item)
    }

    fn range_function(&mut self, function: &RangeFunction, scope: &Scope<'_>) -> Result<Item, Refusal> {
        let mut columns = Vec::new();
        let mut opaque = false;
        let mut default_name = String::new();
        let single = function.functions.len() == 1;
        for node in &function.functions {
            let Some(NodeEnum::List(list)) = node.node.as_ref() else {
                return Err(lost());
            };
            let call = list.items.first().ok_or_else(lost)?;
            let facts = self.expression(call, scope)?;
            self.note(&facts);
            let label = self.figure_label(call).unwrap_or_default();
            if default_name.is_empty() {
                default_name.clone_from(&label);
            }
            let definitions = list.items.get(1).and_then(|n| match n.node.as_ref() {
                Some(NodeEnum::List(defs)) => Some(defs.items.as_slice()),
                _ => None,
            });
            let definitions = definitions.filter(|d| !d.is_empty()).unwrap_or(&function.coldeflist);
            if definitions.is_empty() {
                let alias = function.alias.as_ref().map(|a| a.aliasname.clone());
                let scalar = if single { alias.unwrap_or(label) } else { label };
                match self.function_columns(call, &scalar, &facts)? {
                    Some(found) => {
                        let reach = facts.reach.of_outer(self.first_own);
                        columns.extend(found.into_iter().map(|c| Col {
                            reach: reach.clone(),
                            ..c
                        }));
                    }
                    None => opaque = true,
                }
            }
            for definition in definitions {
                let Some(NodeEnum::ColumnDef(def)) = definition.node.as_ref() else {
                    return Err(lost());
                };
                let ty = self.type_name(def.type_name.as_ref().ok_or_else(lost)?)?;
                columns.push(Col {
                    name: def.colname.clone(),
                    ty,
                    collation: def.coll_clause.as_ref().map(|_| several_collations()),
                    ..Col::default()
                });
            }
        }
        if function.ordinality {
            columns.push(Col {
                name: "ordinality".to_owned(),
                ty: Some(super::oid::INT8),
                ..Col::default()
            });
        }
        let mut item = self.finish_item(columns, Source::Derived, function.alias.as_ref(), &default_name, None);
        item.opaque = opaque;
        Ok(item)
    }

    /// Applies an alias and its column names.
    pub(super) fn finish_item(
        &self,
        mut columns: Vec<Col>,
        source: Source,
        alias: Option<&Alias>,
        default_name: &str,
        schema: Option<String>,
    ) -> Item {
        if let Some(alias) = alias {
            for (column, name) in columns.iter_mut().zip(&alias.colnames) {
                if let Some(name) = string_of(name) {
                    name.clone_into(&mut column.name);
                    column.sent = None;
                }
            }
        }
        let name = alias.map_or_else(|| default_name.to_owned(), |a| a.aliasname.clone());
        if source != Source::Join || alias.is_some() {
            for column in &mut columns {
                let own = quote_ident(column.sent.as_deref().unwrap_or(&column.name));
                column.computed = column.sent.is_some();
                column.text = if name.is_empty() {
                    own
                } else {
                    format!("{}.{own}", quote_ident(&name))
                };
            }
        }
        let shown = match source {
            Source::Guard(id) | Source::Target(id) => vec![id],
            Source::Relation(_) | Source::Derived | Source::Checked | Source::Join => Vec::new(),
        };
        Item {
            qualifier: name.clone(),
            name,
            schema,
            columns,
            opaque: false,
            name_visible: true,
            columns_visible: true,
            source,
            locks: Vec::new(),
            shown,
            parts: Vec::new(),
        }
    }

    fn join(&mut self, join: &JoinExpr, scope: &Scope<'_>, aliased: bool) -> Result<Vec<Rc<Item>>, Refusal> {
        let aliased = aliased || join.alias.is_some();
        let left = self.read_item(join.larg.as_ref().ok_or_else(lost)?, scope, aliased)?;
        let with_left = Scope {
            items: scope.items.iter().chain(&left).cloned().collect(),
            ctes: scope.ctes.clone(),
            parent: scope.parent,
            ..Scope::default()
        };
        let right = self.read_item(join.rarg.as_ref().ok_or_else(lost)?, &with_left, aliased)?;
        let by_place = join.alias.as_ref().is_some_and(|a| !a.colnames.is_empty());
        let may_hold_check = |item: &Rc<Item>| matches!(item.source, Source::Checked | Source::Join);
        if by_place && self.checks > 0 && left.iter().chain(&right).any(may_hold_check) {
            return Err(unsupported(
                "names for the columns of a join with a WITH query that writes",
            ));
        }
        if join.is_natural || by_place {
            for item in left.iter().chain(&right) {
                self.want_all(&item.columns)?;
            }
        }
        let names = self.merged_names(join, &left, &right)?;
        let columns = self.join_columns(join, &names, &left, &right)?;
        let own = Scope {
            items: left.iter().chain(&right).cloned().collect(),
            ctes: scope.ctes.clone(),
            parent: scope.parent,
            ..Scope::default()
        };
        if let Some(quals) = &join.quals {
            // PostgreSQL joins FULL only by conditions that it can hash or merge: nothing may stand around them
            let full = join.jointype() == JoinType::JoinFull;
            self.condition(quals, &own, if full { Clause::FullOn } else { Clause::On })?;
        }
        let visible = || own.items.iter().filter(|i| i.columns_visible);
        let opaque = visible().any(|i| i.opaque);
        let shown = visible().flat_map(|i| i.shown.iter().copied()).collect();
        let locks = own.items.iter().flat_map(|i| i.locks.iter().copied()).collect();
        let mut item = self.finish_item(columns, Source::Join, join.alias.as_ref(), "", None);
        item.opaque = opaque;
        item.shown = shown;
        item.name_visible = join.alias.is_some();
        if join.alias.is_none() && names.is_empty() {
            item.parts = visible().cloned().collect();
        }
        let mut items: Vec<Rc<Item>> = Vec::new();
        if join.alias.is_none() {
            for inner in left.iter().chain(&right) {
                items.push(Rc::new(Item {
                    columns_visible: false,
                    ..(**inner).clone()
                }));
            }
        } else {
            item.locks = locks;
        }
        if let Some(using) = &join.join_using_alias {
            let merged = item.columns.iter().take(names.len()).cloned().collect();
            let mut alias = self.finish_item(merged, Source::Derived, Some(using), "", None);
            alias.columns_visible = false;
            items.push(Rc::new(alias));
        }
        items.push(Rc::new(item));
        Ok(items)
    }

    /// The names that USING or NATURAL merge.
    fn merged_names(&self, join: &JoinExpr, left: &[Rc<Item>], right: &[Rc<Item>]) -> Result<Vec<String>, Refusal> {
        if !join.is_natural {
            return join
                .using_clause
                .iter()
                .map(|n| string_of(n).map(str::to_owned).ok_or_else(lost))
                .collect();
        }
        let visible = |items: &[Rc<Item>]| -> Result<Vec<String>, Refusal> {
            if items.iter().any(|i| i.opaque && i.columns_visible) {
                return Err(unsupported("NATURAL JOIN with a function whose columns are not known"));
            }
            let visible = items.iter().filter(|i| i.columns_visible);
            Ok(visible.flat_map(|i| i.columns.iter().map(|c| c.name.clone())).collect())
        };
        let others = visible(right)?;
        Ok(visible(left)?.into_iter().filter(|n| others.contains(n)).collect())
    }

    /// The columns of a join in PostgreSQL's order: merged ones, the left's others, the right's others.
    fn join_columns(
        &mut self,
        join: &JoinExpr,
        names: &[String],
        left: &[Rc<Item>],
        right: &[Rc<Item>],
    ) -> Result<Vec<Col>, Refusal> {
        let of = |items: &[Rc<Item>]| -> Vec<Col> {
            items
                .iter()
                .filter(|i| i.columns_visible)
                .flat_map(|i| i.columns.iter().cloned())
                .collect()
        };
        let (lefts, rights) = (of(left), of(right));
        let mut columns = Vec::new();
        for name in names {
            // all of that name: PostgreSQL reports it where one side has two
            for home in lefts
                .iter()
                .chain(&rights)
                .filter(|c| &c.name == name)
                .filter_map(|c| c.home)
            {
                self.used.insert(home);
                self.named.insert(home);
            }
            let (Some(l), Some(r)) = (
                lefts.iter().find(|c| &c.name == name),
                rights.iter().find(|c| &c.name == name),
            ) else {
                // PostgreSQL reports it: a column of USING that one side lacks
                continue;
            };
            self.merge_operator(l, r)?;
            columns.push(self.merged(join.jointype(), l, r));
        }
        for column in lefts.into_iter().chain(rights) {
            if !names.contains(&column.name) {
                columns.push(column);
            }
        }
        Ok(columns)
    }

    /// The column that USING or NATURAL makes of two (`buildMergedJoinVar` in parse_clause.c): one of them as it is
    /// where it has the common type and modifier already, else an expression.
    fn merged(&self, kind: JoinType, l: &Col, r: &Col) -> Col {
        let mut reach: Reach = l.reach.clone();
        reach.merge(&r.reach);
        let common = self.common_type(l.ty, r.ty);
        let typmod = if l.ty == r.ty && l.typmod == r.typmod {
            l.typmod
        } else {
            -1
        };
        let is_plain = |c: &Col| common.is_some() && c.ty == common && c.typmod == typmod;
        let plain = match kind {
            JoinType::JoinFull => None,
            JoinType::JoinRight => Some(r).filter(|c| is_plain(c)),
            JoinType::JoinLeft => Some(l).filter(|c| is_plain(c)),
            _ => [l, r].into_iter().find(|c| is_plain(c)),
        };
        let (side, other) = if kind == JoinType::JoinRight { (r, l) } else { (l, r) };
        let home = plain.and_then(|c| c.home);
        // a coerced side still is that side's column, and which side it is may hang on what is not known here
        let of = |c: &Col| c.home.into_iter().chain(c.within.iter().copied()).collect::<Vec<_>>();
        let within = [of(l), of(r)]
            .concat()
            .into_iter()
            .filter(|h| Some(*h) != home)
            .collect();
        Col {
            name: l.name.clone(),
            // where one side is NULL so is the other, but in FULL: what COALESCE gives is the merged column
            text: plain.map_or_else(
                || format!("COALESCE({}, {})", side.reference(), other.reference()),
                Col::reference,
            ),
            typmod,
            ty: if l.ty == r.ty { l.ty } else { None },
            collation: match plain {
                Some(column) => column.collation.clone(),
                None => either_collation(l.collation.as_ref(), r.collation.as_ref()),
            },
            distant: l.distant || r.distant,
            edge: l.edge || r.edge,
            origin: plain.and_then(|c| c.origin),
            origin_lost: plain.is_some_and(|c| c.origin_lost),
            reach,
            home,
            within,
            computed: plain.is_none_or(|c| c.computed),
            merged: true,
            sent: None,
        }
    }
}
