//! Writes audit lines on a thread of its own, in order; keeps them while the disk does not take them.

use super::line::{self, Event};
use crate::config::{AuditConfig, AuditOutput};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines that may wait to be written.
const QUEUE: usize = 16_384;

/// The audit, shared by all sessions.
pub struct Audit {
    config: AuditConfig,
    sender: Option<SyncSender<Order>>,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    failing: AtomicBool,
    waiting: AtomicUsize,
    lost: AtomicU64,
}

enum Order {
    Line(Vec<u8>),
    Reopen,
}

impl Audit {
    /// Opens the output; a file that cannot be opened is an error at start.
    pub fn open(config: AuditConfig) -> Result<Self, String> {
        let state = Arc::new(State::default());
        let Some(mut sink) = Sink::open(&config).map_err(|e| {
            format!(
                "cannot open the audit file {}: {e}",
                config.file.as_deref().unwrap_or("".as_ref()).display()
            )
        })?
        else {
            return Ok(Self {
                config,
                sender: None,
                state,
                thread: None,
            });
        };
        let (sender, receiver) = sync_channel(QUEUE);
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_all(&mut sink, &receiver, &shared))
            .map_err(|e| format!("cannot start the audit's thread: {e}"))?;
        Ok(Self {
            config,
            sender: Some(sender),
            state,
            thread: Some(thread),
        })
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &AuditConfig {
        &self.config
    }

    /// May a statement run? Not while the audit is required and cannot be written.
    pub fn admits(&self) -> bool {
        !self.config.required
            || (!self.state.failing.load(Ordering::Acquire) && self.state.waiting.load(Ordering::Acquire) < QUEUE / 2)
    }

    /// Is anything written at all?
    pub fn is_on(&self) -> bool {
        self.sender.is_some()
    }

    /// Hands over one line.
    pub fn record(&self, event: &Event<'_>) {
        let Some(sender) = &self.sender else { return };
        let Ok(mut line) = serde_json::to_vec(event) else {
            return;
        };
        line.push(b'\n');
        self.state.waiting.fetch_add(1, Ordering::AcqRel);
        match sender.try_send(Order::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(order)) if self.config.required => {
                let _ = sender.send(order);
            }
            Err(_) => {
                self.state.waiting.fetch_sub(1, Ordering::AcqRel);
                if self.state.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::error!("audit lines are lost: they cannot be written as fast as they come");
                }
            }
        }
    }

    /// Opens the file anew, for log rotation.
    pub fn reopen(&self) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(Order::Reopen);
        }
    }

    /// The time of a line.
    pub fn now() -> String {
        line::now()
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

enum Sink {
    Stdout(io::Stdout),
    File { file: File, config: AuditConfig },
}

impl Sink {
    fn open(config: &AuditConfig) -> io::Result<Option<Self>> {
        Ok(match (config.output, &config.file) {
            (AuditOutput::Off, _) | (AuditOutput::File, None) => None,
            (AuditOutput::Stdout, _) => Some(Self::Stdout(io::stdout())),
            (AuditOutput::File, Some(path)) => Some(Self::File {
                file: OpenOptions::new().create(true).append(true).open(path)?,
                config: config.clone(),
            }),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Self::File { file, .. } => file.write_all(bytes),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File { config, .. } = self
            && let Some(fresh) = Self::open(&config.clone())?
        {
            *self = fresh;
        }
        Ok(())
    }
}

/// The thread: gathers what waits, writes it at once, and tries again every half second where that fails.
fn write_all(sink: &mut Sink, receiver: &Receiver<Order>, state: &State) {
    let mut batch: Vec<u8> = Vec::new();
    let mut lines = 0;
    loop {
        let order = if batch.is_empty() {
            receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            receiver.recv_timeout(Duration::from_millis(500))
        };
        let mut ended = false;
        let mut next = match order {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                ended = true;
                None
            }
        };
        while let Some(order) = next.take() {
            match order {
                Order::Line(line) => {
                    batch.extend_from_slice(&line);
                    lines += 1;
                }
                Order::Reopen => {
                    if let Err(error) = sink.reopen() {
                        tracing::error!(%error, "the audit file cannot be opened anew");
                    }
                }
            }
            if batch.len() < 1 << 20 {
                next = receiver.try_recv().ok();
            }
        }
        if batch.is_empty() {
            if ended {
                return;
            }
            continue;
        }
        match sink.write(&batch) {
            Ok(()) => {
                batch.clear();
                state.waiting.fetch_sub(lines, Ordering::AcqRel);
                lines = 0;
                if state.failing.swap(false, Ordering::AcqRel) {
                    tracing::warn!("the audit can be written again");
                }
            }
            Err(error) => {
                if !state.failing.swap(true, Ordering::AcqRel) {
                    tracing::error!(%error, "the audit cannot be written");
                }
                if ended {
                    return;
                }
                let _ = sink.reopen();
            }
        }
        if ended {
            return;
        }
    }
}
