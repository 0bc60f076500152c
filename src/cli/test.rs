//! `rowgate test`: the policy's own tests, each as that person's session through the whole server.

use super::{control, serve};
use crate::config::{AuditOutput, Config, LoginMethod, Proofs, TlsMode};
use crate::keeper::{Keeper, Source};
use crate::login::Rules;
use crate::login::passwords::PasswordRules;
use crate::policy::written::TestCase;
use crate::server::Server;
use crate::session::Doors;
use crate::wire::users_file::Entry;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
    /// A policies directory other than the configuration's.
    #[arg(long)]
    policies: Option<PathBuf>,
    /// Only tests whose file, title, login or SQL holds this text.
    only: Option<String>,
}

/// Runs the tests; fails if one of them does, or if there is none.
pub fn run(arguments: Arguments) -> ExitCode {
    control::with_runtime(async move {
        let mut config = control::config(&arguments.config)?;
        if let Some(policies) = arguments.policies {
            config.policies = policies;
        }
        test(config, arguments.only.as_deref()).await
    })
}

async fn test(config: Config, only: Option<&str>) -> Result<(), String> {
    let begun = Instant::now();
    let source = Source::from_config(&config)?;
    let keeper = Keeper::begin(source).await.map_err(|e| e.to_string())?;
    let world = keeper.handle().current();
    serve::check_role(&config, &world).await?;
    let tests: Vec<&TestCase> = world
        .policies
        .written()
        .tests
        .iter()
        .filter(|t| wanted(t, only))
        .collect();
    if tests.is_empty() {
        return Err("there is no test to run: write some into tests/*.toml of the policies directory".to_owned());
    }
    let password = format!("{:032x}", rand::random::<u128>());
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let entry = Entry {
        verifier,
        ..Entry::default()
    };
    let logins: HashMap<String, Entry> = tests.iter().map(|t| (t.login.clone(), entry.clone())).collect();
    let database = config.upstream.database.clone();
    let server = Server::open(private(config), keeper.handle()).await?;
    let mut doors = Doors::open(&server.shared().config, None).await?;
    doors.users = logins;
    server.shared().doors.store(Arc::new(doors));
    let port = server.port();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    let mut failed = 0;
    let mut file = "";
    for test in &tests {
        if file != &*test.at.file {
            file = &test.at.file;
            println!("{file}");
        }
        let mut client = tokio_postgres::Config::new();
        client
            .host("127.0.0.1")
            .port(port)
            .user(&test.login)
            .password(&password)
            .dbname(&database)
            .application_name("rowgate test");
        let verdict = judge(test, &answer(&client, &test.sql).await);
        let title = test.title.as_deref().unwrap_or(&test.sql);
        let title = format!(
            "{}: {}",
            test.login,
            title.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        match verdict {
            Ok(()) => println!("  ok    {title}"),
            Err(lines) => {
                failed += 1;
                println!("  FAIL  {title}  ({})", test.at);
                for line in lines {
                    println!("        {line}");
                }
            }
        }
    }
    let _ = stop.send(());
    let _ = serving.await;
    println!(
        "{} passed, {failed} failed, in {:.1} s",
        tests.len() - failed,
        begun.elapsed().as_secs_f64()
    );
    if failed == 0 { Ok(()) } else { Err(String::new()) }
}

fn wanted(test: &TestCase, only: Option<&str>) -> bool {
    only.is_none_or(|text| {
        [
            &*test.at.file,
            test.title.as_deref().unwrap_or_default(),
            &test.login,
            &test.sql,
        ]
        .iter()
        .any(|part| part.contains(text))
    })
}

/// The configuration of a server that nobody else reaches: a port of its own, passwords of its own, no record.
fn private(mut config: Config) -> Config {
    config.listen.address = "127.0.0.1".to_owned();
    config.listen.port = 0;
    config.listen.unix_socket = None;
    config.tls.mode = TlsMode::Off;
    config.login.method = LoginMethod::UsersFile;
    config.login.users_file = None;
    config.access = Rules::default();
    config.proofs = Proofs::default();
    config.ldap = None;
    config.passwords = PasswordRules::default();
    config.audit.output = AuditOutput::Off;
    config.audit.required = false;
    config.limits.shutdown_timeout = Duration::from_secs(1);
    config
}

/// What a statement came to: names and rows of its last result, or the error.
enum Answer {
    Rows(Vec<String>, Vec<Vec<Option<String>>>),
    Error { code: String, message: String },
}

async fn answer(client: &tokio_postgres::Config, sql: &str) -> Answer {
    let failure = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(said) => Answer::Error {
            code: said.code().code().to_owned(),
            message: said.message().to_owned(),
        },
        None => Answer::Error {
            code: "08006".to_owned(),
            message: error.to_string(),
        },
    };
    let (client, connection) = match client.connect(NoTls).await {
        Ok(both) => both,
        Err(error) => return failure(error),
    };
    let connection = tokio::spawn(connection);
    let answer = match client.simple_query(sql).await {
        Ok(messages) => last_result(&messages),
        Err(error) => failure(error),
    };
    drop(client);
    let _ = connection.await;
    answer
}

fn last_result(messages: &[SimpleQueryMessage]) -> Answer {
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(described) => {
                columns = described.iter().map(|c| c.name().to_owned()).collect();
                rows.clear();
            }
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
            }
            _ => {}
        }
    }
    Answer::Rows(columns, rows)
}

/// Is it what the test says? If not, what was expected and what came.
fn judge(test: &TestCase, answer: &Answer) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    match (answer, &test.error) {
        (Answer::Error { code, message }, Some(wanted)) => {
            if code != wanted {
                wrong.push(format!("expected  error {wanted}"));
                wrong.push(format!("got       error {code}: {message}"));
            }
        }
        (Answer::Error { code, message }, None) => wrong.push(format!("got       error {code}: {message}")),
        (Answer::Rows(_, rows), Some(wanted)) => {
            wrong.push(format!("expected  error {wanted}"));
            wrong.push(format!("got       {}", shown(rows)));
        }
        (Answer::Rows(columns, rows), None) => {
            if let Some(wanted) = test.columns.as_ref().filter(|w| *w != columns) {
                wrong.push(format!("expected  columns {}", wanted.join(", ")));
                wrong.push(format!("got       columns {}", columns.join(", ")));
            }
            if let Some(wanted) = test.rows.as_ref().filter(|w| *w != rows) {
                wrong.push(format!("expected  {}", shown(wanted)));
                wrong.push(format!("got       {}", shown(rows)));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn shown(rows: &[Vec<Option<String>>]) -> String {
    const MOST: usize = 5;
    let mut parts: Vec<String> = rows
        .iter()
        .take(MOST)
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| {
                    cell.as_ref()
                        .map_or_else(|| "NULL".to_owned(), |text| format!("{text:?}"))
                })
                .collect();
            format!("[{}]", cells.join(", "))
        })
        .collect();
    if rows.len() > MOST {
        parts.push(format!("… {} rows in all", rows.len()));
    }
    if parts.is_empty() {
        return "no row".to_owned();
    }
    parts.join(" ")
}
