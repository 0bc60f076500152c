//! A small blocking PostgreSQL client that keeps everything the server said, byte for byte, so that two servers can be compared.

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
}

/// One field of a RowDescription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub table: u32,
    pub number: i16,
    pub type_oid: u32,
    pub typmod: i32,
}

/// One row; `None` is NULL, the bytes are as sent.
pub type Row = Vec<Option<Vec<u8>>>;

/// What one statement of a text yielded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultSet {
    pub fields: Option<Vec<Field>>,
    pub rows: Vec<Row>,
    pub copied: Vec<u8>,
    pub tag: String,
}

/// The fields of an ErrorResponse or a NoticeResponse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub fields: Vec<(u8, String)>,
}

impl Report {
    /// The field of this letter, empty where it is absent.
    pub fn get(&self, letter: u8) -> &str {
        self.fields
            .iter()
            .find(|(l, _)| *l == letter)
            .map_or("", |(_, v)| v.as_str())
    }

    pub fn code(&self) -> &str {
        self.get(b'C')
    }

    pub fn message(&self) -> &str {
        self.get(b'M')
    }
}

/// Everything a server answered to one exchange.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub results: Vec<ResultSet>,
    pub error: Option<Report>,
    pub notices: Vec<Report>,
    pub parameter_types: Vec<u32>,
    /// Every byte of every message but ReadyForQuery: what canaries are looked for in.
    pub raw: Vec<u8>,
    /// Transaction status of the closing ReadyForQuery.
    pub status: u8,
}

/// How a statement travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Simple,
    ExtendedText,
    ExtendedBinary,
}

/// A connection that is up.
pub struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    pub address: Address,
    /// What the next COPY … FROM STDIN gets; where nothing is set, it is told that there is nothing.
    pub copy_data: Option<Vec<u8>>,
}

fn cstr(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(body);
    out
}

/// Reads big-endian integers and C strings off a message body.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self, n: usize) -> &[u8] {
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        head
    }
    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }
    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }
    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }
    fn text(&mut self) -> String {
        let end = self.0.iter().position(|&b| b == 0).expect("a C string");
        let text = String::from_utf8_lossy(self.take(end)).into_owned();
        self.take(1);
        text
    }
}

fn report(body: &[u8]) -> Report {
    let mut at = Cursor(body);
    let mut fields = Vec::new();
    loop {
        let letter = at.u8();
        if letter == 0 {
            return Report { fields };
        }
        let value = at.text();
        fields.push((letter, value));
    }
}

fn other(text: impl Into<String>) -> io::Error {
    io::Error::other(text.into())
}

impl Client {
    /// Connects and logs in (trust, clear password or SCRAM), without TLS.
    pub fn connect(address: &Address) -> io::Result<Self> {
        let stream = TcpStream::connect((address.host.as_str(), address.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(90)))?;
        let mut client = Self {
            reader: BufReader::with_capacity(1 << 16, stream.try_clone()?),
            writer: stream,
            address: address.clone(),
            copy_data: None,
        };
        let mut body = 196_608u32.to_be_bytes().to_vec();
        for (key, value) in [
            ("user", address.user.as_str()),
            ("database", address.database.as_str()),
            ("client_encoding", "UTF8"),
            ("application_name", "asif"),
        ] {
            cstr(&mut body, key);
            cstr(&mut body, value);
        }
        body.push(0);
        let mut startup = (body.len() as u32 + 4).to_be_bytes().to_vec();
        startup.extend_from_slice(&body);
        client.writer.write_all(&startup)?;
        client.log_in()?;
        Ok(client)
    }

    fn log_in(&mut self) -> io::Result<()> {
        let mut scram: Option<ScramSha256> = None;
        loop {
            let (kind, body) = self.message()?;
            match kind {
                b'R' => {
                    let mut at = Cursor(&body);
                    match at.i32() {
                        0 => {}
                        3 => {
                            let mut reply = Vec::new();
                            cstr(&mut reply, &self.address.password);
                            self.writer.write_all(&frame(b'p', &reply))?;
                        }
                        10 => {
                            let state =
                                ScramSha256::new(self.address.password.as_bytes(), ChannelBinding::unsupported());
                            let mut reply = Vec::new();
                            cstr(&mut reply, SCRAM_SHA_256);
                            reply.extend_from_slice(&(state.message().len() as i32).to_be_bytes());
                            reply.extend_from_slice(state.message());
                            self.writer.write_all(&frame(b'p', &reply))?;
                            scram = Some(state);
                        }
                        11 => {
                            let state = scram.as_mut().ok_or_else(|| other("SASL out of turn"))?;
                            state.update(at.0)?;
                            let reply = state.message().to_vec();
                            self.writer.write_all(&frame(b'p', &reply))?;
                        }
                        12 => scram.as_mut().ok_or_else(|| other("SASL out of turn"))?.finish(at.0)?,
                        n => return Err(other(format!("authentication method {n}"))),
                    }
                }
                b'E' => return Err(other(format!("login refused: {:?}", report(&body)))),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    fn message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0u8; 5];
        self.reader.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0u8; length - 4];
        self.reader.read_exact(&mut body)?;
        Ok((head[0], body))
    }

    /// Sends a text by the simple protocol.
    pub fn simple(&mut self, sql: &str) -> io::Result<Answer> {
        let mut body = Vec::new();
        cstr(&mut body, sql);
        self.writer.write_all(&frame(b'Q', &body))?;
        self.collect()
    }

    /// Sends a text by the extended protocol: Parse, Describe, Bind, Describe, Execute, Sync in one go.
    ///
    /// `types` are the declared parameter types (0 for "infer"), `values` go in text format.
    pub fn extended(
        &mut self,
        sql: &str,
        types: &[u32],
        values: &[Option<String>],
        binary: bool,
        row_limit: i32,
    ) -> io::Result<Answer> {
        let mut out = Vec::new();
        let mut parse = Vec::new();
        cstr(&mut parse, "");
        cstr(&mut parse, sql);
        parse.extend_from_slice(&(types.len() as i16).to_be_bytes());
        for oid in types {
            parse.extend_from_slice(&oid.to_be_bytes());
        }
        out.extend(frame(b'P', &parse));
        out.extend(frame(b'D', b"S\0"));
        let mut bind = Vec::new();
        cstr(&mut bind, "");
        cstr(&mut bind, "");
        bind.extend_from_slice(&0i16.to_be_bytes());
        bind.extend_from_slice(&(values.len() as i16).to_be_bytes());
        for value in values {
            match value {
                None => bind.extend_from_slice(&(-1i32).to_be_bytes()),
                Some(v) => {
                    bind.extend_from_slice(&(v.len() as i32).to_be_bytes());
                    bind.extend_from_slice(v.as_bytes());
                }
            }
        }
        bind.extend_from_slice(&1i16.to_be_bytes());
        bind.extend_from_slice(&i16::from(binary).to_be_bytes());
        out.extend(frame(b'B', &bind));
        out.extend(frame(b'D', b"P\0"));
        let portal_executions = if row_limit > 0 { 3 } else { 1 };
        for n in 0..portal_executions {
            let mut execute = Vec::new();
            cstr(&mut execute, "");
            let limit = if n + 1 == portal_executions { 0 } else { row_limit };
            execute.extend_from_slice(&limit.to_be_bytes());
            out.extend(frame(b'E', &execute));
        }
        out.extend(frame(b'S', b""));
        self.writer.write_all(&out)?;
        self.collect()
    }

    /// Sends raw bytes (the attack cases do) and gathers until ReadyForQuery.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<Answer> {
        self.writer.write_all(bytes)?;
        self.collect()
    }

    fn collect(&mut self) -> io::Result<Answer> {
        let mut answer = Answer::default();
        let mut current = ResultSet::default();
        loop {
            let (kind, body) = self.message()?;
            if kind != b'Z' {
                answer.raw.extend_from_slice(&body);
                answer.raw.push(b'\n');
            }
            let mut at = Cursor(&body);
            match kind {
                b'T' => {
                    let n = at.i16();
                    let fields = (0..n)
                        .map(|_| {
                            let name = at.text();
                            let table = at.i32() as u32;
                            let number = at.i16();
                            let type_oid = at.i32() as u32;
                            let _length = at.i16();
                            let typmod = at.i32();
                            let _format = at.i16();
                            Field {
                                name,
                                table,
                                number,
                                type_oid,
                                typmod,
                            }
                        })
                        .collect();
                    current.fields = Some(fields);
                }
                b'D' => {
                    let n = at.i16();
                    let row = (0..n)
                        .map(|_| {
                            let length = at.i32();
                            (length >= 0).then(|| at.take(length as usize).to_vec())
                        })
                        .collect();
                    current.rows.push(row);
                }
                b'd' => current.copied.extend_from_slice(&body),
                b'C' => {
                    current.tag = at.text();
                    answer.results.push(std::mem::take(&mut current));
                }
                b'I' => answer.results.push(std::mem::take(&mut current)),
                b't' => {
                    let n = at.i16();
                    answer.parameter_types = (0..n).map(|_| at.i32() as u32).collect();
                }
                b'E' => {
                    let error = report(&body);
                    if error.get(b'S') == "FATAL" {
                        answer.error = Some(error);
                        return Ok(answer);
                    }
                    answer.error = Some(error);
                }
                b'N' => answer.notices.push(report(&body)),
                b'G' => match self.copy_data.take() {
                    Some(data) => {
                        let mut out = Vec::new();
                        // pieces that end anywhere
                        for piece in data.chunks(23) {
                            out.extend(frame(b'd', piece));
                        }
                        out.extend(frame(b'c', b""));
                        self.writer.write_all(&out)?;
                    }
                    None => {
                        let mut fail = Vec::new();
                        cstr(&mut fail, "no");
                        self.writer.write_all(&frame(b'f', &fail))?;
                    }
                },
                b'Z' => {
                    answer.status = at.u8();
                    if current != ResultSet::default() {
                        answer.results.push(current);
                    }
                    return Ok(answer);
                }
                _ => {}
            }
        }
    }
}
