//! Who may come in: access rules, lock-outs, and refusals that tell nothing of who exists.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::raw::Raw;
use crate::support::{Database, data};

/// Everybody is a `sales_rep`, but bob, who is a `dba` too.
const POLICY: &[(&str, &str)] = &[
    ("tables.toml", "[defaults]\nunprotected = \"open\"\n"),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, CASE login WHEN 'bob' THEN '{open,dba}' ELSE '{open}' END::text[] AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    OPEN_POLICY[2],
    ("roles/dba.toml", "title = \"Administrator\"\n"),
];

/// The word that a login attempt ends with; empty for a session.
async fn attempt(gate: &Gate, database: &Database, from: &str, login: &str, password: &str) -> String {
    let raw = Raw::open_from(gate.port(), from).await;
    let tried = raw.log_in(login, password, &[("database", &database.name)]).await;
    tried.err().unwrap_or_default()
}

fn denied(login: &str) -> String {
    format!("E FATAL 28P01 password authentication failed for user \"{login}\"")
}

async fn gate(database: &Database, more: &str) -> Gate {
    Gate::with(
        database,
        POLICY,
        &format!("{more}\n[metrics]\naddress = \"127.0.0.1:0\"\n"),
    )
    .await
}

async fn metrics(gate: &Gate) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", gate.metrics_port()))
        .await
        .unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn the_first_rule_that_fits_decides() {
    let database = Database::new().await;
    let rules = "[[access]]\nrole = \"dba\"\naddress = \"127.0.0.3\"\nmethod = \"scram\"\n\
        [[access]]\nrole = \"dba\"\nmethod = \"reject\"\n\
        [[access]]\nlogin = [\"ali*\", \"nobody\"]\naddress = [\"127.0.0.0/30\"]\ndatabase = \"crm*\"\nmethod = \"scram\"\n\
        [[access]]\nlogin = \"fiona\"\ntls = true\nmethod = \"scram\"\n\
        [[access]]\nlogin = \"grace\"\nhours = \"00:00-12:00\"\ndays = \"mon-sun\"\ntime_zone = \"UTC\"\nmethod = \"scram\"\n\
        [[access]]\nlogin = \"grace\"\nhours = \"12:00-00:00\"\ntime_zone = \"UTC\"\nmethod = \"scram\"\n\
        [[access]]\nlogin = \"wei\"\ndays = \"mon-sun\"\nhours = \"HOURS\"\ntime_zone = \"UTC\"\nmethod = \"scram\"\n";
    // an hour that neither is nor begins now
    let hour = chrono::Timelike::hour(&chrono::Utc::now());
    let hours = format!("{:02}:00-{:02}:00", (hour + 3) % 24, (hour + 4) % 24);
    let gate = gate(&database, &rules.replace("HOURS", &hours)).await;
    let own = async |from: &str, login: &str| attempt(&gate, &database, from, login, &data::password(login)).await;
    assert_eq!(own("127.0.0.3", "bob").await, "");
    assert_eq!(own("127.0.0.1", "bob").await, denied("bob"));
    assert_eq!(own("127.0.0.2", "alice").await, "");
    assert_eq!(own("127.0.0.4", "alice").await, denied("alice"));
    assert_eq!(own("127.0.0.1", "fiona").await, denied("fiona"));
    assert_eq!(own("127.0.0.1", "grace").await, "");
    assert_eq!(own("127.0.0.1", "wei").await, denied("wei"));
    assert_eq!(own("127.0.0.1", "nobody").await, denied("nobody"));
    // the rule asks for the database that was asked for, before it is known to be another one
    let tried = Raw::login(gate.port(), "alice", &data::password("alice"), &[("database", "other")]).await;
    assert_eq!(tried.err().unwrap(), denied("alice"));
    let counted = metrics(&gate).await;
    assert!(
        counted.contains("\nrowgate_logins_total{result=\"allowed\"} 3\n"),
        "{counted}"
    );
    assert!(
        counted.contains("\nrowgate_logins_total{result=\"no-access-rule\"} 5\n"),
        "{counted}"
    );
    assert!(
        counted.contains("\nrowgate_logins_total{result=\"wrong-password\"} 1\n"),
        "{counted}"
    );
    gate.stop().await;
}

#[tokio::test]
async fn whoever_is_refused_has_the_same_conversation() {
    let database = Database::new().await;
    // verifiers with another number of iterations than usual
    let admin = database.superuser().await;
    let stored = "SCRAM-SHA-256$7000:AAECAwQFBgcICQoLDA0ODw==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let function = "CREATE FUNCTION public.stored(text) RETURNS TABLE (login text, verifier text) LANGUAGE sql AS";
    let body = format!("{function} 'SELECT l, ''{stored}'' FROM unnest(ARRAY[''alice'', ''bob'']) l WHERE l = $1'");
    admin.batch_execute(&body).await.unwrap();
    let rules = "[login]\nauth_query = \"SELECT login, verifier FROM public.stored($1)\"\nscram_iterations = 7000\n\
        [[access]]\nlogin = [\"alice\", \"nobody\"]\nmethod = \"scram\"\n";
    let gate = gate(&database, rules).await;
    let mut conversations = Vec::new();
    // a wrong password, an unknown login, a known one and an unknown one without a rule
    for login in ["alice", "nobody", "bob", "no-one"] {
        let mut said = Vec::new();
        let mut raw = Raw::open(gate.port()).await;
        raw.send(&crate::support::raw::startup(&[
            ("user", login),
            ("database", &database.name),
        ]))
        .await;
        let mut scram = postgres_protocol::authentication::sasl::ScramSha256::new(
            b"wrong",
            postgres_protocol::authentication::sasl::ChannelBinding::unsupported(),
        );
        while let Some((tag, body)) = raw.message().await {
            let code = body.first_chunk::<4>().map_or(0, |c| i32::from_be_bytes(*c));
            match (tag, code) {
                (b'R', 10) => {
                    said.push(format!("{:?}", &body[..]));
                    raw.send(&crate::support::raw::sasl_initial(scram.message())).await;
                }
                (b'R', 11) => {
                    let text = String::from_utf8_lossy(&body[4..]).into_owned();
                    // as many rounds, and a salt of the same length
                    let salt = text.split(',').find_map(|p| p.strip_prefix("s=")).unwrap().len();
                    let rounds = text.split(',').find(|p| p.starts_with("i=")).unwrap().to_owned();
                    said.push(format!("{} {salt} {rounds}", text.len()));
                    scram.update(&body[4..]).unwrap();
                    raw.send(&crate::support::raw::sasl_response(scram.message())).await;
                }
                _ => said.push(crate::support::raw::print(tag, &body).replace(login, "LOGIN")),
            }
        }
        conversations.push(said);
    }
    assert_eq!(conversations[0].len(), 3, "{conversations:?}");
    assert!(
        conversations.iter().all(|c| *c == conversations[0]),
        "{conversations:?}"
    );
    gate.stop().await;
}

#[tokio::test]
async fn guessing_locks_a_login_at_one_address_and_nowhere_else() {
    let database = Database::new().await;
    let limits = "[login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n\
        attempts = 3\nattempts_per_address = 8\nlock = \"1h\"\nlongest_lock = \"2h\"\n\
        [audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n";
    let gate = gate(&database, limits).await;
    let guess = async |from: &str, login: &str| attempt(&gate, &database, from, login, "guess").await;
    let own = async |from: &str, login: &str| attempt(&gate, &database, from, login, &data::password(login)).await;
    // at once: no more are looked at than one after the other
    let many = futures::future::join_all((0..10).map(|_| guess("127.0.0.1", "alice"))).await;
    assert!(many.iter().all(|said| *said == denied("alice")), "{many:?}");
    // locked here, for the right password too, and says the same
    assert_eq!(own("127.0.0.1", "alice").await, denied("alice"));
    // but nowhere else, and nobody else
    assert_eq!(own("127.0.0.2", "alice").await, "");
    assert_eq!(own("127.0.0.1", "bob").await, "");
    // an address that tries one login after the other
    for login in ["a", "b", "c", "d", "e"] {
        assert_eq!(guess("127.0.0.1", login).await, denied(login));
    }
    assert_eq!(own("127.0.0.1", "bob").await, denied("bob"));
    assert_eq!(own("127.0.0.2", "bob").await, "");
    let counted = metrics(&gate).await;
    assert!(counted.contains("\nrowgate_login_locks 2\n"), "{counted}");
    assert!(
        counted.contains("\nrowgate_logins_total{result=\"locked\"} 9\n"),
        "{counted}"
    );
    assert!(
        counted.contains("\nrowgate_logins_total{result=\"wrong-password\"} 8\n"),
        "{counted}"
    );
    let audit = gate.files.path().join("audit.jsonl");
    let lines = loop {
        let lines = std::fs::read_to_string(&audit).unwrap();
        if lines.matches("\"code\":\"locked\"").count() == 11 {
            break lines;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(lines.matches("\"event\":\"lock-out\"").count(), 2, "{lines}");
    gate.stop().await;
}
