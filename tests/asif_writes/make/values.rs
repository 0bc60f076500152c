//! Values that could stand in a column: mostly such that the row may be stored, now and then not.

use super::Writer;
use super::target::Target;
use crate::generate::literal;
use crate::schema::{Column, Ty};

impl Writer<'_, '_> {
    fn one_of(&mut self, from: &[String]) -> Option<String> {
        if from.is_empty() {
            None
        } else {
            Some(self.g.tape.pick(from).clone())
        }
    }

    fn seen(&self, table: &str, column: &str) -> Vec<String> {
        self.known
            .rows
            .get(table)
            .into_iter()
            .flatten()
            .filter_map(|r| r.get(column).cloned().flatten())
            .collect()
    }

    /// Somebody: the person, a colleague, anybody, nobody.
    fn somebody(&mut self) -> Option<String> {
        match self.g.tape.weighted(&[62, 14, 8, 10, 6]) {
            0 => Some(self.known.me.clone()),
            1 => self.one_of(&self.known.mates.clone()),
            2 => self.one_of(&self.known.people.clone()),
            // number 59 has left
            3 => Some((1 + self.g.tape.below(58)).to_string()),
            _ => None,
        }
    }

    fn some_team(&mut self) -> Option<String> {
        match self.g.tape.weighted(&[72, 20, 8]) {
            0 => Some(self.known.team.clone()),
            1 => Some((1 + self.g.tape.below(19)).to_string()),
            _ => None,
        }
    }

    /// A row of another table: one that is seen, a hidden one, or none at all.
    fn row_of(&mut self, table: &str) -> Option<String> {
        let key = crate::dprime::roles::key(table);
        let own: Vec<String> = self
            .known
            .rows
            .get(table)
            .into_iter()
            .flatten()
            .filter(|r| r.get("owner_id").cloned().flatten().as_ref() == Some(&self.known.me))
            .filter_map(|r| r.get(key).cloned().flatten())
            .collect();
        let seen = self.seen(table, key);
        let hidden = self.known.hidden.get(table).cloned().unwrap_or_default();
        match self.g.tape.weighted(&[48, 32, 14, 6]) {
            0 => self.one_of(&own).or_else(|| seen.first().cloned()),
            1 => self.one_of(&seen),
            2 => self.one_of(&hidden),
            _ => Some("777777".to_owned()),
        }
    }

    /// A value for a column, as text; `None` is NULL.
    pub fn text_for(&mut self, root: &str, column: &Column, fresh: bool) -> Option<String> {
        let n = self.g.tape.below(900_000);
        match (root, column.name.as_str()) {
            (_, "id") => Some((4_000_000 + n).to_string()),
            ("crm.users", "user_id") => Some((100 + n % 800).to_string()),
            ("crm.teams", "team_id") => Some((100 + n % 800).to_string()),
            (_, "owner_id" | "user_id" | "manager_id") => self.somebody(),
            (_, "team_id") => self.some_team(),
            (_, "customer_id") => self.row_of("public.customers"),
            (_, "contact_id") if self.g.tape.chance(60) => self.row_of("public.contacts"),
            (_, "opportunity_id") if self.g.tape.chance(30) => self.row_of("public.opportunities"),
            (_, "contact_id" | "opportunity_id") => None,
            (_, "external_id") if fresh || self.g.tape.chance(60) => Some(format!("00000000-0000-4000-8000-{n:012}")),
            (_, "number" | "code") if fresh || self.g.tape.chance(60) => Some(format!("N-{n}")),
            (_, "tax_id") if fresh || self.g.tape.chance(60) => Some(format!("TX{n}")),
            (_, "login") => Some(format!("p{n}")),
            (_, "email") if fresh || self.g.tape.chance(60) => Some(format!("m{n}@example.com")),
            (_, "email") if self.g.tape.chance(6) => Some("no address".to_owned()),
            (_, "is_primary") if fresh => Some("false".to_owned()),
            (_, "probability") => Some(self.g.tape.pick(&["0", "10", "50", "100", "101"]).to_string()),
            (_, "priority") => Some(self.g.tape.pick(&["1", "3", "5", "9"]).to_string()),
            (_, "paid") => Some(self.g.tape.pick(&["0", "12.5", "99999999.99"]).to_string()),
            (_, "amount" | "credit_limit" | "list_price") => Some(
                self.g
                    .tape
                    .pick(&["100.00", "91740000.5", "0", "12345.678", "-1"])
                    .to_string(),
            ),
            (_, "opened_at") => Some(format!("2024-0{}-11 08:00:00+00", 1 + self.g.tape.below(9))),
            (_, "closed_at") if self.g.tape.chance(70) => None,
            (_, "satisfaction") if self.g.tape.chance(60) => None,
            (_, "created_at") => Some("2024-02-03 04:05:06+00".to_owned()),
            (_, "updated_at") => Some("2025-02-03 04:05:06+00".to_owned()),
            (_, "signed_on") => Some("2024-02-03".to_owned()),
            (_, "ends_on") => Some("2026-02-03".to_owned()),
            (_, "country") => Some(self.g.tape.pick(&["GB", "DE", "CN"]).to_string()),
            _ => self.any_text(column, n),
        }
    }

    fn any_text(&mut self, column: &Column, n: usize) -> Option<String> {
        let short: Vec<String> = column.samples.iter().filter(|s| s.len() < 60).cloned().collect();
        if !short.is_empty() && self.g.tape.chance(55) {
            return self.one_of(&short);
        }
        Some(match &column.ty {
            Ty::Int | Ty::Big | Ty::Num => (n % 97).to_string(),
            Ty::Text => {
                if self.g.tape.chance(6) {
                    return None;
                }
                (*self.g.tape.pick(&["x", "new 新", "it's", "a\\b", ""])).to_owned()
            }
            Ty::Bool => "true".to_owned(),
            Ty::Date => "2001-02-03".to_owned(),
            Ty::Stamp => "2024-06-01 00:00:00+00".to_owned(),
            Ty::Jsonb | Ty::Json => r#"{"k": [1, 2]}"#.to_owned(),
            Ty::TextArr => "{a,b}".to_owned(),
            Ty::IntArr => "{1}".to_owned(),
            _ => return self.one_of(&column.samples),
        })
    }

    /// A value for a column as SQL.
    pub fn value_for(&mut self, t: &Target, column: &Column, fresh: bool) -> String {
        match self.text_for(&t.root, column, fresh) {
            Some(text) => self.g.constant(&text, &column.ty),
            None => "NULL".to_owned(),
        }
    }

    /// The same without a parameter, and with its type where that could be unclear.
    pub fn typed_value(&mut self, t: &Target, column: &Column, fresh: bool) -> String {
        match self.text_for(&t.root, column, fresh) {
            Some(text) => match column.ty {
                Ty::Int | Ty::Num | Ty::Text | Ty::Big | Ty::Bool => {
                    format!("{}::{}", literal(&text, &column.ty), column.ty.sql())
                }
                _ => literal(&text, &column.ty),
            },
            None => format!("NULL::{}", column.ty.sql()),
        }
    }
}
