//! `rowgate serve`: stands between clients and the database until told to stop.

use super::control;
use crate::backend::{Connector, role_check};
use crate::config::Config;
use crate::keeper::{Keeper, Source};
use crate::server::{self, Server};
use crate::world::World;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Stack of every thread: judgements recurse, and a short text's must not need a stack of its own. What is never
/// touched costs nothing.
const THREAD_STACK: usize = 32 << 20;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
}

/// Runs until SIGTERM or SIGINT.
pub fn run(arguments: Arguments) -> ExitCode {
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                eprintln!("{error}");
            }
            return ExitCode::FAILURE;
        }
    };
    start_log();
    let result = on_threads(config.listen.threads, || serve(config, arguments.config));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rowgate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs to the end on so many threads. One that serves alone needs no scheduler that hands work from thread to thread.
fn on_threads<F: Future<Output = Result<(), String>>>(
    threads: usize,
    body: impl FnOnce() -> F + Send,
) -> Result<(), String> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder
        .worker_threads(threads)
        .enable_all()
        .thread_stack_size(THREAD_STACK)
        .build();
    let runtime = runtime.map_err(|e| format!("cannot start: {e}"))?;
    std::thread::scope(|scope| {
        let run = move || {
            let ended = runtime.block_on(body());
            // a judgement that is under way has nobody to answer
            runtime.shutdown_background();
            ended
        };
        let thread = std::thread::Builder::new()
            .stack_size(THREAD_STACK)
            .spawn_scoped(scope, run);
        let thread = thread.map_err(|e| format!("cannot start: {e}"))?;
        thread
            .join()
            .unwrap_or_else(|_| Err("it ended by a fault of its own".to_owned()))
    })
}

/// The operator's log goes to standard error, so that the audit may have standard output; `RUST_LOG` filters it.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

async fn serve(config: Config, file: PathBuf) -> Result<(), String> {
    let keeper = keeper(&config).await?;
    let world = keeper.handle();
    check_role(&config, &world.current()).await?;
    tokio::spawn(keeper.recording().run());
    let server = Server::open(config, world).await?;
    tracing::info!(port = server.port(), "listening");
    reload_on_hangup(Arc::clone(server.shared()), file)?;
    server.run(told_to_stop()?).await;
    Ok(())
}

/// Refuses a role that could do what no policy holds back.
pub(super) async fn check_role(config: &Config, world: &World) -> Result<(), String> {
    let connector = Connector::new(config.upstream.clone())?;
    let mut connection = connector.connect().await.map_err(|e| e.to_string())?;
    let problems = role_check::problems(
        &mut connection,
        &config.upstream,
        &world.policies.protected_names(&world.catalog),
    )
    .await
    .map_err(|e| e.to_string())?;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the upstream role may not stand behind rowgate:\n  {}",
            problems.join("\n  ")
        ))
    }
}

fn told_to_stop() -> Result<impl Future<Output = ()>, String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: running statements may end");
    })
}

fn reload_on_hangup(shared: Arc<crate::session::Shared>, file: PathBuf) -> Result<(), String> {
    let mut hangup = signal(SignalKind::hangup()).map_err(|e| e.to_string())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("reading logins and policies again");
            server::reload(&shared, control::config(&file)).await;
        }
    });
    Ok(())
}

/// The keeper with its first world; a policy that is wrong stops the start with all of its problems.
async fn keeper(config: &Config) -> Result<Keeper, String> {
    let keeper = Keeper::begin(Source::from_config(config)?)
        .await
        .map_err(|e| e.to_string())?;
    for warning in keeper.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(keeper)
}
