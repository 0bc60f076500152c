//! The harness of `verify` tested itself: judged texts are broken on purpose, each in one way that a wrong rewriter
//! could take, and `verify` must refuse every one.

use crate::support::stages::{self, Rewritten};
use crate::support::{Database, shipped};
use rowgate::identity::Principal;
use rowgate::policy::{Access, ColumnView, Rows, TableView};
use rowgate::sql::rewrite::splice::SpliceKind;
use rowgate::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Statements whose rewriting is broken; all of them pass for the people below.
const STATEMENTS: &[&str] = &[
    "SELECT * FROM customers",
    "SELECT id, name, phone FROM customers WHERE id = 7 ORDER BY name LIMIT 10",
    "SELECT c.name, k.phone FROM customers AS c JOIN contacts AS k ON k.customer_id = c.id",
    "SELECT (SELECT count(*) FROM contacts AS k WHERE k.customer_id = c.id) FROM customers c",
    "WITH x AS (SELECT * FROM contacts) SELECT * FROM x UNION ALL SELECT * FROM contacts",
    "SELECT c FROM customers AS c",
    "TABLE contacts",
    "SELECT id, ctid FROM customers TABLESAMPLE BERNOULLI (50) WHERE 1 / (id - 5) > 0",
    "SELECT name, count(*) FROM contacts GROUP BY name HAVING count(*) > 1 -- the end",
    "SELECT /* a */ phone FROM ONLY customers /* b */ WHERE name LIKE 'A%'",
    "PREPARE p AS SELECT email FROM customers WHERE id = $1",
];

const PEOPLE: &[&str] = &["alice", "bob", "wei"];

/// What a broken rewriter might have sent, with the word for how.
type Broken = Vec<(&'static str, Rewritten)>;

/// A judged text and what is known of it.
struct Subject<'a> {
    sql: &'a str,
    whole: Rewritten,
    who: &'a Principal,
    world: &'a World,
}

impl Subject<'_> {
    /// Each guard, and whose.
    fn guards(&self) -> Vec<(usize, String, Arc<TableView>)> {
        let mut found = Vec::new();
        for splice in 0..self.whole.splices.len() {
            let text = self.whole.spliced(splice);
            for relation in self.world.catalog.relations.values() {
                let head = format!("FROM {} AS \"rowgate:row\"", relation.name.to_sql());
                let only = format!("FROM ONLY {} AS \"rowgate:row\"", relation.name.to_sql());
                if !text.contains(&head) && !text.contains(&only) {
                    continue;
                }
                let Access::Guarded(view) = self.world.policies.access(self.who, relation, &self.world.catalog) else {
                    panic!("{} is guarded", relation.name)
                };
                let said = |v: &&Arc<TableView>| match &v.rows {
                    Rows::Where(predicate) => text.contains(&format!(" WHERE ({predicate})")),
                    Rows::All | Rows::None => true,
                };
                let view = Arc::clone(view.wordings().find(said).unwrap_or(&view));
                found.push((splice, relation.name.to_sql(), view));
            }
        }
        found
    }

    fn broken(&self) -> Broken {
        let mut out = Vec::new();
        for (splice, relation, view) in self.guards() {
            let text = self.whole.spliced(splice).to_owned();
            self.without_guard(&mut out, splice, &relation);
            self.other_predicate(&mut out, splice, &text, &view);
            self.other_columns(&mut out, splice, &text, &relation, &view);
            self.other_relation(&mut out, splice, &text, &relation);
            self.known_guards(&mut out, splice, &text, &relation);
            for (how, end) in [
                ("a splice opens a comment", "/* "),
                ("a splice opens a quote", "' "),
                ("a splice opens a name", "\" "),
                ("a splice brings a statement", "; SELECT 1; "),
            ] {
                out.push((how, self.whole.with(splice, &format!("{text}{end}"))));
            }
            if self.whole.splices[splice].sent.end < self.whole.text.trim_end().len() {
                out.push((
                    "a splice ends in a comment",
                    self.whole.with(splice, &format!("{text}-- ")),
                ));
            }
        }
        self.client_tokens(&mut out);
        out
    }

    fn without_guard(&self, out: &mut Broken, splice: usize, relation: &str) {
        for (how, text) in [
            ("no guard", format!("\n{relation} AS c ")),
            ("no guard, private alias", format!("\n{relation} AS \"rowgate:row\" ")),
            ("a view's alias", format!("\n{relation} AS \"rowgate:view\" ")),
            ("a helper's alias", format!("\n{relation} AS \"rowgate:p1\" ")),
            (
                "no guard inside brackets",
                format!("\n(SELECT * FROM {relation} AS x) AS c "),
            ),
        ] {
            out.push((how, self.whole.with(splice, &text)));
        }
        let beside = format!("{} , {relation} AS \"beside\" ", self.whole.spliced(splice));
        out.push(("a bare relation beside the guard", self.whole.with(splice, &beside)));
        let within = self.whole.spliced(splice).replacen(
            "(SELECT ",
            &format!("(SELECT (SELECT max(x.id) FROM {relation} AS x) AS y, "),
            1,
        );
        out.push(("a bare relation inside the guard", self.whole.with(splice, &within)));
    }

    fn other_predicate(&self, out: &mut Broken, splice: usize, text: &str, view: &TableView) {
        let Rows::Where(predicate) = &view.rows else { return };
        let filter = format!(" WHERE ({predicate})");
        assert!(text.contains(&filter), "{text}");
        for (how, instead) in [
            ("no predicate", String::new()),
            ("a predicate that is true", " WHERE (TRUE)".to_owned()),
            ("a predicate or true", format!(" WHERE ({predicate} OR TRUE)")),
            (
                "a predicate in brackets or true",
                format!(" WHERE ({predicate}) OR (TRUE)"),
            ),
            ("a predicate negated", format!(" WHERE (NOT {predicate})")),
            ("a predicate in a comment", format!(" /* WHERE ({predicate}) */")),
            ("a predicate behind a comment", format!(" -- WHERE ({predicate})\n")),
            (
                "a predicate of an ON",
                format!(" LEFT JOIN (SELECT 1) AS x ON ({predicate})"),
            ),
            (
                "a union behind the predicate",
                format!(" WHERE ({predicate}) UNION ALL SELECT 1"),
            ),
            ("a predicate twice", format!(" WHERE ({predicate}) OR ({predicate})")),
        ] {
            out.push((how, self.whole.with(splice, &text.replacen(&filter, &instead, 1))));
        }
        for other in ["alice", "bob", "wei", "carol"] {
            let Some(other) = self
                .world
                .directory
                .principal(other)
                .filter(|p| p.login != self.who.login)
            else {
                continue;
            };
            let relation = &self.world.catalog.relations[&view.relation];
            if let Access::Guarded(theirs) = self.world.policies.access(other, relation, &self.world.catalog)
                && theirs.rows != view.rows
                && theirs.rows != view.lockable
            {
                let theirs = match &theirs.rows {
                    Rows::Where(theirs) => format!(" WHERE ({theirs})"),
                    Rows::All => String::new(),
                    Rows::None => continue,
                };
                let text = text.replacen(&filter, &theirs, 1);
                out.push(("a predicate of somebody else", self.whole.with(splice, &text)));
            }
        }
    }

    fn other_columns(&self, out: &mut Broken, splice: usize, text: &str, name: &str, view: &TableView) {
        let relation = &self.world.catalog.relations[&view.relation];
        for (column, shown) in relation.columns.iter().zip(&view.columns) {
            let bare = format!("\"{}\"", column.name);
            match shown {
                ColumnView::Clear => {}
                ColumnView::Masked { sql, .. } => {
                    let masked = format!("{sql} AS {bare}");
                    if !text.contains(&masked) {
                        let text = text.replacen("(SELECT ", &format!("(SELECT {bare}, "), 1);
                        out.push(("a column that was not asked for", self.whole.with(splice, &text)));
                        continue;
                    }
                    let clear = format!("\"rowgate:row\".{bare}");
                    for (how, instead) in [
                        ("a mask left out", clear.clone()),
                        ("a mask left out, unqualified", bare.clone()),
                        ("a mask left out, qualified by the table", format!("{name}.{bare}")),
                        ("a mask around a column", format!("coalesce({clear}, {sql}) AS {bare}")),
                        ("a mask swapped for an expression", format!("({clear} || '') AS {bare}")),
                    ] {
                        out.push((how, self.whole.with(splice, &text.replacen(&masked, &instead, 1))));
                    }
                }
                ColumnView::Hidden => {
                    for (how, more) in [
                        ("a hidden column", format!("\"rowgate:row\".{bare}")),
                        (
                            "a hidden column under another name",
                            format!("\"rowgate:row\".{bare} AS \"x\""),
                        ),
                        ("a hidden column, unqualified", bare.clone()),
                        ("a hidden column in an expression", format!("({bare} IS NULL) AS \"x\"")),
                    ] {
                        let text = text.replacen("(SELECT ", &format!("(SELECT {more}, "), 1);
                        out.push((how, self.whole.with(splice, &text)));
                    }
                }
            }
        }
        if !view.all_columns_clear() {
            for (how, more) in [
                ("a star", "*"),
                ("a qualified star", "\"rowgate:row\".*"),
                ("a whole row", "\"rowgate:row\" AS \"x\""),
                ("a whole row as text", "(\"rowgate:row\")::pg_catalog.text AS \"x\""),
                ("a field of a whole row", "(\"rowgate:row\").phone AS \"x\""),
            ] {
                let text = text.replacen("(SELECT ", &format!("(SELECT {more}, "), 1);
                out.push((how, self.whole.with(splice, &text)));
            }
        }
    }

    fn other_relation(&self, out: &mut Broken, splice: usize, text: &str, relation: &str) {
        let bare = relation.rsplit('.').next().unwrap();
        for (how, instead) in [
            ("no schema", bare.to_owned()),
            ("another schema", format!("\"pg_temp\".{bare}")),
            ("another relation", "\"public\".\"contracts\"".to_owned()),
            ("a closed relation", "\"public\".\"key_customers\"".to_owned()),
            ("the key of the hashes", "\"rowgate\".\"hash_key\"".to_owned()),
        ] {
            let head = format!("{relation} AS \"rowgate:row\"");
            let text = text.replacen(&head, &format!("{instead} AS \"rowgate:row\""), 1);
            out.push((how, self.whole.with(splice, &text)));
        }
        for (other, name, _) in self.guards() {
            if name != relation {
                out.push((
                    "a guard of another relation",
                    self.whole.with(splice, self.whole.spliced(other)),
                ));
            }
        }
    }

    /// Words of guards that were verified before, by themselves, where they are no guard or not this person's.
    fn known_guards(&self, out: &mut Broken, splice: usize, text: &str, relation: &str) {
        let end = text.rfind(") AS \"").map_or(text.trim_end().len(), |at| at + 1);
        let (body, behind) = (&text[1..end], &text[end..]);
        let bare = format!("{relation} AS \"x\"");
        let (single, double) = (body.replace('\'', "''"), body.replace('"', "\"\""));
        for (how, instead) in [
            ("a stand-in sent", format!("(SELECT \"rowgate:body:0\" FROM {bare})")),
            (
                "a stand-in beside a guard",
                format!("{body} AS \"b\", (SELECT \"rowgate:body:0\" FROM {bare})"),
            ),
            (
                "a known guard in a comment",
                format!("(SELECT * FROM /* {body} */ {bare})"),
            ),
            (
                "a known guard in a line comment",
                format!("(SELECT * FROM -- {body}\n{bare})"),
            ),
            ("a known guard in a quote", format!("(SELECT '{single}' FROM {bare})")),
            ("a known guard in dollars", format!("(SELECT $x${body}$x$ FROM {bare})")),
            (
                "a known guard in a name",
                format!("(SELECT 1 AS \"{double}\" FROM {bare})"),
            ),
            (
                "a known guard behind a quote",
                format!("{body} AS \"y\", (SELECT '{single}' FROM {bare})"),
            ),
            (
                "a known guard before a relation",
                format!("{body} AS \"b\", {relation}{behind}"),
            ),
            (
                "a known guard that is an expression",
                format!("(SELECT {body} FROM {bare})"),
            ),
            (
                "a known guard as a condition",
                format!("(SELECT * FROM {bare} WHERE EXISTS {body})"),
            ),
            (
                "a known guard and a union",
                format!("({body} UNION ALL (SELECT * FROM {bare}))"),
            ),
            ("a known guard and a bracket", format!("{body})")),
            ("a known guard without its bracket", body[1..].to_owned()),
            (
                "a known guard and half of itself",
                format!("{body}{}", &body[body.len() / 2..]),
            ),
            ("a known guard called", format!("lower{body}")),
        ] {
            let behind = if instead.ends_with(behind) { "" } else { behind };
            out.push((how, self.whole.with(splice, &format!("\n{instead}{behind}"))));
        }
        for login in PEOPLE.iter().filter(|login| **login != self.who.login) {
            let theirs = stages::rewrite(self.sql, &stages::person(self.world, login), self.world).unwrap();
            let Some(theirs) = (theirs.splices.len() == self.whole.splices.len()).then(|| theirs.spliced(splice))
            else {
                continue;
            };
            if theirs != text {
                out.push(("somebody else's guard", self.whole.with(splice, theirs)));
            }
        }
        let mut shifted = self.whole.clone();
        shifted.splices[splice].sent.start += 1;
        out.push(("a splice that begins behind its guard's", shifted));
        let mut shifted = self.whole.clone();
        shifted.splices[splice].sent.end -= behind.len() + 1;
        out.push(("a splice that ends within its guard", shifted));
    }

    /// Bytes outside the splices, and splices that cover more or less than they replace.
    fn client_tokens(&self, out: &mut Broken) {
        let outside = |at: usize| !self.whole.splices.iter().any(|p| p.sent.contains(&at));
        for (at, byte) in self.whole.text.bytes().enumerate() {
            if outside(at) && (byte.is_ascii_digit() || byte == b'=' || byte == b'%') {
                let mut broken = self.whole.clone();
                broken.text.replace_range(at..=at, if byte == b'3' { "4" } else { "3" });
                out.push(("a token of the client changed", broken));
            }
        }
        let mut longer = self.whole.clone();
        longer.text.push_str(" UNION ALL SELECT 1");
        out.push(("text behind the client's", longer));
        for (splice, placed) in self.whole.splices.iter().enumerate() {
            if placed.kind == SpliceKind::Guard {
                let mut lost = self.whole.clone();
                lost.splices.remove(splice);
                out.push(("a splice that nobody knows of", lost));
                let mut swallowed = self.whole.clone();
                let rest = self
                    .whole
                    .splices
                    .get(splice + 1)
                    .map_or(self.sql.len(), |n| n.client.start);
                if rest > placed.client.end + 1 {
                    let gone = rest - placed.client.end;
                    let at = placed.sent.end;
                    swallowed.text.replace_range(at..at + gone, "");
                    out.push(("client text left out", swallowed));
                }
                let mut cut = self.whole.clone();
                cut.splices[splice].client.start += 1;
                out.push(("a splice that cuts a token", cut));
            }
        }
    }
}

#[tokio::test]
async fn verify_refuses_whatever_is_broken() {
    let database = Database::new().await;
    let world = database.world_with(&shipped("policies")).await;
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    let mut missed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // everybody's guards are known before anything is broken
    for (login, sql) in PEOPLE
        .iter()
        .flat_map(|login| STATEMENTS.iter().map(move |sql| (login, sql)))
    {
        let who = stages::person(&world, login);
        let whole = stages::rewrite(sql, &who, &world).unwrap_or_else(|r| panic!("{login}: {sql}: {r:?}"));
        whole.verify(sql, &who, &world).unwrap();
    }
    for login in PEOPLE {
        let who = stages::person(&world, login);
        for sql in STATEMENTS {
            let whole = stages::rewrite(sql, &who, &world).unwrap_or_else(|r| panic!("{login}: {sql}: {r:?}"));
            whole.verify(sql, &who, &world).unwrap();
            let subject = Subject {
                sql,
                whole,
                who: &who,
                world: &world,
            };
            for (how, broken) in subject.broken() {
                *tried.entry(how).or_default() += 1;
                let same = broken.text == subject.whole.text && broken.splices == subject.whole.splices;
                assert!(!same, "{how} changes nothing: {sql}");
                if broken.verify(sql, &who, &world).is_ok() {
                    missed.entry(how).or_default().push(format!("{login}: {}", broken.text));
                }
            }
        }
    }
    let shown: Vec<String> = missed
        .iter()
        .map(|(how, texts)| {
            format!(
                "{how}: {} of {}, such as\n    {:.1500}",
                texts.len(),
                tried[how],
                texts[0]
            )
        })
        .collect();
    assert!(missed.is_empty(), "verify takes\n{}", shown.join("\n"));
    assert!(tried.len() > 40, "{tried:?}");
}
