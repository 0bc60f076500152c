//! Expressions of a wanted type over the columns in scope.

use super::{Avail, Env, Gen, ident, literal};
use crate::schema::Ty;

impl Gen<'_> {
    /// A column of this type in scope, in one of its spellings; `None` where there is none.
    pub fn column(&mut self, ty: &Ty, env: &Env) -> Option<(String, Avail)> {
        let near: Vec<&Avail> = env.items.iter().filter(|a| a.ty == *ty).collect();
        let far: Vec<&Avail> = env.outer.iter().filter(|a| a.ty == *ty).collect();
        let outer = !far.is_empty() && (near.is_empty() || self.tape.chance(12));
        let from = if outer { &far } else { &near };
        if from.is_empty() {
            return None;
        }
        let avail = from[self.tape.below(from.len())].clone();
        let bare_ok = !outer
            || (env.items.iter().all(|i| i.name != avail.name)
                && env.rows.iter().all(|r| r.columns.iter().all(|c| c.0 != avail.name)));
        let form = if outer && bare_ok && self.tape.chance(30) && self.only_outer(env, &avail) {
            ident(&avail.name)
        } else {
            avail.forms[self.tape.below(avail.forms.len())].clone()
        };
        Some((form, avail))
    }

    fn only_outer(&self, env: &Env, avail: &Avail) -> bool {
        env.outer.iter().filter(|o| o.name == avail.name).count() == 1
            && avail
                .forms
                .iter()
                .any(|f| f.ends_with(&format!(".{}", ident(&avail.name))))
    }

    /// Any column in scope.
    pub fn any_column(&mut self, env: &Env) -> Option<(String, Avail)> {
        if env.items.is_empty() {
            return None;
        }
        let avail = env.items[self.tape.below(env.items.len())].clone();
        let form = avail.forms[self.tape.below(avail.forms.len())].clone();
        Some((form, avail))
    }

    /// A constant of the type, from the column's own values (hidden ones too) where one is given.
    pub fn value(&mut self, ty: &Ty, like: Option<&Avail>) -> String {
        if let Some(avail) = like {
            let samples: Vec<&String> = avail.samples.iter().filter(|s| s.len() < 60).collect();
            if !samples.is_empty() && self.tape.chance(85) {
                let text = samples[self.tape.below(samples.len())].clone();
                return self.constant(&text, ty);
            }
        }
        let text = match ty {
            Ty::Int | Ty::Big => self.tape.below(40).to_string(),
            Ty::Num => format!("{}.5", self.tape.below(2000)),
            Ty::Text => (*self.tape.pick(&["a", "", "qz", "上海", "o'x", "A\\b", "%"])).to_owned(),
            Ty::Bool => (*self.tape.pick(&["true", "false"])).to_owned(),
            Ty::Date => format!("2024-0{}-15", 1 + self.tape.below(9)),
            Ty::Stamp => format!("2024-0{}-15 10:00:00+00", 1 + self.tape.below(9)),
            Ty::Jsonb | Ty::Json => r#"{"a": 1}"#.to_owned(),
            Ty::TextArr => "{a,b}".to_owned(),
            Ty::IntArr => "{1,2}".to_owned(),
            Ty::Interval => "1 day".to_owned(),
            Ty::Enum(_) | Ty::Row | Ty::Other(_) => return format!("NULL::{}", ty.sql()),
        };
        self.constant(&text, ty)
    }

    /// An expression of the type.
    pub fn expr(&mut self, ty: &Ty, env: &Env, depth: usize) -> String {
        let leaf = depth == 0 || self.tape.chance(45);
        if leaf || matches!(ty, Ty::Other(_) | Ty::Row) {
            if let Some((sql, _)) = self.column(ty, env) {
                return sql;
            }
            if depth == 0 || matches!(ty, Ty::Other(_) | Ty::Row) {
                return self.value(ty, None);
            }
        }
        if env.inside.is_some() && self.tape.chance(55) {
            return self.aggregate(ty, env, depth - 1);
        }
        match self.tape.weighted(&[50, 10, 8, 6]) {
            0 => self.by_type(ty, env, depth - 1),
            1 => {
                let (a, b) = (self.expr(ty, env, depth - 1), self.expr(ty, env, depth - 1));
                let p = self.predicate(env, depth - 1);
                if self.tape.chance(50) {
                    format!("CASE WHEN {p} THEN {a} ELSE {b} END")
                } else {
                    format!("coalesce({a}, {b})")
                }
            }
            2 => self.scalar_subquery(ty, env, depth - 1),
            _ => match self.field_of_row(ty, env) {
                Some(sql) => sql,
                None => self.by_type(ty, env, depth - 1),
            },
        }
    }

    /// `(c).name`, `name(c)`: a field reached through the whole row.
    fn field_of_row(&mut self, ty: &Ty, env: &Env) -> Option<String> {
        let mut found = Vec::new();
        for r in env.rows.iter().filter(|r| r.is_relation) {
            for (name, t) in &r.columns {
                if t == ty {
                    found.push((r.alias.clone(), name.clone()));
                }
            }
        }
        if found.is_empty() {
            return None;
        }
        let (alias, name) = found[self.tape.below(found.len())].clone();
        let name = ident(&name);
        Some(match self.tape.weighted(&[6, 3]) {
            0 => format!("({alias}).{name}"),
            _ => format!("{name}({alias})"),
        })
    }

    fn by_type(&mut self, ty: &Ty, env: &Env, depth: usize) -> String {
        match ty {
            Ty::Int => self.int(env, depth),
            Ty::Text => self.text(env, depth),
            Ty::Num => self.number(env, depth),
            Ty::Bool => format!("({})", self.predicate(env, depth)),
            Ty::Big => match self.tape.below(3) {
                0 => format!("{}::int8", self.expr(&Ty::Int, env, depth)),
                1 => format!("({} + 1::int8)", self.expr(&Ty::Int, env, depth)),
                _ => format!("hashtext({})::int8", self.expr(&Ty::Text, env, depth)),
            },
            Ty::Date => match self.tape.below(3) {
                0 => format!("({} + {})", self.expr(&Ty::Date, env, depth), self.tape.below(30)),
                1 => format!("{}::date", self.expr(&Ty::Stamp, env, depth)),
                _ => format!("greatest({}, DATE '2024-03-01')", self.expr(&Ty::Date, env, depth)),
            },
            Ty::Stamp => match self.tape.below(3) {
                0 => {
                    let unit = *self.tape.pick(&["month", "year", "day", "quarter", "hour"]);
                    format!("date_trunc('{unit}', {})", self.expr(&Ty::Stamp, env, depth))
                }
                1 => format!("({} + interval '1 day')", self.expr(&Ty::Stamp, env, depth)),
                _ => format!("{}::timestamptz", self.expr(&Ty::Date, env, depth)),
            },
            Ty::Jsonb if self.whole.version >= 17 && self.tape.chance(25) => {
                let of = self.expr(&Ty::Jsonb, env, depth);
                match self.tape.below(3) {
                    0 => format!("JSON_QUERY({of}, '$.risk')"),
                    1 => format!("JSON_OBJECT('a': {of}, 'b': 1 RETURNING jsonb)"),
                    _ => format!("JSON_ARRAY({of}, 'x' RETURNING jsonb)"),
                }
            }
            Ty::Jsonb => match self.tape.below(4) {
                0 => format!("to_jsonb({})", self.expr(&Ty::Text, env, depth)),
                1 => {
                    let (a, b) = (self.expr(&Ty::Int, env, depth), self.expr(&Ty::Text, env, depth));
                    format!("jsonb_build_object('n', {a}, 't', {b})")
                }
                2 if !env.rows.is_empty() => {
                    let r = self.tape.below(env.rows.len());
                    format!("to_jsonb({})", env.rows[r].alias)
                }
                _ => format!("({} -> 'a')", self.expr(&Ty::Jsonb, env, depth)),
            },
            Ty::TextArr => match self.tape.below(3) {
                0 => format!("ARRAY[{}]", self.expr(&Ty::Text, env, depth)),
                1 => format!("string_to_array({}, ' ')", self.expr(&Ty::Text, env, depth)),
                _ => format!("array_append({}, 'x')", self.expr(&Ty::TextArr, env, depth)),
            },
            Ty::IntArr => format!("ARRAY[{}, 1]", self.expr(&Ty::Int, env, depth)),
            Ty::Json => format!("to_json({})", self.expr(&Ty::Text, env, depth)),
            Ty::Interval => "interval '2 days'".to_owned(),
            Ty::Enum(_) | Ty::Row | Ty::Other(_) => match self.column(ty, env) {
                Some((sql, _)) => sql,
                None => self.value(ty, None),
            },
        }
    }

    fn int(&mut self, env: &Env, depth: usize) -> String {
        match self.tape.below(9) {
            0 => format!("length({})", self.expr(&Ty::Text, env, depth)),
            1 => format!("({} + {})", self.expr(&Ty::Int, env, depth), self.tape.below(9)),
            2 => format!("({} % 7)", self.expr(&Ty::Int, env, depth)),
            3 => format!("extract(month from {})::int", self.expr(&Ty::Date, env, depth)),
            4 => format!("cardinality({})", self.expr(&Ty::TextArr, env, depth)),
            5 => format!("-{}", self.expr(&Ty::Int, env, 0)).replace("--", "- -"),
            6 => {
                let (a, b) = (self.expr(&Ty::Int, env, depth), self.expr(&Ty::Int, env, depth));
                format!("least({a}, {b})")
            }
            7 => format!("strpos({}, '1')", self.expr(&Ty::Text, env, depth)),
            _ => {
                let a = self.expr(&Ty::Int, env, depth);
                format!("nullif({a}, {})", self.tape.below(20))
            }
        }
    }

    fn text(&mut self, env: &Env, depth: usize) -> String {
        match self.tape.below(16) {
            0 => format!("lower({})", self.expr(&Ty::Text, env, depth)),
            1 => format!("upper({})", self.expr(&Ty::Text, env, depth)),
            2 => {
                let (a, b) = (self.expr(&Ty::Text, env, depth), self.expr(&Ty::Text, env, depth));
                format!("({a} || '-' || {b})")
            }
            3 => format!("left({}, {})", self.expr(&Ty::Text, env, depth), 1 + self.tape.below(6)),
            4 => format!("substr({}, 2, 5)", self.expr(&Ty::Text, env, depth)),
            5 => format!("({})::text", self.expr(&Ty::Int, env, depth)),
            6 => format!("replace({}, 'a', 'b')", self.expr(&Ty::Text, env, depth)),
            7 => match env.items.iter().position(|a| matches!(a.ty, Ty::Enum(_))) {
                Some(at) => format!("{}::text", env.items[at].forms[0]),
                None => format!("md5({})", self.expr(&Ty::Text, env, depth)),
            },
            8 => format!("to_char({}, 'YYYY-MM')", self.expr(&Ty::Date, env, depth)),
            9 => format!("array_to_string({}, ',')", self.expr(&Ty::TextArr, env, depth)),
            10 => format!("({} ->> 'a')", self.expr(&Ty::Jsonb, env, depth)),
            11 if !env.rows.is_empty() => {
                let r = self.tape.below(env.rows.len());
                self.row_as_text(&env.rows[r].clone())
            }
            12 => format!(
                "concat_ws('/', {}, {})",
                self.expr(&Ty::Text, env, depth),
                self.expr(&Ty::Int, env, depth)
            ),
            13 => format!("CAST({} AS varchar(8))", self.expr(&Ty::Text, env, depth)),
            14 => format!("{}::text", self.expr(&Ty::Num, env, depth)),
            _ => format!("split_part({}, ' ', 1)", self.expr(&Ty::Text, env, depth)),
        }
    }

    /// A whole row turned into text, one way or another.
    pub fn row_as_text(&mut self, row: &super::RowRef) -> String {
        let a = &row.alias;
        if self.whole.version >= 17 && self.tape.chance(20) {
            return match self.tape.below(3) {
                0 => format!("JSON_SERIALIZE(JSON_OBJECT('r': {a}))"),
                1 => format!("JSON_QUERY(to_jsonb({a}), '$.*' WITH WRAPPER)::text"),
                _ => format!("JSON_ARRAY({a} RETURNING text)"),
            };
        }
        match self.tape.below(9) {
            0 => format!("{a}::text"),
            1 => format!("row_to_json({a})::text"),
            2 => format!("to_jsonb({a})::text"),
            3 => format!("concat({a})"),
            4 => format!("format('%s', {a})"),
            5 => format!("(ROW({a}.*))::text"),
            6 => format!("CAST({a} AS text)"),
            7 => format!("({a} IS NULL)::text"),
            _ if row.is_table => format!("{a}.tableoid::regclass::text"),
            _ => format!("({a}.*)::text"),
        }
    }

    fn number(&mut self, env: &Env, depth: usize) -> String {
        match self.tape.below(5) {
            0 => format!("round({}, 1)", self.expr(&Ty::Num, env, depth)),
            1 => format!("({} + 1.5)", self.expr(&Ty::Num, env, depth)),
            2 => format!("({} * 2)", self.expr(&Ty::Num, env, depth)),
            3 => format!("{}::numeric", self.expr(&Ty::Int, env, depth)),
            _ => format!("floor({} / 3)", self.expr(&Ty::Num, env, depth)),
        }
    }

    /// An aggregate of the type over what the groups contain.
    pub fn aggregate(&mut self, ty: &Ty, env: &Env, depth: usize) -> String {
        let Some(inside) = env.inside.clone() else {
            return self.expr(ty, env, 0);
        };
        let inside = Env {
            outer: Vec::new(),
            inside: None,
            ..*inside
        };
        let d = depth.min(1);
        let filter = |g: &mut Self, call: String| {
            if g.tape.chance(15) {
                let p = g.predicate(&inside, 1);
                format!("{call} FILTER (WHERE {p})")
            } else {
                call
            }
        };
        let call = match ty {
            Ty::Int => format!("{}({})", self.tape.pick(&["min", "max"]), self.expr(ty, &inside, d)),
            Ty::Big => match self.tape.below(4) {
                0 => "count(*)".to_owned(),
                1 => match self.any_column(&inside) {
                    Some((c, _)) => format!("count({c})"),
                    None => "count(*)".to_owned(),
                },
                2 => format!("sum({})", self.expr(&Ty::Int, &inside, d)),
                _ => format!("count(DISTINCT {})", self.expr(&Ty::Text, &inside, d)),
            },
            Ty::Num => format!(
                "{}({})",
                self.tape.pick(&["sum", "avg", "max"]),
                self.expr(ty, &inside, d)
            ),
            Ty::Text => {
                let e = self.expr(ty, &inside, d);
                match self.tape.below(3) {
                    0 => format!("max({e})"),
                    1 => format!("string_agg({e}, ',' ORDER BY {e})"),
                    _ => format!("min({e})"),
                }
            }
            Ty::Bool => {
                let p = self.predicate(&inside, d);
                format!("{}({p})", self.tape.pick(&["bool_or", "bool_and", "every"]))
            }
            Ty::Date | Ty::Stamp | Ty::Enum(_) => format!("max({})", self.expr(ty, &inside, d)),
            Ty::TextArr => {
                let e = self.expr(&Ty::Text, &inside, d);
                format!("array_agg({e} ORDER BY {e})")
            }
            Ty::IntArr => {
                let e = self.expr(&Ty::Int, &inside, d);
                format!("array_agg(DISTINCT {e})")
            }
            Ty::Jsonb => {
                let row = inside
                    .rows
                    .iter()
                    .find(|r| !r.key.is_empty() && inside.rows.len() == 1)
                    .cloned();
                match row {
                    Some(r) if self.whole.version >= 16 && self.tape.chance(30) => {
                        format!(
                            "JSON_ARRAYAGG({0} ORDER BY {0}.{1} RETURNING jsonb)",
                            r.alias,
                            ident(&r.key[0])
                        )
                    }
                    Some(r) => format!("jsonb_agg({0} ORDER BY {0}.{1})", r.alias, ident(&r.key[0])),
                    None => {
                        let e = self.expr(&Ty::Text, &inside, d);
                        format!("jsonb_agg({e} ORDER BY {e})")
                    }
                }
            }
            Ty::Json | Ty::Interval | Ty::Row | Ty::Other(_) => return literal("{}", &Ty::Jsonb) + "::text::json",
        };
        filter(self, call)
    }
}
