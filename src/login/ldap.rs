//! Asks an LDAP directory whether a password is somebody's: by binding with it, as PostgreSQL's `ldap` method does.

use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions, dn_escape, ldap_escape,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// Stands for the login in a search filter.
pub const PLACE: &str = "$username";
/// The directory's word for a password that does not fit, or a name that is not there.
const INVALID_CREDENTIALS: u32 = 49;
/// There is more than was asked for.
const SIZE_LIMIT: u32 = 4;

/// `[ldap]`
#[derive(Debug, Clone)]
pub struct Settings {
    /// `server` and `port`, as URLs: the next one is asked where one is out of reach.
    pub urls: Vec<String>,
    /// TLS with them.
    pub tls: Tls,
    /// `root_cert`: PEM file with the authorities that their certificates must come from.
    pub root_cert: Option<PathBuf>,
    /// `timeout`: how long all of it may take; 5 s unless told.
    pub timeout: Duration,
    /// Whom a login stands for there.
    pub names: Names,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    No,
    /// `scheme = "ldaps"`: at once.
    AtOnce,
    /// `starttls = true`: before anything is told.
    Start,
}

/// Whom a login stands for.
#[derive(Debug, Clone)]
pub enum Names {
    /// The login between `prefix` and `suffix`.
    Made {
        /// What stands before it.
        prefix: String,
        /// What stands behind it.
        suffix: String,
    },
    /// The one entry that a search finds.
    Found {
        /// `basedn`: below which it stands.
        base: String,
        /// `binddn` and `bindpasswd`: who searches; anybody unless told.
        searcher: Option<(String, String)>,
        /// `searchfilter`, or one that `searchattribute` stands for; [`PLACE`] is the login.
        filter: String,
    },
}

/// Why a password is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum No {
    /// It does not fit, or there is no such name.
    Wrong(&'static str),
    /// Nobody can tell.
    OutOfReach(String),
}

impl From<LdapError> for No {
    fn from(error: LdapError) -> Self {
        Self::OutOfReach(error.to_string())
    }
}

/// One directory.
pub struct Directory {
    settings: Settings,
    connection: LdapConnSettings,
}

impl Directory {
    /// Reads the authorities.
    pub fn open(settings: Settings) -> Result<Self, String> {
        let mut connection = LdapConnSettings::new().set_starttls(settings.tls == Tls::Start);
        if let Some(path) = &settings.root_cert {
            let unusable = |error: &dyn std::fmt::Display| format!("{} cannot be used: {error}", path.display());
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(&e))? {
                let certificate = certificate.map_err(|e| unusable(&e))?;
                roots.add(certificate).map_err(|e| unusable(&e))?;
            }
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|e| unusable(&e))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            connection = connection.set_config(Arc::new(config));
        }
        Ok(Self { settings, connection })
    }

    /// Is this the login's password? The same is asked of the directory whoever is there. Where the answer is no anyway
    /// (`closed`) a name is tried that nobody has, so that guesses lock nobody out there.
    pub async fn check(self: Arc<Self>, login: &str, password: &str, closed: bool) -> Result<(), No> {
        // an empty one would be an anonymous bind, which succeeds
        if password.is_empty() {
            return Err(No::Wrong("empty-password"));
        }
        let (login, password, patience) = (login.to_owned(), password.to_owned(), self.settings.timeout);
        // by itself, as the library panics at answers that are no LDAP
        let asking = AbortOnDropHandle::new(tokio::spawn(async move { self.ask(&login, &password, closed).await }));
        match tokio::time::timeout(patience, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(No::OutOfReach(format!("its answer cannot be read: {error}"))),
            Err(_) => Err(No::OutOfReach("it does not answer in time".to_owned())),
        }
    }

    async fn ask(&self, login: &str, password: &str, closed: bool) -> Result<(), No> {
        let nobody = format!("{:032x}", rand::random::<u128>());
        let found = match &self.settings.names {
            Names::Made { prefix, suffix } => made(prefix, login, suffix).ok(),
            Names::Found { base, searcher, filter } => self.find(base, searcher.as_ref(), filter, login).await?,
        };
        let (name, known) = match (found.filter(|_| !closed), &self.settings.names) {
            (Some(name), _) => (name, true),
            // the same work for nobody
            (None, Names::Made { prefix, suffix }) => (made(prefix, &nobody, suffix)?, false),
            (None, Names::Found { base, .. }) => (format!("cn={nobody},{base}"), false),
        };
        let mut line = self.connect().await?;
        let answer = line.ldap.simple_bind(&name, password).await?;
        match answer.rc {
            0 if known => Ok(()),
            0 | INVALID_CREDENTIALS => Err(No::Wrong("wrong-password")),
            _ if !known => Err(No::Wrong("wrong-password")),
            code => Err(No::OutOfReach(format!("it answers {code} to a bind: {}", answer.text))),
        }
    }

    /// The name of the one entry that fits.
    async fn find(
        &self,
        base: &str,
        searcher: Option<&(String, String)>,
        filter: &str,
        login: &str,
    ) -> Result<Option<String>, No> {
        let mut line = self.connect().await?;
        if let Some((name, password)) = searcher {
            let bound = line.ldap.simple_bind(name, password).await?;
            if bound.rc != 0 {
                let why = format!("it does not let \"{name}\" search ({}): {}", bound.rc, bound.text);
                return Err(No::OutOfReach(why));
            }
        }
        let filter = filter.replace(PLACE, &ldap_escape(login));
        line.ldap.with_search_options(SearchOptions::new().sizelimit(2));
        // no attribute is of interest
        let found = line.ldap.search(base, Scope::Subtree, &filter, ["1.1"]).await?;
        if !matches!(found.1.rc, 0 | SIZE_LIMIT) {
            let why = format!("it answers {} to a search: {}", found.1.rc, found.1.text);
            return Err(No::OutOfReach(why));
        }
        let mut names = found.0.into_iter().map(|entry| SearchEntry::construct(entry).dn);
        let (first, second) = (names.next(), names.next());
        if second.is_some() || found.1.rc == SIZE_LIMIT {
            tracing::warn!(
                login,
                "more than one entry of the LDAP directory fits this login: it fits none"
            );
            return Ok(None);
        }
        Ok(first.filter(|name| !name.is_empty()))
    }

    /// A connection to the first server that is there.
    async fn connect(&self) -> Result<Line, No> {
        let each = self.settings.timeout / u32::try_from(self.settings.urls.len()).unwrap_or(1).max(1);
        let mut why = String::new();
        for url in &self.settings.urls {
            let connection = self.connection.clone().set_conn_timeout(each);
            match LdapConnAsync::with_settings(connection, url).await {
                Ok((connection, ldap)) => {
                    let driving = tokio::spawn(async move {
                        if let Err(error) = connection.drive().await {
                            tracing::debug!(%error, "a connection to the LDAP directory broke");
                        }
                    });
                    return Ok(Line {
                        ldap,
                        driving: AbortOnDropHandle::new(driving),
                    });
                }
                Err(error) => why = format!("{url}: {error}"),
            }
        }
        Err(No::OutOfReach(why))
    }
}

/// A connection, for as long as it is asked.
struct Line {
    ldap: Ldap,
    #[expect(dead_code, reason = "ends with the line")]
    driving: AbortOnDropHandle<()>,
}

/// The login between prefix and suffix: as a value of a distinguished name where the prefix begins one, otherwise
/// (`DOMAIN\login`, `login@domain`) as it is, if nothing in it could make it another name.
fn made(prefix: &str, login: &str, suffix: &str) -> Result<String, No> {
    if prefix.ends_with('=') {
        return Ok(format!("{prefix}{}{suffix}", dn_escape(login)));
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    if login.is_empty() || !login.chars().all(plain) {
        return Err(No::Wrong("login-not-for-ldap"));
    }
    Ok(format!("{prefix}{login}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_values_and_nothing_else() {
        let dn = |login| made("uid=", login, ",ou=people,dc=example").unwrap();
        assert_eq!(dn("alice"), "uid=alice,ou=people,dc=example");
        assert_eq!(dn("alice,ou=admins"), "uid=alice\\2cou\\3dadmins,ou=people,dc=example");
        assert_eq!(dn(" a+b\\"), "uid=\\20a\\2bb\\5c,ou=people,dc=example");
        assert_eq!(made("", "alice", "@example.com").unwrap(), "alice@example.com");
        assert_eq!(made("EXAMPLE\\", "li.wei", "").unwrap(), "EXAMPLE\\li.wei");
        for bad in ["", "alice@other.org", "a\\b", "cn=x,dc=y", "a b", "a\0"] {
            assert!(made("", bad, "@example.com").is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_empty_password_is_not_sent() {
        let settings = Settings {
            urls: vec!["ldap://127.0.0.1:1".to_owned()],
            tls: Tls::No,
            root_cert: None,
            timeout: Duration::from_secs(1),
            names: Names::Made {
                prefix: "uid=".to_owned(),
                suffix: String::new(),
            },
        };
        let directory = Arc::new(Directory::open(settings).unwrap());
        assert_eq!(
            Arc::clone(&directory).check("alice", "", false).await,
            Err(No::Wrong("empty-password"))
        );
        let said = directory.check("alice", "x", false).await;
        assert!(
            matches!(&said, Err(No::OutOfReach(why)) if why.starts_with("ldap://127.0.0.1:1: ")),
            "{said:?}"
        );
    }
}
