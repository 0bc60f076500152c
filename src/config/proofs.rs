//! `[token]` and `[jwt]`: what is taken in place of a password, and which certificates stand for whom.

use super::read::{Section, Source};
use crate::login::jwt::{ALGORITHMS, Keys, Provider};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Proofs beside passwords.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    /// `[token]`
    pub token: Option<TokenConfig>,
    /// `[jwt]`
    pub jwt: Option<Provider>,
}

/// Tokens that rowgate signs.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// `key`: a file with a secret of at least 32 characters, or with an Ed25519 public key (PEM).
    pub key: PathBuf,
    /// `longest`: the longest time that a token may be good for; 1 h unless told.
    pub longest: Duration,
}

impl Proofs {
    pub(super) fn read(root: &mut Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Self {
        Self {
            token: token(root.optional_section(source, "token"), source, base),
            jwt: jwt(root.optional_section(source, "jwt"), source, base),
        }
    }
}

fn token(section: Option<Section<'_, '_>>, source: &mut Source<'_>, base: &Path) -> Option<TokenConfig> {
    let mut section = section?;
    let config = TokenConfig {
        key: base.join(section.required(source, "key", "token.key")),
        longest: section.duration(source, "longest", Duration::from_secs(3_600)),
    };
    section.finish(source);
    Some(config)
}

fn jwt(section: Option<Section<'_, '_>>, source: &mut Source<'_>, base: &Path) -> Option<Provider> {
    let mut section = section?;
    let issuer = section.required(source, "issuer", "https://id.example.com");
    let audience = section.required(source, "audience", "rowgate");
    let claim = section.text(source, "claim");
    let scope = section.text(source, "scope");
    let discovery = section.text(source, "discovery");
    let algorithms = algorithms(section.texts(source, "algorithms"), source);
    let file = section
        .text(source, "keys_file")
        .map(|path| Keys::File(base.join(path)));
    let roots = section.text(source, "keys_root_cert").map(|path| base.join(path));
    let url = section.spanned_text(source, "keys_url").map(|(url, span)| {
        if !is_safe(&url) {
            source.error(
                span,
                "jwt.keys_url must begin with https://",
                "whoever can change the keys on their way can be anybody",
            );
        }
        Keys::Url(url, roots)
    });
    if file.is_some() == url.is_some() {
        source.error(
            section.own_span(),
            "jwt needs keys_file or keys_url, and not both",
            "keys_url = \"https://id.example.com/.well-known/jwks.json\"",
        );
    }
    let provider = Provider {
        issuer,
        audience,
        scope: scope.unwrap_or_else(|| "openid".to_owned()),
        discovery,
        claim: claim.unwrap_or_else(|| "preferred_username".to_owned()),
        algorithms,
        leeway: section.duration(source, "leeway", Duration::from_secs(30)),
        keys: file.or(url).unwrap_or_else(|| Keys::File(PathBuf::new())),
        refresh: section.duration(source, "refresh", Duration::from_secs(300)),
    };
    section.finish(source);
    Some(provider)
}

/// HTTPS, or an address that does not leave this machine.
fn is_safe(url: &str) -> bool {
    let local = [
        "http://127.0.0.1:",
        "http://127.0.0.1/",
        "http://localhost:",
        "http://localhost/",
        "http://[::1]:",
    ];
    url.starts_with("https://") || local.iter().any(|start| url.starts_with(start))
}

fn algorithms(texts: Option<Vec<(String, Range<usize>)>>, source: &mut Source<'_>) -> Vec<jsonwebtoken::Algorithm> {
    let Some(texts) = texts else {
        return vec![jsonwebtoken::Algorithm::RS256];
    };
    let mut all = Vec::new();
    for (text, span) in texts {
        match ALGORITHMS.iter().find(|(name, _)| *name == text) {
            Some((_, algorithm)) => all.push(*algorithm),
            None => {
                let known: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
                source.error(
                    span,
                    format!("jwt.algorithms cannot hold \"{text}\""),
                    format!("choose from: {}", known.join(", ")),
                );
            }
        }
    }
    all
}

/// `[certificates]`: a certificate's name and the login that it stands for.
pub(super) fn certificates(section: Section<'_, '_>, source: &mut Source<'_>) -> BTreeMap<String, String> {
    section.all_texts(source)
}
