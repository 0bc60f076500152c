//! What logins over TLS are tried with: authorities, certificates, an identity provider's tokens, psql, and raw messages.

use super::Database;
use super::gate::{Gate, OPEN_POLICY};
use super::raw::PATIENCE;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::BytesMut;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
};
use rcgen::{KeyUsagePurpose, RevokedCertParams, SerialNumber};
use rowgate::net::frame;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// An authority of client certificates.
pub struct Authority {
    pub issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Writes a list of what is revoked, by numbers, that is good from some days after today for some days.
    pub fn revoke(&self, directory: &Path, name: &str, numbers: &[u64], days: std::ops::Range<i64>) {
        let day = std::time::Duration::from_secs(86_400);
        let at = |days: i64| {
            let now = std::time::SystemTime::now();
            let far = day * u32::try_from(days.unsigned_abs()).unwrap();
            if days < 0 { now - far } else { now + far }
        };
        let revoked = |number: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*number),
            revocation_time: at(-1).into(),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: at(days.start).into(),
            next_update: at(days.end).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        write(directory, name, &list.signed_by(&self.issuer).unwrap().pem().unwrap());
    }

    /// Writes a client's certificate and key; gives their paths.
    pub fn issue(
        &self,
        directory: &Path,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let number: String = key.public_key_raw()[1..5].iter().map(|b| format!("{b:02x}")).collect();
        let file = format!("client-{number}");
        let cert = write(
            directory,
            &format!("{file}.crt"),
            &params.signed_by(&key, &self.issuer).unwrap().pem(),
        );
        (cert, write(directory, &format!("{file}.key"), &key.serialize_pem()))
    }
}

pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Writes a certificate for `localhost` and its key.
pub fn server_certificate(files: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write(files, "server.crt", &made.cert.pem());
    write(files, "server.key", &made.signing_key.serialize_pem());
}

/// A gate with a certificate of its own and more lines of configuration; `FILES` in them stands for the directory.
pub async fn tls_gate(database: &Database, files: &Path, more: &str) -> Gate {
    server_certificate(files);
    let more = format!("[tls]\nmode = \"allow\"\ncert = \"FILES/server.crt\"\nkey = \"FILES/server.key\"\n{more}");
    Gate::with(database, OPEN_POLICY, &more.replace("FILES", &files.to_string_lossy())).await
}

/// What psql says to a statement: its answer, or the error.
pub async fn psql(gate: &Gate, database: &Database, login: &str, password: &str, more: &str) -> String {
    let url = format!(
        "host=localhost port={} user='{}' dbname={} {more}",
        gate.port(),
        login.replace('\\', "\\\\").replace('\'', "\\'"),
        database.name
    );
    let mut command = Command::new("psql");
    command.args([url.as_str(), "-X", "-At", "-w", "-c", "SELECT 'in'"]);
    command.env("PGPASSWORD", password).env("PGSSLROOTCERT", "/nonexistent");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = if output.status.success() {
        output.stdout
    } else {
        output.stderr
    };
    let said = String::from_utf8_lossy(&said);
    said.rsplit("FATAL:  ").next().unwrap().trim().to_owned()
}

pub fn denied(login: &str) -> String {
    format!("password authentication failed for user \"{login}\"")
}

pub fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

pub fn set(claims: &mut Value, change: &[(&str, Value)]) {
    for (name, value) in change {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(*name);
        } else {
            claims[*name] = value.clone();
        }
    }
}

/// The token with another header and no signature, or the old one.
pub fn reheaded(token: &str, header: &Value, signed: bool) -> String {
    let mut parts = token.split('.');
    let (_, claims, signature) = (parts.next(), parts.next().unwrap(), parts.next().unwrap());
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    format!("{header}.{claims}.{}", if signed { signature } else { "" })
}

/// A provider's key pair.
pub struct Pair {
    pub name: &'static str,
    pub pair: KeyPair,
}

impl Pair {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            pair: KeyPair::generate().unwrap(),
        }
    }

    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key_raw();
        let half = |range| URL_SAFE_NO_PAD.encode::<&[u8]>(&point[range]);
        json!({"kty": "EC", "crv": "P-256", "kid": self.name, "use": "sig", "alg": "ES256", "x": half(1..33), "y": half(33..65)})
    }

    pub fn sign(&self, change: &[(&str, Value)]) -> String {
        let mut claims = json!({
            "iss": "https://id.example.com", "aud": ["account", "rowgate"], "preferred_username": "alice",
            "iat": now(), "exp": now() + 300,
        });
        set(&mut claims, change);
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.name.to_owned());
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }
}

/// A connection over TLS that speaks message by message.
pub struct Secure {
    stream: TlsStream<TcpStream>,
    input: BytesMut,
}

impl Secure {
    /// Shakes hands without a request before it.
    pub async fn open(gate: &Gate, files: &Path) -> Self {
        use rustls_pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        let certificate = rustls_pki_types::CertificateDer::from_pem_file(files.join("server.crt")).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", gate.port())).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        Self {
            stream: connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap(),
            input: BytesMut::new(),
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next message; `None` at the end of the connection.
    pub async fn message(&mut self) -> Option<(u8, BytesMut)> {
        loop {
            if let Some(message) = frame::take(&mut self.input, |_| usize::MAX).unwrap() {
                return Some(message);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input));
            if !matches!(read.await.expect("no answer in time"), Ok(count) if count > 0) {
                return None;
            }
        }
    }
}
