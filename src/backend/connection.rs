//! One connection to the database, and rowgate's own statements on it.
//!
//! A client's statement is written only as [`Verified`]; rowgate's own are constants of the program, with values
//! as parameters.

use super::ConnectError;
use super::carried::{Carried, Settings};
use crate::gate::Verified;
use crate::net::Fields;
use crate::net::frame::{self, put, put_cstr};
use crate::net::{Body, Channel, Malformed, Stream};
use bytes::{BufMut, BytesMut};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

/// Longest answer to one of rowgate's own statements.
const LONGEST_ANSWER: usize = 64 << 20;

/// The name of what is sent only to fail.
const REFUSED: &str = "rowgate:refused";

/// Settings as a server reports them by itself, by name.
pub type Parameters = BTreeMap<String, String>;

/// A connection that is logged in.
#[derive(Debug)]
pub struct Connection {
    /// Its bytes; everything that goes out is written by this type's methods.
    channel: Channel,
    /// Settings as the server last reported them.
    pub parameters: Arc<Parameters>,
    /// What of sessions stands on it.
    pub carried: Carried,
    key: (i32, i32),
    clean: bool,
}

/// Text rows of one of rowgate's own statements.
pub type Rows = Vec<Vec<Option<String>>>;

impl Connection {
    pub(super) fn new(channel: Channel, parameters: Parameters, key: (i32, i32)) -> Self {
        Self {
            channel,
            parameters: Arc::new(parameters),
            carried: Carried::default(),
            key,
            clean: true,
        }
    }

    /// Stands where there is no connection: what is written to it fails.
    pub fn to_nobody() -> Self {
        static NOTHING: LazyLock<(Arc<Parameters>, Settings)> = LazyLock::new(Default::default);
        let (parameters, settings) = &*NOTHING;
        Self {
            channel: Channel::new(Stream::Nobody),
            parameters: Arc::clone(parameters),
            carried: Carried {
                settings: Arc::clone(settings),
                ..Carried::default()
            },
            key: (0, 0),
            clean: true,
        }
    }

    /// Process and secret for a cancel request.
    pub fn key(&self) -> (i32, i32) {
        self.key
    }

    /// Nothing of a session is left on it.
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// A session takes it over.
    pub fn take_over(&mut self, session: u64) {
        self.clean = false;
        self.carried.mixed |= !matches!(self.carried.session, 0) && self.carried.session != session;
        self.carried.session = session;
    }

    /// A session has let it go: beside what is carried, nothing of it is left.
    pub fn let_go(&mut self) {
        self.channel.shrink();
        self.clean = true;
    }

    /// What came from the server and is not used yet.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.channel.input
    }

    /// Relays the next `count` bytes of the server to a client.
    pub fn relay_to(&mut self, client: &mut Channel, count: usize) {
        self.channel.relay_to(client, count);
    }

    /// Bytes that wait to be written.
    pub fn backlog(&self) -> usize {
        self.channel.output.len()
    }

    /// Reads once.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.channel.poll_fill(cx)
    }

    /// Writes what waits.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.channel.poll_drain(cx)
    }

    /// Writes what waits.
    pub async fn drain(&mut self) -> std::io::Result<()> {
        self.channel.drain().await
    }

    /// Gives back the room of buffers that are empty.
    pub fn shrink(&mut self) {
        self.channel.shrink();
    }

    /// Anything to write?
    pub fn has_output(&self) -> bool {
        self.channel.has_output()
    }

    fn output(&mut self) -> &mut BytesMut {
        self.channel.make_room();
        &mut self.channel.output
    }

    /// `Q` with judged text.
    pub fn query(&mut self, text: &Verified) {
        self.carried.unnamed = None;
        put(self.output(), b'Q', |out| put_cstr(out, text.text()));
    }

    /// `Q` with one of rowgate's own commands.
    pub fn own_query(&mut self, text: &'static str) {
        self.carried.unnamed = None;
        put(self.output(), b'Q', |out| put_cstr(out, text));
    }

    /// `P` with judged text.
    pub fn parse(&mut self, name: &str, text: &Verified, types: &[u32]) {
        put(self.output(), b'P', |out| {
            put_cstr(out, name);
            put_cstr(out, text.text());
            out.put_u16(u16::try_from(types.len()).unwrap_or(u16::MAX));
            for oid in types {
                out.put_u32(*oid);
            }
        });
    }

    /// `B`; what stands behind the names has been checked.
    pub fn bind(&mut self, portal: &str, statement: &str, rest: &[u8]) {
        put(self.output(), b'B', |out| {
            put_cstr(out, portal);
            put_cstr(out, statement);
            out.put_slice(rest);
        });
    }

    /// `D` of a statement (`S`) or a portal (`P`).
    pub fn describe(&mut self, kind: u8, name: &str) {
        put(self.output(), b'D', |out| {
            out.put_u8(kind);
            put_cstr(out, name);
        });
    }

    /// `C` of a statement (`S`) or a portal (`P`).
    pub fn close(&mut self, kind: u8, name: &str) {
        put(self.output(), b'C', |out| {
            out.put_u8(kind);
            put_cstr(out, name);
        });
    }

    /// `E`
    pub fn execute(&mut self, portal: &str, max_rows: i32) {
        put(self.output(), b'E', |out| {
            put_cstr(out, portal);
            out.put_i32(max_rows);
        });
    }

    /// `H`
    pub fn flush(&mut self) {
        put(self.output(), b'H', |_| {});
    }

    /// `S`
    pub fn sync(&mut self) {
        put(self.output(), b'S', |_| {});
    }

    /// `X`
    pub fn terminate(&mut self) {
        put(self.output(), b'X', |_| {});
    }

    /// `d`: a part of the data of COPY FROM STDIN.
    pub fn copy_data(&mut self, body: &[u8]) {
        put(self.output(), b'd', |out| out.put_slice(body));
    }

    /// Whole `d` messages of a client, the first `count` bytes of its input, as they came.
    pub fn take_data(&mut self, client: &mut Channel, count: usize) {
        client.relay_to(&mut self.channel, count);
    }

    /// `c`: the data is whole.
    pub fn copy_done(&mut self) {
        put(self.output(), b'c', |_| {});
    }

    /// `f`: no data will come.
    pub fn copy_fail(&mut self, reason: &str) {
        put(self.output(), b'f', |out| put_cstr(out, reason));
    }

    /// Makes the server fail where a refused statement would have: the transaction ends as PostgreSQL would have
    /// ended it. In the extended protocol a Parse, in the simple one a Query.
    pub fn fail(&mut self, extended: bool) {
        if extended {
            put(self.output(), b'P', |out| {
                put_cstr(out, REFUSED);
                put_cstr(out, "refused by rowgate");
                out.put_u16(0);
            });
        } else {
            self.carried.unnamed = None;
            put(self.output(), b'Q', |out| put_cstr(out, "refused by rowgate"));
        }
    }

    /// One of rowgate's own statements: a constant, its values as parameters. It is followed by Flush, so that it
    /// stays within the client's implicit transaction, or by Sync.
    pub fn own_statement(&mut self, text: &'static str, values: &[&str], sync: bool) {
        self.own_text(text, values, sync);
    }

    /// The auth query, which is the operator's text.
    pub(super) fn own_text(&mut self, text: &str, values: &[&str], sync: bool) {
        let out = self.output();
        put(out, b'P', |out| {
            put_cstr(out, "rowgate:own");
            put_cstr(out, text);
            out.put_u16(0);
        });
        put(out, b'B', |out| {
            put_cstr(out, "rowgate:own");
            put_cstr(out, "rowgate:own");
            out.put_u16(0);
            out.put_u16(u16::try_from(values.len()).unwrap_or(0));
            for value in values {
                out.put_i32(i32::try_from(value.len()).unwrap_or(0));
                out.put_slice(value.as_bytes());
            }
            out.put_u16(0);
        });
        self.execute("rowgate:own", 0);
        self.close(b'P', "rowgate:own");
        self.close(b'S', "rowgate:own");
        if sync {
            self.sync();
        } else {
            self.flush();
        }
    }

    /// Runs one of rowgate's own statements on a connection that no session holds.
    pub async fn run(&mut self, text: &'static str, values: &[&str]) -> Result<Rows, ConnectError> {
        self.run_text(text, values).await
    }

    pub(super) async fn run_text(&mut self, text: &str, values: &[&str]) -> Result<Rows, ConnectError> {
        self.own_text(text, values, true);
        self.collect().await
    }

    /// Ends whatever the last session left: transaction, settings, temp tables, statements, cursors, channels,
    /// locks. Everything that had been sent must have been answered.
    pub async fn clean(&mut self) -> Result<(), ConnectError> {
        for text in ["ROLLBACK", "DISCARD ALL"] {
            put(self.output(), b'Q', |out| put_cstr(out, text));
            self.collect().await?;
        }
        self.carried = Carried::default();
        self.clean = true;
        Ok(())
    }

    /// Closes prepared statements of these names, those that do not exist too.
    pub async fn close_statements(&mut self, names: &[Box<str>]) -> Result<(), ConnectError> {
        for name in names {
            self.close(b'S', name);
        }
        self.sync();
        self.collect().await.map(drop)
    }

    /// Reads until ReadyForQuery.
    async fn collect(&mut self) -> Result<Rows, ConnectError> {
        self.channel.drain().await?;
        let mut rows = Rows::new();
        let mut failed = None;
        loop {
            let Some((tag, body)) = frame::take(&mut self.channel.input, |_| LONGEST_ANSWER)? else {
                if self.channel.fill().await? == 0 {
                    return Err(ConnectError::Io(std::io::ErrorKind::UnexpectedEof.into()));
                }
                continue;
            };
            match tag {
                b'D' => rows.push(row(&body)?),
                b'E' => failed = Some(Fields::decode(&body)?),
                b'S' => self.note_parameter(&body)?,
                b'Z' => break,
                _ => {}
            }
        }
        match failed {
            None => Ok(rows),
            Some(fields) => Err(ConnectError::Refused(Box::new(fields))),
        }
    }

    /// Remembers a ParameterStatus.
    pub fn note_parameter(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let mut reader = Body::new(body);
        let name = String::from_utf8_lossy(reader.cstr_bytes()?).into_owned();
        let value = String::from_utf8_lossy(reader.cstr_bytes()?).into_owned();
        Arc::make_mut(&mut self.parameters).insert(name, value);
        reader.finish()
    }

    /// Has the server closed it, or said anything that nobody asked for, while it lay in the pool?
    pub fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        self.channel.input.is_empty() && matches!(self.channel.poll_fill(&mut cx), Poll::Pending)
    }
}

/// One DataRow of text values.
pub fn row(body: &[u8]) -> Result<Vec<Option<String>>, Malformed> {
    let mut reader = Body::new(body);
    let count = reader.u16()?;
    let mut row = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        row.push(match usize::try_from(reader.i32()?) {
            Ok(length) => Some(String::from_utf8_lossy(reader.bytes(length)?).into_owned()),
            Err(_) => None,
        });
    }
    reader.finish()?;
    Ok(row)
}
