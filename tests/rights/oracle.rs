//! Temporary rights against hand-written SQL: sets of them made from a seed, what one person then sees and may change, and
//! that a brake never gives more.

use crate::support::gate::Gate;
use crate::support::{Database, connect, login_at, rows};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use tokio_postgres::Client;

const FILES: [(&str, &str); 5] = [
    (
        "tables.toml",
        "[defaults]\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, roles::text[] AS role, team_id, manager_id, active FROM crm.users\"\nteams = \"SELECT team_id, parent_id FROM crm.teams\"\n",
    ),
    (
        "roles/sales_rep.toml",
        "[customers]\nview = [\"own\", \"member\", \"delegated\"]\nedit = [\"own\", \"delegated\"]\n[customers.columns]\nphone = { mask = \"null\", except = [\"own\"] }\n",
    ),
    (
        "roles/auditor.toml",
        "[customers]\nview = [\"team_tree\"]\n[customers.columns]\nphone = { mask = \"fixed\", value = \"-\" }\n",
    ),
    ("roles/sales_manager.toml", "[customers]\nview = [\"team_tree\"]\n"),
];

/// One right, and what it does in SQL over `customers AS c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum One {
    Delegated(i32, &'static str),
    Rows(&'static str),
    Edits(&'static str),
    Phone,
    Auditor,
    Shared(i32),
    SharedWithTeam(i32),
    NoRep,
    NoAuditor,
    NoTable,
}

const SCOPES: [(&str, &str); 3] = [("team", "c.team_id = 14"), ("all", "true"), ("own", "c.owner_id = 36")];

impl One {
    fn any(random: &mut StdRng) -> Self {
        let colleague = [(37, "hao"), (38, "chloe"), (40, "yan")];
        match random.random_range(0..13) {
            0 | 1 => {
                let (id, login) = *colleague.choose(random).unwrap();
                Self::Delegated(id, login)
            }
            2 | 3 => Self::Rows(SCOPES.choose(random).unwrap().0),
            4 => Self::Edits(SCOPES.choose(random).unwrap().0),
            5 | 6 => Self::Phone,
            7 => Self::Auditor,
            8 => Self::Shared(random.random_range(1..=100)),
            9 => Self::SharedWithTeam(random.random_range(1..=100)),
            10 => Self::NoRep,
            11 => Self::NoAuditor,
            _ => Self::NoTable,
        }
    }

    fn is_brake(self) -> bool {
        matches!(self, Self::NoRep | Self::NoAuditor | Self::NoTable)
    }

    fn insert(self) -> String {
        let (columns, values) = match self {
            Self::Delegated(_, login) => ("kind, login, delegator", format!("'delegation', 'alice', '{login}'")),
            Self::Rows(scope) => (
                "kind, login, table_name, operations, scope",
                format!("'grant', 'alice', 'customers', '{{view}}', '{scope}'"),
            ),
            Self::Edits(scope) => (
                "kind, login, table_name, operations, scope",
                format!("'grant', 'alice', 'customers', '{{edit}}', '{scope}'"),
            ),
            Self::Phone => (
                "kind, login, table_name, columns",
                "'grant', 'alice', 'customers', '{phone}'".to_owned(),
            ),
            Self::Auditor => ("kind, login, role", "'role', 'alice', 'auditor'".to_owned()),
            Self::Shared(id) => (
                "kind, login, table_name, record",
                format!("'share', 'alice', 'customers', '{{{id}}}'"),
            ),
            Self::SharedWithTeam(id) => (
                "kind, team, table_name, record",
                format!("'share', '14', 'customers', '{{{id}}}'"),
            ),
            Self::NoRep => ("kind, role", "'suspension', 'sales_rep'".to_owned()),
            Self::NoAuditor => ("kind, role", "'suspension', 'auditor'".to_owned()),
            Self::NoTable => ("kind, table_name", "'suspension', 'customers'".to_owned()),
        };
        format!("INSERT INTO rowgate.rights ({columns}, until) VALUES ({values}, now() + '1 h')")
    }
}

/// What must be: which rows, how the phone shows, which rows change; `None` where the table is denied.
fn expected(rights: &BTreeSet<One>) -> Option<(String, String)> {
    let has = |one| rights.contains(&one);
    if has(One::NoTable) {
        return None;
    }
    let scope = |name: &str| SCOPES.iter().find(|(n, _)| *n == name).unwrap().1;
    let (mut rep, mut edits) = (Vec::new(), Vec::new());
    if !has(One::NoRep) {
        rep.push("c.owner_id = 36".to_owned());
        edits.push("c.owner_id = 36".to_owned());
        for right in rights {
            match right {
                One::Delegated(id, _) => {
                    rep.push(format!("c.owner_id = {id}"));
                    edits.push(format!("c.owner_id = {id}"));
                }
                One::Rows(name) => rep.push(scope(name).to_owned()),
                One::Edits(name) => edits.push(scope(name).to_owned()),
                One::Shared(id) | One::SharedWithTeam(id) => rep.push(format!("c.id = {id}")),
                One::Phone | One::Auditor | One::NoRep | One::NoAuditor | One::NoTable => {}
            }
        }
    }
    let auditor = has(One::Auditor) && !has(One::NoAuditor);
    if rep.is_empty() && !auditor {
        return None;
    }
    let any = |list: &[String]| {
        let joined = list.join(" OR ");
        if joined.is_empty() {
            "false".to_owned()
        } else {
            format!("({joined}) IS TRUE")
        }
    };
    let (rep, edits) = (any(&rep), any(&edits));
    let audited = if auditor { "(c.team_id = 14) IS TRUE" } else { "false" };
    // in clear before masked before NULL
    let phone = if has(One::Phone) {
        "c.phone".to_owned()
    } else {
        format!("CASE WHEN ({rep}) AND c.owner_id = 36 THEN c.phone WHEN {audited} THEN '-' END")
    };
    Some((
        format!("SELECT c.id, {phone} AS phone FROM public.customers AS c WHERE ({rep}) OR {audited} ORDER BY c.id"),
        format!("SELECT count(*) FROM public.customers AS c WHERE (({rep}) OR {audited}) AND ({edits})"),
    ))
}

struct Seen {
    ids: BTreeSet<String>,
    phones: BTreeSet<String>,
}

async fn look(alice: &Client, owner: &Client, rights: &BTreeSet<One>) -> Seen {
    const SQL: &str = "SELECT id, phone FROM customers ORDER BY id";
    let mut seen = Seen {
        ids: BTreeSet::new(),
        phones: BTreeSet::new(),
    };
    let Some((wanted, changed)) = expected(rights) else {
        let error = alice.simple_query(SQL).await.err();
        let error = error.unwrap_or_else(|| panic!("went through under {rights:?}"));
        assert_eq!(error.code().map(|c| c.code()), Some("42501"), "{rights:?}");
        return seen;
    };
    let got = rows(alice, SQL).await;
    assert_eq!(got, rows(owner, &wanted).await, "{rights:?}");
    let wanted: i64 = rows(owner, &changed).await[0][0].clone().unwrap().parse().unwrap();
    let update = alice.execute("UPDATE customers SET city = city", &[]).await;
    match update {
        Ok(count) => assert_eq!(i64::try_from(count).unwrap(), wanted, "{rights:?}"),
        Err(error) => {
            assert_eq!(error.code().map(|c| c.code()), Some("42501"), "{rights:?}");
            assert_eq!(wanted, 0, "{rights:?}");
        }
    }
    for row in got {
        seen.ids.extend(row[0].clone());
        seen.phones.extend(row[1].clone().filter(|p| p != "-"));
    }
    seen
}

#[tokio::test]
async fn what_people_hold_is_what_hand_written_sql_says() {
    let rounds: u64 = std::env::var("ROWGATE_RIGHTS").map_or(25, |n| n.parse().unwrap());
    let database = Database::new().await;
    let owner = crate::support::rights::prepared(&database).await;
    let gate = Gate::with(&database, &FILES, "[rights]\n").await;
    let alice = connect(&login_at(gate.port(), "alice", &database.name)).await;
    for seed in 0..rounds {
        let mut random = StdRng::seed_from_u64(seed);
        let mut rights = BTreeSet::new();
        let mut before: Option<Seen> = None;
        for _ in 0..random.random_range(1..7) {
            let one = One::any(&mut random);
            if !rights.insert(one) {
                continue;
            }
            gate.change(&owner, &one.insert()).await;
            let seen = look(&alice, &owner, &rights).await;
            if let Some(before) = &before {
                let (less, more) = if one.is_brake() {
                    (&seen, before)
                } else {
                    (before, &seen)
                };
                assert!(less.ids.is_subset(&more.ids), "seed {seed}: {one:?} after {rights:?}");
                assert!(
                    less.phones.is_subset(&more.phones),
                    "seed {seed}: {one:?} after {rights:?}"
                );
            }
            before = Some(seen);
        }
        gate.change(&owner, "DELETE FROM rowgate.rights").await;
    }
    gate.stop().await;
}
