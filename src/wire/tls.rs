//! TLS towards clients: the certificate, its key, and what SCRAM binds a login to.

use pgwire::api::auth::sasl::scram::ScramServerAuth;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
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
    /// Reads the certificate chain and the key; and the authorities whose client certificates are asked for, with
    /// what they have revoked.
    pub fn load(cert: &Path, key: &Path, clients: Option<(&Path, Option<&Path>)>) -> Result<Self, String> {
        let pem = std::fs::read(cert).map_err(|e| format!("cannot read the certificate {}: {e}", cert.display()))?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|e| format!("{} is not a PEM certificate: {e}", cert.display()))?;
        let key_der = PrivateKeyDer::from_pem_file(key)
            .map_err(|e| format!("cannot read the private key {}: {e}", key.display()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match clients {
            None => WebPkiClientVerifier::no_client_auth(),
            Some((authorities, revoked)) => client_verifier(authorities, revoked, &provider)?,
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|b| b.with_client_cert_verifier(verifier).with_single_cert(chain, key_der))
            .map_err(|e| format!("{} and {} cannot be used: {e}", cert.display(), key.display()))?;
        // clients that begin with TLS at once (sslnegotiation=direct) must offer this
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        if clients.is_some() {
            // a resumed session would bring back a certificate that was looked at some time ago
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
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

/// Takes certificates of these authorities; a client may come without one.
fn client_verifier(
    authorities: &Path,
    revoked: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let unusable = |path: &Path, error: &dyn std::fmt::Display| format!("{} cannot be used: {error}", path.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(authorities).map_err(|e| unusable(authorities, &e))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| unusable(authorities, &e))?;
        roots.add(certificate).map_err(|e| unusable(authorities, &e))?;
    }
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).allow_unauthenticated();
    if let Some(path) = revoked {
        let lists = CertificateRevocationListDer::pem_file_iter(path).map_err(|e| unusable(path, &e))?;
        let lists: Vec<_> = lists.collect::<Result<_, _>>().map_err(|e| unusable(path, &e))?;
        builder = builder.with_crls(lists).only_check_end_entity_revocation();
        // as PostgreSQL: who knows what a list that is over does not say
        builder = builder.enforce_revocation_expiration();
    }
    builder.build().map_err(|e| unusable(authorities, &e))
}
