//! Function calls: which function a name means, whether this person may call it, and whether it is total.

use super::facts::Facts;
use super::scope::{Col, GuardId, Scope, Source};
use super::{Analysis, lost, name_parts, oid};
use crate::catalog::{Function, FunctionKind, Oid, TypeKind, Volatility};
use crate::name::{QualifiedName, quote_literal};
use crate::refusal::{Refusal, SqlState};
use crate::sql::census::census_of_call;
use crate::sql::lists::{self, ArgumentCheck, FunctionRule, Setting, Totality};
use crate::sql::raise::Raise;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{CoercionForm, FuncCall, Node, SortBy, WindowDef};
use std::sync::Arc;

/// Does an aggregate belong to this level? PostgreSQL gives it to the innermost level whose columns it takes, and to
/// its own where it takes none. One that holds a subquery is not told apart, and counts as none.
fn belongs_here(call: &FuncCall, scope: &Scope<'_>) -> bool {
    let inside = census_of_call(call);
    inside.queries == 0 && (inside.columns.is_empty() || scope.names_own_column(&inside))
}

/// A window frame by values (`FRAMEOPTION_RANGE` in parsenodes.h).
const FRAMEOPTION_RANGE: i32 = 0x0002;

/// Is it a parameter, or one cast to text?
fn is_text_parameter(argument: &Node) -> bool {
    match argument.node.as_ref() {
        Some(NodeEnum::ParamRef(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => {
            let names = cast.type_name.as_ref().and_then(|ty| name_parts(&ty.names));
            matches!(names.as_deref(), Some(["text"] | ["pg_catalog", "text"]))
                && cast.arg.as_deref().is_some_and(is_text_parameter)
        }
        Some(_) | None => false,
    }
}

/// Where a function name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In `pg_catalog` or `information_schema`, on the reviewed list.
    Builtin,
    /// In another schema, named by the policy.
    Named,
}

impl Analysis<'_> {
    /// Reads a function call with all its clauses.
    pub fn call(&mut self, call: &FuncCall, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let names = name_parts(&call.funcname).ok_or_else(lost)?;
        let name = *names.last().ok_or_else(lost)?;
        if let Some(facts) = self.field_notation(call, &names, scope)? {
            return Ok(facts);
        }
        let candidates = self.candidates(&names);
        let is_aggregate = call.over.is_none() && candidates.iter().any(|f| f.kind == FunctionKind::Aggregate);
        let aggregate = is_aggregate && belongs_here(call, scope);
        self.stray_aggregate |= is_aggregate && !aggregate;
        // what an aggregate takes in needs no grouping
        let used = aggregate.then(|| self.used.clone());
        let mut arguments = Vec::new();
        for argument in &call.args {
            arguments.push(self.expression(argument, scope)?);
        }
        let mut facts = Facts::default();
        for argument in &arguments {
            facts.absorb(argument);
            if call.agg_distinct {
                let mut key = argument.clone();
                self.require_comparable(&mut key, "DISTINCT");
                facts.absorb(&key);
            }
        }
        let order = self.all(&call.agg_order, scope)?;
        facts.absorb(&order);
        let types: Vec<Option<Oid>> = if call.agg_within_group {
            let direct = arguments.iter().map(|a| a.ty);
            direct.chain(call.agg_order.iter().map(|_| None)).collect()
        } else {
            arguments.iter().map(|a| if a.untyped { None } else { a.ty }).collect()
        };
        let place = self.function_allowed(&names, &types, call.location)?;
        self.constant_terms(name, place, &arguments, call)?;
        self.qualify_call(call, &names, &types)?;
        if let Some(filter) = call.agg_filter.as_deref() {
            let filter = self.expression(filter, scope)?;
            facts.absorb(&filter);
        }
        if let Some(mut used) = used {
            // a column of a level around is that level's to group
            let own = |g: GuardId| {
                scope
                    .items
                    .iter()
                    .any(|i| matches!(i.source, Source::Guard(id) | Source::Target(id) if id == g))
            };
            used.extend(self.used.iter().filter(|(guard, _)| !own(*guard)));
            self.used = used;
        }
        if let Some(window) = &call.over {
            let window = self.window(window, scope)?;
            facts.absorb(&window);
            facts.window = true;
        }
        facts.aggregate |= aggregate;
        facts.set_returning |= candidates.iter().any(|f| f.returns_set);
        facts.ty = self.result_of(&candidates, &types);
        let known: Vec<Option<Oid>> = arguments
            .iter()
            .map(|a| {
                if a.untyped {
                    Some(lists::UNKNOWN)
                } else {
                    a.ty.map(|t| self.list_type(t))
                }
            })
            .collect();
        let texts: Vec<Option<String>> = arguments
            .iter()
            .map(|a| a.literal.clone().or_else(|| a.integer.map(|i| i.to_string())))
            .collect();
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        facts.volatile |= place == Place::Named || candidates.iter().any(|f| f.volatility == Volatility::Volatile);
        let is_named = |n: &Node| matches!(n.node.as_ref(), Some(NodeEnum::NamedArgExpr(_)));
        // at the end of its range a moment has no other time zone and no beginning of its month
        let of_moments = !is_aggregate && known.iter().flatten().any(|&ty| lists::is_moment(ty));
        let too_far = of_moments && facts.distant;
        let total = place == Place::Builtin
            && !call.func_variadic
            // how often it runs tells how many rows there are
            && !facts.volatile
            // by name arguments may stand in another order
            && !call.args.iter().any(is_named)
            && !too_far
            && facts.collates()
            && match lists::totality(name, &known) {
                Totality::Total => true,
                Totality::ShortOfTheEdge => facts.may_meet_the_edge(),
                Totality::Growing => facts.may_grow(),
                Totality::WithConstant(check) => {
                    check.accepts(&texts)
                        && (!matches!(check, ArgumentCheck::Scale) || facts.may_grow())
                        && (!check.meets_the_edge(&known) || facts.may_meet_the_edge())
                }
                Totality::No => self.is_leakproof(&candidates, &types) && (!of_moments || facts.may_meet_the_edge()),
            };
        facts.now = place == Place::Builtin
            && (name == "now" || (name == "date_trunc" && arguments.get(1).is_some_and(|a| a.now)));
        if !total {
            facts.not_total(|| format!("function {name}"));
        }
        Ok(facts)
    }

    /// `phone(c)` reads a field of a row where no function of that name is meant.
    fn field_notation(&mut self, call: &FuncCall, names: &[&str], scope: &Scope<'_>) -> Result<Option<Facts>, Refusal> {
        let ([name], [argument]) = (names, call.args.as_slice()) else {
            return Ok(None);
        };
        let Some(NodeEnum::ColumnRef(reference)) = argument.node.as_ref() else {
            return Ok(None);
        };
        let [field] = reference.fields.as_slice() else {
            return Ok(None);
        };
        let Some(alias) = super::string_of(field) else {
            return Ok(None);
        };
        if scope.column(alias).is_some() || self.candidates(names).iter().any(|f| self.takes_row(f)) {
            return Ok(None);
        }
        let Some(Ok(item)) = scope.item(None, alias) else {
            return Ok(None);
        };
        let Some(column) = item.columns.iter().find(|c| c.name == *name).cloned() else {
            return Ok(None);
        };
        if let Source::Target(_) = item.source {
            let tokens = self.tokens()?;
            let first = tokens.at_location(call.location).ok_or_else(lost)?;
            let end = tokens.past_closing(first + 1).ok_or_else(lost)?;
            let bytes = tokens.bytes(first..end).ok_or_else(lost)?;
            let splices = &mut self.unit_mut()?.splices;
            splices.replace(bytes, column.text.clone(), SpliceKind::Column);
            self.renames += 1;
        }
        Ok(Some(self.column_facts(&column)))
    }

    /// Could a function take a whole row as its one argument?
    fn takes_row(&self, function: &Function) -> bool {
        let row_like = |oid: &Oid| {
            self.world
                .catalog
                .types
                .get(oid)
                .is_none_or(|t| matches!(t.kind, TypeKind::Pseudo | TypeKind::Composite))
        };
        function.variadic || (function.arguments.len() == 1 && function.arguments.iter().all(row_like))
    }

    /// Every function that a name can mean here.
    fn candidates(&self, names: &[&str]) -> Vec<Arc<Function>> {
        let (schema, name) = match names {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            [_, schema, name] => (Some(*schema), *name),
            _ => return Vec::new(),
        };
        let path = self.unit().map(|u| u.search_path.as_slice()).unwrap_or_default();
        let in_sight = |f: &&Arc<Function>| match schema {
            Some(schema) => f.name.schema == schema,
            None => f.name.schema == "pg_catalog" || path.contains(&f.name.schema),
        };
        self.world
            .catalog
            .functions
            .get(name)
            .into_iter()
            .flatten()
            .filter(in_sight)
            .cloned()
            .collect()
    }

    /// May this person call what the name means? Every function that it could mean must be allowed, but where a
    /// built-in one fits the arguments exactly.
    pub fn function_allowed(&mut self, names: &[&str], types: &[Option<Oid>], at: i32) -> Result<Place, Refusal> {
        let name = *names.last().ok_or_else(lost)?;
        if names.len() == 3 && names.first() != Some(&self.world.catalog.database.as_str()) {
            return Err(super::unsupported("a function of another database"));
        }
        let candidates = self.candidates(names);
        let builtin = |schema: &str| matches!(schema, "pg_catalog" | "information_schema");
        let home = candidates.iter().find(|f| builtin(&f.name.schema));
        let Some(first) = candidates.first() else {
            let shown = names.join(".");
            return Err(self.place(
                Refusal::new(
                    "no-function",
                    SqlState::UndefinedFunction,
                    format!("function {shown} does not exist"),
                ),
                at,
            ));
        };
        if let Some(home) = home {
            return self.builtin_allowed(&home.name.schema, name, types.len(), at);
        }
        match candidates.iter().find(|f| !self.rights.functions.contains(&f.name)) {
            None => {
                self.leaves.unknown = true;
                Ok(Place::Named)
            }
            Some(_) => Err(self.refuse_function(&first.name.to_string(), at)),
        }
    }

    fn builtin_allowed(&mut self, schema: &str, name: &str, arguments: usize, at: i32) -> Result<Place, Refusal> {
        let full = QualifiedName::new(schema, name);
        let allowed = match lists::function(schema, name, arguments) {
            FunctionRule::Allowed | FunctionRule::CurrentSetting | FunctionRule::SetConfig => true,
            FunctionRule::Sleep => self.rights.sleep,
            FunctionRule::Named => self.rights.functions.contains(&full),
            FunctionRule::Refused => self.unit != 0 && self.rights.functions.contains(&full),
        };
        if allowed {
            self.leaves.bound.extend(lists::binds(name));
            Ok(Place::Builtin)
        } else {
            Err(self.refuse_function(name, at))
        }
    }

    fn refuse_function(&self, name: &str, at: i32) -> Refusal {
        self.place(
            Refusal::forbidden("function-not-allowed", format!("permission denied for function {name}")).hint(format!(
                "Ask the administrator of rowgate to name {name} among your role's functions."
            )),
            at,
        )
    }

    /// `current_setting` and `set_config` depend on what they name.
    fn constant_terms(
        &mut self,
        name: &str,
        place: Place,
        arguments: &[Facts],
        call: &FuncCall,
    ) -> Result<(), Refusal> {
        let at = call.location;
        if place != Place::Builtin {
            return Ok(());
        }
        match lists::function("pg_catalog", name, arguments.len()) {
            FunctionRule::CurrentSetting => {
                let setting = arguments.first().and_then(|a| a.literal.as_deref());
                if setting.is_some_and(lists::setting_is_readable)
                    || arguments.first().is_some_and(|a| self.names_setting(a))
                {
                    return Ok(());
                }
                if self.unit == 0 && call.args.first().is_some_and(is_text_parameter) {
                    return self.readable_setting(name, at);
                }
                Err(self.refuse_function(name, at))
            }
            FunctionRule::SetConfig => {
                let setting = arguments.first().and_then(|a| a.literal.as_deref());
                // a column's value could be that of a hidden row, and would be read back by SHOW
                self.leaves.settings = true;
                let of_no_row = arguments.get(1).is_some_and(|a| !a.columns && a.reach.is_empty());
                if of_no_row && setting.is_some_and(|s| matches!(lists::setting(s), Setting::Allowed)) {
                    return Ok(());
                }
                Err(self.refuse_function(name, at))
            }
            FunctionRule::Allowed | FunctionRule::Sleep | FunctionRule::Named | FunctionRule::Refused => Ok(()),
        }
    }

    /// The setting that a parameter names is read if it may be, and otherwise the call fails.
    fn readable_setting(&mut self, name: &str, at: i32) -> Result<(), Refusal> {
        let tokens = self.tokens()?;
        let first = tokens.at_location(at).ok_or_else(lost)?;
        let value = tokens.name_end(first) + 1;
        let bytes = tokens.bytes(value..tokens.item_end(value)).ok_or_else(lost)?;
        let given = format!("({})::pg_catalog.text", tokens.slice(bytes.clone()));
        let raise = Raise::Function {
            function: name.to_owned(),
        };
        let opening = format!(
            "CASE WHEN ({given} IS NULL OR (pg_catalog.strpos({given}, '.'::pg_catalog.text) OPERATOR(pg_catalog.=) 0 \
             AND pg_catalog.lower({given} COLLATE \"pg_catalog\".\"C\") OPERATOR(pg_catalog.<>) ALL ({}::pg_catalog.text[]))) \
             THEN (",
            quote_literal(&format!("{{{}}}", lists::unreadable_settings().join(",")))
        );
        let splices = &mut self.unit_mut()?.splices;
        splices.insert(bytes.start, opening, SpliceKind::Setting);
        let closing = format!(")::pg_catalog.text ELSE {} END", raise.sql());
        splices.insert(bytes.end, closing, SpliceKind::Setting);
        Ok(())
    }

    /// Is it the name of a setting as `pg_settings` lists it, beside its value?
    fn names_setting(&self, argument: &Facts) -> bool {
        let listed = self
            .world
            .catalog
            .relation(&QualifiedName::new("pg_catalog", "pg_settings"));
        argument
            .origin
            .is_some_and(|o| o.column == 1 && listed.is_some_and(|r| r.oid == o.table))
    }

    /// A built-in name that a function of another schema on the path shares gets its schema, so that no later
    /// `search_path` and no better-fitting overload is called instead of what was judged.
    fn qualify_call(&mut self, call: &FuncCall, names: &[&str], _types: &[Option<Oid>]) -> Result<(), Refusal> {
        let [name] = names else { return Ok(()) };
        let all = self
            .world
            .catalog
            .functions
            .get(*name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let shared = all
            .iter()
            .any(|f| f.name.schema != "pg_catalog" && f.name.schema != "information_schema");
        if !shared || call.funcformat() == CoercionForm::CoerceSqlSyntax {
            return Ok(());
        }
        let schema = match self.candidates(names).iter().find(|f| f.name.schema == "pg_catalog") {
            Some(_) => "pg_catalog".to_owned(),
            None => self
                .candidates(names)
                .first()
                .map(|f| f.name.schema.clone())
                .ok_or_else(lost)?,
        };
        let tokens = self.tokens()?;
        let at = tokens
            .at_location(call.location)
            .and_then(|i| tokens.get(i))
            .ok_or_else(lost)?;
        let text = format!(
            "{}.{}",
            crate::name::quote_ident(&schema),
            crate::name::quote_ident(name)
        );
        self.unit_mut()?
            .splices
            .replace(at.start..at.end, text, SpliceKind::Qualifier);
        Ok(())
    }

    fn result_of(&self, candidates: &[Arc<Function>], types: &[Option<Oid>]) -> Option<Oid> {
        let fits = |f: &Function, takes: &dyn Fn(Oid, Oid) -> bool| {
            f.variadic
                || (f.arguments.len() >= types.len()
                    && f.arguments.len() - usize::from(f.defaults) <= types.len()
                    && f.arguments
                        .iter()
                        .zip(types)
                        .all(|(want, have)| have.is_none_or(|h| takes(h, *want))))
        };
        // where no overload takes the types as they are, the one with text for every kind of string is preferred
        let exactly = |have: Oid, want: Oid| have == want;
        let as_text = |have: Oid, want: Oid| {
            let have = self.list_type(have);
            have == want || (want == oid::TEXT && matches!(have, oid::VARCHAR | oid::BPCHAR | oid::NAME))
        };
        let any = candidates.iter().any(|f| fits(f, &exactly));
        let takes: &dyn Fn(Oid, Oid) -> bool = if any { &exactly } else { &as_text };
        let mut results = candidates.iter().filter(|f| fits(f, takes)).map(|f| f.result);
        let first = results.next().or_else(|| {
            let mut any = candidates.iter().map(|f| f.result);
            let first = any.next()?;
            any.all(|r| r == first).then_some(first)
        })?;
        if !results.all(|r| r == first) {
            return None;
        }
        let polymorphic = self
            .world
            .catalog
            .types
            .get(&first)
            .is_none_or(|t| t.kind == TypeKind::Pseudo);
        (!polymorphic).then_some(first)
    }

    fn is_leakproof(&self, candidates: &[Arc<Function>], types: &[Option<Oid>]) -> bool {
        let exact = |f: &&Arc<Function>| f.arguments.iter().map(|a| Some(*a)).eq(types.iter().copied());
        !types.is_empty()
            && candidates
                .iter()
                .find(exact)
                .is_some_and(|f| f.leakproof && f.name.schema == "pg_catalog")
    }

    /// Is a name an aggregate's?
    pub fn is_aggregate(&self, name: &str) -> bool {
        self.candidates(&[name])
            .iter()
            .any(|f| f.kind == FunctionKind::Aggregate)
    }

    /// The columns that a function in FROM yields; `None` where they are not known.
    pub fn function_columns(&self, call: &Node, scalar: &str, facts: &Facts) -> Result<Option<Vec<Col>>, Refusal> {
        let column = |name: &str, ty: Option<Oid>| Col {
            name: name.to_owned(),
            ty,
            collation: facts.collation(),
            ..Col::default()
        };
        // a field's own collation is not known here
        let field = |name: &str, ty: Option<Oid>| Col {
            name: name.to_owned(),
            ty,
            ..Col::default()
        };
        let Some(NodeEnum::FuncCall(call)) = call.node.as_ref() else {
            return Ok(Some(vec![column(scalar, facts.ty)]));
        };
        let names = name_parts(&call.funcname).ok_or_else(lost)?;
        let candidates: Vec<_> = self.candidates(&names);
        let fitting: Vec<_> = candidates
            .iter()
            .filter(|f| {
                f.variadic
                    || (f.arguments.len() >= call.args.len()
                        && f.arguments.len() - usize::from(f.defaults) <= call.args.len())
            })
            .collect();
        if names.last() == Some(&"unnest") {
            match call.args.as_slice() {
                [_] if facts.ty == Some(oid::RECORD) => {}
                [_] => return Ok(Some(vec![column(scalar, facts.ty)])),
                several => return Ok(Some(several.iter().map(|_| column("unnest", None)).collect())),
            }
        }
        let Some(first) = fitting.first() else { return Ok(None) };
        if fitting.iter().any(|f| f.out_names != first.out_names) {
            return Ok(None);
        }
        if first.out_names.len() > 1 {
            let columns = first
                .out_names
                .iter()
                .zip(&first.out_types)
                .map(|(n, t)| column(n, Some(*t)));
            return Ok(Some(columns.collect()));
        }
        if let ([name], [ty]) = (first.out_names.as_slice(), first.out_types.as_slice()) {
            return Ok(Some(vec![column(name, Some(*ty))]));
        }
        let ty = self.world.catalog.types.get(&first.result);
        match ty.map(|t| t.kind) {
            Some(TypeKind::Composite) => {
                let relation = ty.and_then(|t| self.world.catalog.relations.get(&t.relation));
                Ok(relation.map(|r| r.columns.iter().map(|c| field(&c.name, Some(c.type_oid))).collect()))
            }
            Some(TypeKind::Pseudo) if first.result == oid::RECORD => Ok(None),
            Some(_) | None => Ok(Some(vec![column(scalar, facts.ty)])),
        }
    }

    /// Reads ORDER BY's or an aggregate's sort key.
    pub fn sort_by(&mut self, sort: &SortBy, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        if !sort.use_op.is_empty() {
            let names = name_parts(&sort.use_op).ok_or_else(lost)?;
            if !matches!(
                names.as_slice(),
                ["<" | ">" | "<=" | ">="] | ["pg_catalog", "<" | ">" | "<=" | ">="]
            ) {
                return Err(super::unsupported("ORDER BY … USING this operator"));
            }
        }
        let mut facts = self.expression(sort.node.as_deref().ok_or_else(lost)?, scope)?;
        self.require_comparable(&mut facts, "ORDER BY");
        Ok(facts)
    }

    /// Reads a window definition.
    pub fn window(&mut self, window: &WindowDef, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let mut facts = Facts::default();
        for key in &window.partition_clause {
            let mut key = self.expression(key, scope)?;
            self.require_comparable(&mut key, "PARTITION BY");
            facts.absorb(&key);
        }
        facts.absorb(&self.all(&window.order_clause, scope)?);
        for offset in [window.start_offset.as_deref(), window.end_offset.as_deref()]
            .into_iter()
            .flatten()
        {
            let offset = self.expression(offset, scope)?;
            facts.absorb(&offset);
            // a negative offset raises, and one of a range where it leads past the end of the type
            if window.frame_options & FRAMEOPTION_RANGE != 0 || !offset.is_count() {
                facts.not_total(|| "a window frame".to_owned());
            }
        }
        Ok(facts)
    }
}
