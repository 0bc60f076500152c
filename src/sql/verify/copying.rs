//! COPY FROM in the text that will be sent: into a table whose new rows are held to the policy where they come in.

use super::{Check, Verified, broken};
use crate::catalog::Column;
use crate::name::{QualifiedName, quote_ident};
use crate::policy::Access;
use crate::policy::writes::CopyCheck;
use crate::refusal::Refusal;
use crate::sql::resolve::string_of;
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, RawStmt, Token};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The commands that make and drop the temporary table through which a COPY goes, and its name, which no client can
/// know.
pub fn staging(columns: &[Column]) -> (QualifiedName, Verified, Verified) {
    static NAME: OnceLock<String> = OnceLock::new();
    let name = NAME.get_or_init(|| format!("rowgate_copy_{:032x}", rand::random::<u128>()));
    let name = QualifiedName::new("pg_temp", name);
    let columns: Vec<String> = columns
        .iter()
        .map(|c| format!("{} {}", quote_ident(&c.name), c.type_sql))
        .collect();
    let own = |text: String| Verified {
        text,
        splices: Vec::new(),
    };
    let sql = name.to_sql();
    (
        name,
        own(format!(
            "CREATE TEMPORARY TABLE {sql} ({}) ON COMMIT DROP",
            columns.join(", ")
        )),
        own(format!("DROP TABLE {sql}")),
    )
}

impl Check<'_> {
    /// The places of tables that the text copies into, each held to the policy.
    pub(super) fn copies<'t>(&self, statements: impl Iterator<Item = &'t RawStmt>) -> Result<Vec<i32>, Refusal> {
        let mut places = Vec::new();
        for statement in statements {
            let node = statement.stmt.as_ref().and_then(|s| s.node.as_ref());
            if let Some(NodeEnum::CopyStmt(copy)) = node
                && copy.is_from
            {
                places.push(self.copied(statement, copy)?);
            }
        }
        Ok(places)
    }

    fn copied(&self, statement: &RawStmt, copy: &CopyStmt) -> Result<i32, Refusal> {
        let table = copy.relation.as_ref().ok_or_else(|| broken("a COPY into nothing"))?;
        if copy.is_program || !copy.filename.is_empty() {
            return Err(broken("a COPY from a file"));
        }
        let free = copy.where_clause.is_none();
        if table.schemaname == "pg_temp" {
            return if free {
                Ok(table.location)
            } else {
                Err(broken("a condition of the client's in COPY"))
            };
        }
        let name = QualifiedName::new(&table.schemaname, &table.relname);
        let policies = &self.world.policies;
        let relation = self.world.catalog.relation(&name);
        let relation = relation.ok_or_else(|| broken("a COPY into what is not known"))?;
        if policies.is_directory(relation.oid) && !self.who.rights().directory {
            return Err(broken("a COPY into the directory"));
        }
        if !matches!(self.who.access(relation), Access::Guarded(_)) {
            return match policies.writes_unprotected(relation) && free && self.who.tells_keys(relation).is_none() {
                true => Ok(table.location),
                false => Err(broken("a COPY into a relation that is not open")),
            };
        }
        let writes = self.who.writes(relation);
        let writes = writes.ok_or_else(|| broken("a COPY without rights"))?;
        let mut given = BTreeSet::new();
        for node in &copy.attlist {
            let column = string_of(node).and_then(|name| relation.columns.iter().position(|c| c.name == name));
            given.insert(column.ok_or_else(|| broken("a COPY of a column that is not there"))?);
        }
        if given.is_empty() {
            let stored = relation.columns.iter().enumerate().filter(|(_, c)| !c.is_generated);
            given.extend(stored.map(|(at, _)| at));
        }
        let known = given.iter().all(|at| writes.columns.get(*at).is_some_and(|c| c.shows));
        if !known || !writes.inserts() || writes.unsettable(&given).is_some() {
            return Err(broken("a COPY of columns that the person may not set"));
        }
        let held = match writes.copy_check(relation, &given) {
            CopyCheck::Free => free,
            CopyCheck::Where(condition) => {
                let text = self.text_of(statement)?;
                let check = format!("WHERE ({condition})");
                let behind = text.rfind(&check).and_then(|at| text.get(at + check.len()..));
                !free && behind.is_some_and(is_comment)
            }
            CopyCheck::Staged => false,
        };
        if held {
            Ok(table.location)
        } else {
            Err(broken("a COPY that is not held to the policy"))
        }
    }

    /// A statement's text.
    fn text_of(&self, statement: &RawStmt) -> Result<&str, Refusal> {
        let place = |number: i32| usize::try_from(number).map_err(|_| broken("a statement without a place"));
        let start = place(statement.stmt_location)?;
        let end = match place(statement.stmt_len)? {
            0 => self.text.len(),
            length => start + length,
        };
        let text = self
            .text
            .get(start..end)
            .ok_or_else(|| broken("a statement out of place"))?;
        Ok(text.trim_end_matches([' ', '\n', '\t', '\r', '\u{c}', ';']))
    }
}

/// Is there nothing in it that PostgreSQL reads?
fn is_comment(text: &str) -> bool {
    let scanned = pg_query::scan(text);
    scanned.is_ok_and(|scanned| {
        let comments = [Token::SqlComment, Token::CComment];
        scanned.tokens.iter().all(|token| comments.contains(&token.token()))
    })
}
