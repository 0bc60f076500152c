//! One run of the demonstration: data, rowgate in front of it, the questions, and then a server to play with.

use super::data::Scale;
use super::front::Front;
use super::people::{FIVE, Person};
use super::place::{self, Place};
use super::questions;
use super::table::{self, Style};
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use tokio_postgres::Client;

/// The port that is tried first: where `rowgate serve` listens by default.
const USUAL_PORT: u16 = 6432;

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    /// End after the table.
    pub once: bool,
    /// Only make the data, in the user's own database.
    pub fill_only: bool,
    /// A superuser's URL of a database of the user's own, instead of a throwaway server.
    pub database: Option<String>,
    /// How much data.
    pub scale: Scale,
    /// The policies directory.
    pub policies: PathBuf,
    /// The port to listen on; `None` takes 6432 or, if somebody has it, any.
    pub port: Option<u16>,
}

/// Runs it; an error is a sentence for people. Whatever was started has ended when this returns.
pub async fn run(options: &Options) -> Result<(), String> {
    let place = match &options.database {
        Some(url) => Place::own(url, options.scale).await,
        None => Place::throwaway(options.scale).await,
    }
    .map_err(|e| e.to_string())?;
    if options.fill_only {
        println!("the demonstration's tables are in database {}", place.database());
        return Ok(());
    }

    let port = options.port.map_or_else(choose_port, Ok).map_err(|e| e.to_string())?;
    let front = Front::start(&place.behind(), &options.policies, port).await?;
    let told = show(&place, front.port()).await;
    if told.is_ok() && !options.once {
        println!("\nCtrl-C ends it and leaves nothing behind.");
        until_interrupted().await.map_err(|e| e.to_string())?;
    }
    front.stop().await;
    told
}

async fn show(place: &Place, port: u16) -> Result<(), String> {
    let truth = place.superuser().await?;
    let mut people: Vec<(Person, Client)> = Vec::with_capacity(FIVE.len());
    for person in FIVE {
        let mut login = tokio_postgres::Config::new();
        login
            .host("127.0.0.1")
            .port(port)
            .user(person.login)
            .password(super::data::password(person.login))
            .dbname(place.database());
        let client = place::connect(&login)
            .await
            .map_err(|e| format!("{} cannot log in through rowgate: {e}", person.login))?;
        people.push((person, client));
    }
    let lines = questions::ask(&people, &truth)
        .await
        .map_err(|e| format!("a connection broke: {}", place::told(&e)))?;

    let style = style();
    let mut out = format!(
        "\nrowgate on 127.0.0.1:{port}, in front of {}.\nThe same three questions, asked by five people:\n\n",
        place.describe()
    );
    out.push_str(&table::draw(&lines, style));
    out.push_str("  ◐ masked   ○ hidden   everything else is as it is stored\n\n");
    out.push_str("Ask more, as any of the sixty people of crm.users (the password is always LOGIN-demo):\n\n");
    for person in FIVE {
        let line = format!("  {}\n", person.psql("127.0.0.1", port, place.database()));
        out.push_str(&line);
    }
    out.push('\n');
    for person in FIVE {
        let line = format!("  {}\n", person.jdbc("127.0.0.1", port, place.database()));
        out.push_str(&line);
    }
    std::io::stdout()
        .write_all(out.as_bytes())
        .map_err(|e| format!("cannot write the answer: {e}"))
}

fn choose_port() -> std::io::Result<u16> {
    match std::net::TcpListener::bind(("127.0.0.1", USUAL_PORT)) {
        Ok(_) => Ok(USUAL_PORT),
        Err(_) => crate::cluster::free_port(),
    }
}

fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    let width = if terminal { terminal_size::terminal_size() } else { None };
    Style {
        width: width.map_or(160, |(terminal_size::Width(columns), _)| usize::from(columns)),
        colour: terminal && std::env::var_os("NO_COLOR").is_none(),
    }
}

async fn until_interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}
