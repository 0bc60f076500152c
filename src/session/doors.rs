//! What logins are held to, as one: put in force at the start, and again on SIGHUP, as a whole or not at all.

use crate::config::{ClientTls, Config, Login, LoginMethod, TlsMode};
use crate::keeper::Source;
use crate::login::Rules;
use crate::login::factors::Factors;
use crate::login::jwt::{Keys, Provider};
use crate::login::kept::Kept;
use crate::login::keys::Issuer;
use crate::login::ldap::Directory;
use crate::login::passwords::PasswordRules;
use crate::login::token::Tokens;
use crate::wire::tls::ServerTls;
use crate::wire::users_file::{self, Entry};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sections of the configuration that say who comes in, with the files that they name.
pub struct Doors {
    /// Another one for each time that they were read.
    pub number: u64,
    /// `[tls] mode`
    pub tls_mode: TlsMode,
    /// TLS with clients.
    pub tls: Option<ServerTls>,
    /// `[login]`; its lock-outs are those of the start.
    pub login: Login,
    /// `[passwords]`
    pub passwords: PasswordRules,
    /// `[[access]]`
    pub access: Rules,
    /// `[certificates]`
    pub certificates: BTreeMap<String, String>,
    /// The users file's entries, where logins come from one.
    pub users: HashMap<String, Entry>,
    /// Checks tokens of rowgate's own.
    pub tokens: Option<Tokens>,
    /// Checks tokens of the identity provider.
    pub issuer: Option<Arc<Issuer>>,
    /// Asks the LDAP directory.
    pub ldap: Option<Arc<Directory>>,
    /// Passwords that rowgate keeps, where logins come from there.
    pub kept: Option<Kept>,
    /// Second factors that rowgate keeps, where they are not in the users file.
    pub factors: Option<Factors>,
}

impl Doors {
    /// Reads the files; the first that is wrong is the error. Keys that `before` has from the same address stay.
    pub async fn open(config: &Config, before: Option<&Self>) -> Result<Self, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let users = match (config.login.method, &config.login.users_file) {
            (LoginMethod::UsersFile, Some(path)) => users_file::load(path)?,
            _ => HashMap::new(),
        };
        let tokens = match &config.proofs.token {
            Some(token) => Some(Tokens::load(&token.key, token.longest)?),
            None => None,
        };
        let known = before.and_then(|doors| doors.issuer.as_ref());
        let issuer = match &config.proofs.jwt {
            Some(provider) => Some(issuer(provider, known).await?),
            None => None,
        };
        let ldap = config.ldap.clone().map(Directory::open).transpose()?;
        let rights = Source::from_config(config)?.rights;
        let kept = rights.as_ref().map(Kept::open).transpose()?;
        let factors = match (&kept, &config.login.totp_key) {
            (Some(kept), Some(key)) => Some(Factors::open(kept.clone(), key)?),
            _ => None,
        };
        Ok(Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            tls_mode: config.tls.mode,
            tls: tls(&config.tls)?,
            login: config.login.clone(),
            passwords: config.passwords,
            access: config.access.clone(),
            certificates: config.certificates.clone(),
            users,
            tokens,
            issuer,
            ldap: ldap.map(Arc::new),
            kept: kept.filter(|_| config.login.method == LoginMethod::Rowgate),
            factors,
        })
    }
}

fn tls(config: &ClientTls) -> Result<Option<ServerTls>, String> {
    let revoked = config.client_crl.as_deref();
    let clients = config.client_ca.as_deref().map(|ca| (ca, revoked));
    match (config.mode, &config.cert, &config.key) {
        (TlsMode::Off, ..) => Ok(None),
        (TlsMode::Allow | TlsMode::Require, Some(cert), Some(key)) => ServerTls::load(cert, key, clients).map(Some),
        (TlsMode::Allow | TlsMode::Require, ..) => Err("tls.cert and tls.key are needed".to_owned()),
    }
}

async fn issuer(provider: &Provider, known: Option<&Arc<Issuer>>) -> Result<Arc<Issuer>, String> {
    match known.filter(|known| matches!(provider.keys, Keys::Url(..)) && known.provider() == provider) {
        Some(known) => Ok(Arc::clone(known)),
        None => Issuer::open(provider.clone()).await.map(Arc::new),
    }
}
