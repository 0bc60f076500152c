//! TLS towards clients: the certificate, its key, and what SCRAM binds a login to.

use pgwire::api::auth::sasl::scram::ScramServerAuth;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Everything that a TLS connection with a client needs.
#[derive(Clone)]
pub struct ServerTls {
    /// Shakes hands.
    pub acceptor: TlsAcceptor,
    /// SCRAM that knows this certificate; without channel binding where its signature has no known hash.
    pub scram: ScramServerAuth,
}

impl ServerTls {
    /// Reads the certificate chain and the key.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, String> {
        let pem = std::fs::read(cert).map_err(|e| format!("cannot read the certificate {}: {e}", cert.display()))?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|e| format!("{} is not a PEM certificate: {e}", cert.display()))?;
        let key_der = PrivateKeyDer::from_pem_file(key)
            .map_err(|e| format!("cannot read the private key {}: {e}", key.display()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|b| b.with_no_client_auth().with_single_cert(chain, key_der))
            .map_err(|e| format!("{} and {} cannot be used: {e}", cert.display(), key.display()))?;
        // clients that begin with TLS at once (sslnegotiation=direct) must offer this
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        let mut scram = ScramServerAuth::new();
        if let Err(error) = scram.configure_certificate(&pem) {
            tracing::warn!(%error, "SCRAM channel binding is off: the certificate's signature has no known hash");
        }
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            scram,
        })
    }
}
