//! `rowgate explain --as LOGIN "SQL"`: how a statement would be judged, and why.

use super::control;
use crate::config::Config;
use crate::gate::{self, Judged, Judgement, SessionView};
use crate::identity::{Attribute, Principal};
use crate::keeper::{Keeper, Source};
use crate::name::QualifiedName;
use crate::policy::{Access, Rows};
use crate::refusal::Refusal;
use crate::world::World;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// As much stack as a judgement may want.
const STACK: usize = 256 << 20;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
    /// A policies directory other than the configuration's.
    #[arg(long)]
    policies: Option<PathBuf>,
    /// Whose statement it would be.
    #[arg(long = "as", value_name = "LOGIN")]
    login: String,
    /// The statement.
    sql: String,
}

/// Judges and tells; fails if the statement is refused.
pub fn run(arguments: Arguments) -> ExitCode {
    control::with_runtime(async move {
        let mut config = control::config(&arguments.config)?;
        if let Some(policies) = arguments.policies {
            config.policies = policies;
        }
        explain(&config, &arguments.login, arguments.sql).await
    })
}

async fn explain(config: &Config, login: &str, sql: String) -> Result<(), String> {
    let keeper = Keeper::begin(Source::from_config(config)?)
        .await
        .map_err(|e| e.to_string())?;
    let world = keeper.handle().current();
    let who = world
        .directory
        .principal(login)
        .cloned()
        .ok_or_else(|| format!("nobody active has the login \"{login}\""))?;
    tell_person(&who);
    if who.bypass {
        println!("goes through unparsed: a role of theirs says bypass = true");
        return Ok(());
    }
    let client = keeper.pool().get().await.map_err(|e| e.to_string())?;
    let path: Vec<String> = client
        .query_one("SELECT pg_catalog.current_schemas(false)::pg_catalog.text[]", &[])
        .await
        .map_err(|e| e.to_string())?
        .get(0);
    println!("search_path  {}", path.join(", "));
    let session = SessionView {
        search_path: path,
        temp_relations: Vec::new(),
        stored: None,
    };
    let judged = on_a_big_stack(sql.clone(), Arc::clone(&who), session, Arc::clone(&world))?;
    match judged {
        Ok(judgement) => {
            tell_judgement(&judgement, &who, &world);
            Ok(())
        }
        Err(refusal) => {
            tell_refusal(&refusal, &sql);
            Err(String::new())
        }
    }
}

fn on_a_big_stack(
    sql: String,
    who: Arc<Principal>,
    session: SessionView,
    world: Arc<World>,
) -> Result<Result<Judgement, Refusal>, String> {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || gate::judge(&sql, &who, &session, &[], &world))
        .map_err(|e| format!("cannot begin: {e}"))?
        .join()
        .map_err(|_| "the judgement broke off".to_owned())
}

fn tell_person(who: &Principal) {
    println!("person       {} with {}", who.login, list("role", &who.roles));
    let scalar = |value: &Option<Attribute>| {
        value
            .as_ref()
            .and_then(|a| a.values.first().cloned())
            .unwrap_or_else(|| "none".to_owned())
    };
    let count = |value: &Option<Attribute>| value.as_ref().map_or(0, |a| a.values.len());
    println!(
        "             user_id {}, team_id {}, {} below the team, {} reports",
        scalar(&who.user_id),
        scalar(&who.team_id),
        count(&who.team_tree).saturating_sub(1),
        count(&who.reports)
    );
    for (name, value) in who.attributes.iter() {
        println!("             :{name} {}", value.values.join(", "));
    }
}

fn list(word: &str, items: &[String]) -> String {
    match items {
        [] => format!("no {word}"),
        [one] => format!("{word} {one}"),
        many => format!("{word}s {}", many.join(", ")),
    }
}

fn tell_judgement(judgement: &Judgement, who: &Principal, world: &World) {
    for (at, statement) in judgement.statements.iter().enumerate() {
        println!("\nstatement {}  {}", at + 1, statement.kind);
        tell_reads(statement, who, world);
        for note in &statement.notes {
            println!("  {note}");
        }
        if let Some(limit) = &statement.row_limit {
            let over = if limit.refuses { ", or none" } else { "" };
            println!("  at most {} rows{over}: no role exports what it reads", limit.most());
        }
    }
    println!("\nsent to the database\n{}", indented(judgement.text.text()));
}

fn tell_reads(statement: &Judged, who: &Principal, world: &World) {
    for read in &statement.reads {
        println!("  reads {}: {}", read.relation, read.columns.join(", "));
        if !read.masked.is_empty() {
            println!("    masked: {}", read.masked.join(", "));
        }
        if !read.searched.is_empty() {
            println!("    searched by exact match: {}", read.searched.join(", "));
        }
        let view = read
            .relation
            .split_once('.')
            .and_then(|(schema, name)| world.catalog.relation(&QualifiedName::new(schema, name)))
            .map(|relation| world.policies.access(who, relation, &world.catalog));
        if let Some(Access::Guarded(view)) = view {
            match &view.rows {
                Rows::All => {}
                Rows::None => println!("    rows: none"),
                Rows::Where(sql) => println!("    rows: {sql}"),
            }
        }
    }
}

fn tell_refusal(refusal: &Refusal, sql: &str) {
    println!(
        "\nREFUSED  {} {} ({})",
        refusal.sqlstate.code(),
        refusal.message,
        refusal.code
    );
    if let Some(offset) = refusal.offset {
        let before = sql.get(..offset).unwrap_or_default();
        let line = sql.lines().nth(before.matches('\n').count()).unwrap_or_default();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        println!("  {line}\n  {}^", " ".repeat(column));
    }
    for (word, text) in [
        ("detail", &refusal.detail),
        ("hint", &refusal.hint),
        ("log", &refusal.log),
    ] {
        if let Some(text) = text {
            println!("  {word}: {text}");
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n")
}
