//! `[login]` and `[passwords]`: where passwords come from, and what they are held to.

use super::read::{Section, Source};
use crate::login::lockout;
use crate::login::passwords::PasswordRules;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The auth query where the configuration names none.
pub const DEFAULT_AUTH_QUERY: &str =
    "SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename OPERATOR(pg_catalog.=) $1";

/// How people prove who they are.
#[derive(Debug, Clone)]
pub struct Login {
    /// `method`
    pub method: LoginMethod,
    /// `auth_query`: for `upstream`: a query on the database with the login as `$1` that gives the login and its
    /// SCRAM verifier.
    pub auth_query: String,
    /// `users_file`: for `users_file`: lines of `"login" "SCRAM-SHA-256$…"`.
    pub users_file: Option<PathBuf>,
    /// `scram_iterations`: as many as stored verifiers have (PostgreSQL's setting of that name), for those who are made up;
    /// 4096 unless told.
    pub scram_iterations: usize,
    /// `decoy_key`: file with a secret that salts of unknown logins are made from; out of the key of `[tls]` unless told.
    pub decoy_key: Option<PathBuf>,
    /// `totp_key`: file with a secret that second factors are made with where no users file keeps them.
    pub totp_key: Option<PathBuf>,
    /// `attempts`: failures of one login at one address before it is locked there, 5 unless told;
    /// `attempts_per_address`: failures at one address, whatever the login, 100 unless told; `lock`: the first lock,
    /// 5 s unless told, doubled by each further failure up to `longest_lock`, 15 min unless told.
    pub lockout: lockout::Bounds,
    /// `sessions`: what becomes of those whose token, certificate or access hours end; they end unless told.
    pub sessions: Sessions,
}

/// What becomes of a session whose token or certificate ends, or whom no access rule lets in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// It ends.
    End,
    /// It goes on: only logins are asked.
    Keep,
}

/// Where SCRAM verifiers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// The database's own role passwords, by `auth_query`.
    Upstream,
    /// A file.
    UsersFile,
    /// The schema `rowgate`, where temporary rights are kept.
    Rowgate,
}

impl Login {
    pub(super) fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path, has_rights: bool) -> Self {
        let words = [
            ("upstream", LoginMethod::Upstream),
            ("users_file", LoginMethod::UsersFile),
            ("rowgate", LoginMethod::Rowgate),
        ];
        let method = section.choice(source, "method", &words, LoginMethod::Upstream);
        if method == LoginMethod::Rowgate && !has_rights {
            source.error(
                section.span_of("method"),
                "login.method \"rowgate\" needs the schema that rights are kept in",
                "write a section [rights] and run rowgate init",
            );
        }
        let auth_query = section
            .text(source, "auth_query")
            .unwrap_or_else(|| DEFAULT_AUTH_QUERY.to_owned());
        let users_file = match method {
            LoginMethod::Upstream | LoginMethod::Rowgate => section.text(source, "users_file"),
            LoginMethod::UsersFile => Some(section.required(source, "users_file", "users.txt")),
        };
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let iterations = section.number(source, "scram_iterations", 4_096, 1..=10_000_000);
        let lockout = lockout::Bounds {
            attempts: count(section.number(source, "attempts", 5, 1..=1_000_000)),
            per_address: count(section.number(source, "attempts_per_address", 100, 1..=1_000_000)),
            lock: section.duration(source, "lock", Duration::from_secs(5)),
            longest: section.duration(source, "longest_lock", Duration::from_secs(900)),
        };
        let decoy_key = section.text(source, "decoy_key");
        let totp_key = section.text(source, "totp_key");
        if totp_key.is_some() && !has_rights {
            source.error(
                section.span_of("totp_key"),
                "login.totp_key needs the schema that rights are kept in",
                "write a section [rights] and run rowgate init",
            );
        }
        if totp_key.is_some() && method == LoginMethod::UsersFile {
            source.error(
                section.span_of("totp_key"),
                "login.totp_key is for passwords of the database and of rowgate's schema",
                "remove it: rowgate hash-password --totp writes second factors into the users file",
            );
        }
        let words = [("end", Sessions::End), ("keep", Sessions::Keep)];
        let sessions = section.choice(source, "sessions", &words, Sessions::End);
        section.finish(source);
        Self {
            method,
            auth_query,
            users_file: users_file.map(|p| base.join(p)),
            scram_iterations: usize::try_from(iterations).unwrap_or(4_096),
            decoy_key: decoy_key.map(|p| base.join(p)),
            totp_key: totp_key.map(|p| base.join(p)),
            lockout,
            sessions,
        }
    }
}

pub(super) fn read_passwords(mut section: Section<'_, '_>, source: &mut Source<'_>) -> PasswordRules {
    let known = PasswordRules::default();
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let rules = PasswordRules {
        shortest: count(section.number(source, "shortest", 12, 1..=1_000)),
        strength: u8::try_from(section.number(source, "strength", 3, 0..=4)).unwrap_or(known.strength),
        history: count(section.number(source, "history", 5, 0..=100)),
        days: section.number(source, "days", 0, 0..=36_500),
    };
    section.finish(source);
    rules
}
