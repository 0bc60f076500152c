//! A provider's keys as they are now: read at start, again after a while, and when a token names a key that is not among them.

use super::claims::{Pass, Unfit};
use super::jwt::{Checked, KeySet, Keys, Provider};
use arc_swap::ArcSwap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use ureq::tls::{Certificate, RootCerts, TlsConfig, parse_pem};

/// Between two tries to read the keys.
const PAUSE: Duration = Duration::from_secs(10);
/// How long keys that cannot be read again stay good.
const STALE: Duration = Duration::from_secs(3_600);
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer, in bytes.
const LARGEST: u64 = 1 << 20;

/// One provider with its keys.
pub struct Issuer {
    provider: Provider,
    known: ArcSwap<Known>,
    /// When they were last asked for.
    asked: Mutex<Instant>,
}

struct Known {
    keys: KeySet,
    /// When they were read; `None` where that has never worked.
    read: Option<Instant>,
}

impl Issuer {
    /// Reads the keys. A file that is wrong is an error; an address that does not answer is asked again when somebody
    /// comes.
    pub async fn open(provider: Provider) -> Result<Self, String> {
        let known = match read(&provider).await {
            Ok(keys) => Known {
                keys,
                read: Some(Instant::now()),
            },
            Err(error) if matches!(provider.keys, Keys::Url(..)) => {
                tracing::warn!("{error}: nobody can log in by jwt until they can be read");
                Known {
                    keys: KeySet::default(),
                    read: None,
                }
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            provider,
            known: ArcSwap::from_pointee(known),
            asked: Mutex::new(Instant::now()),
        })
    }

    /// Whose tokens they check.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What a token proves, if it holds; `now` in seconds since 1970.
    pub async fn check(&self, token: &str, now: f64) -> Result<Pass, Unfit> {
        let mut known = self.known.load_full();
        if known.read.is_none_or(|at| at.elapsed() > self.provider.refresh) {
            known = self.renewed(&known).await;
        }
        let mut checked = self.judged(token, &known, now);
        if checked == Checked::UnknownKey {
            known = self.renewed(&known).await;
            checked = self.judged(token, &known, now);
        }
        match checked {
            Checked::Holds(pass) => Ok(pass),
            Checked::UnknownKey => Err(Unfit("token-of-an-unknown-key")),
            Checked::Unfit(word) => Err(word),
        }
    }

    fn judged(&self, token: &str, known: &Known, now: f64) -> Checked {
        match known.read {
            Some(at) if at.elapsed() < self.provider.refresh.saturating_add(STALE) => {
                self.provider.check(token, &known.keys, now)
            }
            _ => Checked::Unfit(Unfit("keys-cannot-be-read")),
        }
    }

    /// Newer keys than these, if it is time to ask for them.
    async fn renewed(&self, old: &Arc<Known>) -> Arc<Known> {
        let mut asked = self.asked.lock().await;
        let now = self.known.load_full();
        if !Arc::ptr_eq(&now, old) || asked.elapsed() < PAUSE {
            return now;
        }
        *asked = Instant::now();
        match read(&self.provider).await {
            Ok(keys) => {
                let read = Some(Instant::now());
                self.known.store(Arc::new(Known { keys, read }));
            }
            Err(error) => tracing::error!("{error}: the keys that were read before stay in use for a while"),
        }
        self.known.load_full()
    }
}

async fn read(provider: &Provider) -> Result<KeySet, String> {
    let keys = provider.keys.clone();
    let place = match &keys {
        Keys::File(path) => path.display().to_string(),
        Keys::Url(url, _) => url.clone(),
    };
    let text = tokio::task::spawn_blocking(move || match &keys {
        Keys::File(path) => std::fs::read_to_string(path).map_err(|e| e.to_string()),
        Keys::Url(url, roots) => fetch(url, roots.as_deref()),
    })
    .await
    .unwrap_or_else(|e| Err(e.to_string()));
    text.and_then(|text| KeySet::parse(&text))
        .map_err(|error| format!("cannot read the keys at {place}: {error}"))
}

fn fetch(url: &str, roots: Option<&Path>) -> Result<String, String> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = roots {
        let pem = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates)));
    }
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .tls_config(tls.build())
        .build()
        .new_agent();
    let mut answer = agent.get(url).call().map_err(|e| e.to_string())?;
    let body = answer.body_mut().with_config().limit(LARGEST);
    body.read_to_string().map_err(|e| e.to_string())
}
