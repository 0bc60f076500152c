//! A client that speaks the protocol message by message, and prints what comes back.

use bytes::{BufMut, BytesMut};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use rowgate::net::frame::{self, put, put_cstr};
use rowgate::net::{Body, Fields};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a message may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Raw {
    pub socket: TcpStream,
    input: BytesMut,
    /// Process and secret for a cancel request.
    pub key: (i32, i32),
}

/// A startup packet.
pub fn startup(parameters: &[(&str, &str)]) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_i32(196_608);
    for (name, value) in parameters {
        put_cstr(&mut body, name);
        put_cstr(&mut body, value);
    }
    body.put_u8(0);
    let mut packet = BytesMut::new();
    packet.put_i32(i32::try_from(body.len()).unwrap() + 4);
    packet.extend_from_slice(&body);
    packet
}

/// SASLInitialResponse for SCRAM without channel binding.
pub fn sasl_initial(data: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put(&mut out, b'p', |out| {
        put_cstr(out, "SCRAM-SHA-256");
        out.put_i32(i32::try_from(data.len()).unwrap());
        out.put_slice(data);
    });
    out
}

/// SASLResponse, or a password in clear where `data` ends with a NUL.
pub fn sasl_response(data: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put(&mut out, b'p', |out| out.put_slice(data));
    out
}

impl Raw {
    fn over(socket: TcpStream) -> Self {
        Self {
            socket,
            input: BytesMut::new(),
            key: (0, 0),
        }
    }

    /// A connection that has said nothing.
    pub async fn open(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self::over(socket)
    }

    /// Asks a server to cancel the statement of whoever was given this key, and waits until it has hung up.
    pub async fn cancel(port: u16, (process, secret): (i32, i32)) {
        let mut other = Self::open(port).await;
        let mut packet = vec![0, 0, 0, 16, 4, 210, 22, 46];
        packet.extend_from_slice(&process.to_be_bytes());
        packet.extend_from_slice(&secret.to_be_bytes());
        other.send(&packet).await;
        assert!(other.message().await.is_none());
    }

    /// The same with little room for what the client has not read.
    pub async fn open_narrow(port: u16) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        super::relay::narrow(&socket);
        let socket = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        Self::over(socket)
    }

    /// The same from another address of this machine, such as 127.0.0.2.
    pub async fn open_from(port: u16, address: &str) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let socket = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        Self::over(socket)
    }

    /// A connection that is logged in, or the error that it got.
    pub async fn login(port: u16, login: &str, password: &str, more: &[(&str, &str)]) -> Result<Self, String> {
        Self::open(port).await.log_in(login, password, more).await
    }

    /// Logs in on a fresh connection.
    pub async fn log_in(mut self, login: &str, password: &str, more: &[(&str, &str)]) -> Result<Self, String> {
        let raw = &mut self;
        let mut parameters = vec![("user", login)];
        parameters.extend_from_slice(more);
        raw.send(&startup(&parameters)).await;
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let (tag, body) = raw.message().await.ok_or("closed")?;
            let mut reader = Body::new(&body);
            match tag {
                b'R' => match reader.i32().unwrap() {
                    10 => raw.send(&sasl_initial(scram.message())).await,
                    11 => {
                        scram.update(reader.rest()).unwrap();
                        raw.send(&sasl_response(scram.message())).await;
                    }
                    12 => scram.finish(reader.rest()).unwrap(),
                    _ => {}
                },
                b'K' => raw.key = (reader.i32().unwrap(), reader.i32().unwrap()),
                b'E' => return Err(print(tag, &body)),
                b'Z' => return Ok(self),
                _ => {}
            }
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// The next message; `None` at the end of the connection.
    pub async fn message(&mut self) -> Option<(u8, BytesMut)> {
        loop {
            if let Some(message) = frame::take(&mut self.input, |_| usize::MAX).unwrap() {
                return Some(message);
            }
            let read = tokio::time::timeout(PATIENCE, self.socket.read_buf(&mut self.input))
                .await
                .expect("no answer in time");
            if !matches!(read, Ok(count) if count > 0) {
                return None;
            }
        }
    }

    /// Messages as text up to the `count`th ReadyForQuery, or the end; ParameterStatus left out.
    pub async fn until_ready(&mut self, mut count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while count > 0 {
            let Some((tag, body)) = self.message().await else {
                lines.push("closed".to_owned());
                break;
            };
            if tag != b'S' {
                lines.push(print(tag, &body));
            }
            // COPY FROM waits for data as ReadyForQuery does for a statement
            count -= usize::from(matches!(tag, b'Z' | b'G'));
        }
        lines
    }

    /// Messages as text until nothing comes for a moment.
    pub async fn until_quiet(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(message) = tokio::time::timeout(Duration::from_millis(300), self.message()).await {
            match message {
                Some((b'S', _)) => {}
                Some((tag, body)) => lines.push(print(tag, &body)),
                None => {
                    lines.push("closed".to_owned());
                    break;
                }
            }
        }
        lines
    }

    /// Sends one simple query and prints its answer.
    pub async fn query(&mut self, sql: &str) -> Vec<String> {
        let message = command(&format!("Q {sql}"));
        self.send(&message).await;
        self.until_ready(1).await
    }
}

/// One message of a client, from its text: `Q sql`, `P name | sql | type type`, `B portal | statement | value | …`
/// (`NULL` for NULL), `D S name`, `D P name`, `E portal | max`, `C S name`, `S`, `H`, `F`, `X`; `d data` (with `\t` and `\n`), `c`, `f reason`.
pub fn command(text: &str) -> BytesMut {
    let (tag, rest) = text.split_once(' ').unwrap_or((text, ""));
    let parts: Vec<&str> = rest.split('|').map(str::trim).collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or("");
    let mut out = BytesMut::new();
    put(&mut out, tag.as_bytes()[0], |out| match tag {
        "Q" => put_cstr(out, rest),
        "P" => {
            put_cstr(out, part(0));
            put_cstr(out, part(1));
            let types: Vec<u32> = part(2).split_whitespace().map(|t| t.parse().unwrap()).collect();
            out.put_u16(u16::try_from(types.len()).unwrap());
            types.iter().for_each(|t| out.put_u32(*t));
        }
        "B" => {
            put_cstr(out, part(0));
            put_cstr(out, part(1));
            out.put_u16(0);
            let values = parts.get(2..).unwrap_or(&[]);
            out.put_u16(u16::try_from(values.len()).unwrap());
            for value in values {
                if *value == "NULL" {
                    out.put_i32(-1);
                } else {
                    out.put_i32(i32::try_from(value.len()).unwrap());
                    out.put_slice(value.as_bytes());
                }
            }
            out.put_u16(0);
        }
        "D" | "C" => {
            let (kind, name) = rest.split_once(' ').unwrap_or((rest, ""));
            out.put_u8(kind.as_bytes()[0]);
            put_cstr(out, name);
        }
        "E" => {
            put_cstr(out, part(0));
            out.put_i32(part(1).parse().unwrap_or(0));
        }
        "d" => out.put_slice(rest.replace("\\n", "\n").replace("\\t", "\t").as_bytes()),
        "f" => put_cstr(out, rest),
        "c" => {}
        "F" => out.put_slice(b"\0\0\0\x01\0\0\0\0\0\0"),
        "S" | "H" | "X" => {}
        other => panic!("unknown command {other}"),
    });
    out
}

/// One message of the server as text.
pub fn print(tag: u8, body: &[u8]) -> String {
    let mut reader = Body::new(body);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match tag {
        b'E' | b'N' => {
            let fields = Fields::decode(body).unwrap();
            let at = fields.get(b'P').map_or(String::new(), |p| format!(" @{p}"));
            let severity = fields.get(b'V').unwrap_or("");
            let shown = if matches!(severity, "ERROR") { "" } else { severity };
            let gap = if shown.is_empty() { "" } else { " " };
            format!(
                "{} {shown}{gap}{} {}{at}",
                char::from(tag),
                fields.sqlstate(),
                fields.message()
            )
        }
        b'T' => {
            let mut columns = Vec::new();
            for _ in 0..reader.u16().unwrap() {
                let name = text(reader.cstr_bytes().unwrap());
                reader.bytes(6).unwrap();
                let type_oid = reader.u32().unwrap();
                reader.bytes(8).unwrap();
                columns.push(format!("{name}:{type_oid}"));
            }
            format!("T {}", columns.join(" "))
        }
        b'D' => {
            let mut values = Vec::new();
            for _ in 0..reader.u16().unwrap() {
                values.push(match usize::try_from(reader.i32().unwrap()) {
                    Ok(length) => text(reader.bytes(length).unwrap()),
                    Err(_) => "NULL".to_owned(),
                });
            }
            format!("D {}", values.join("|"))
        }
        b't' => {
            let types: Vec<String> = (0..reader.u16().unwrap())
                .map(|_| reader.u32().unwrap().to_string())
                .collect();
            format!("t {}", types.join(" ")).trim_end().to_owned()
        }
        b'A' => {
            reader.bytes(4).unwrap();
            let channel = text(reader.cstr_bytes().unwrap());
            format!("A {channel} {}", text(reader.cstr_bytes().unwrap()))
        }
        b'Z' => format!("Z {}", text(body)),
        b'C' => format!("C {}", text(reader.cstr_bytes().unwrap())),
        b'd' => format!("d {}", text(body).trim_end()),
        b'H' | b'G' => format!("{} {} {}", char::from(tag), reader.u8().unwrap(), reader.u16().unwrap()),
        other => char::from(other).to_string(),
    }
}
