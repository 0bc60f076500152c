//! Puts a session's settings in force: the policy's limits, then what the client asked for at startup.

use super::judging::Verdict;
use super::{End, Session};
use crate::gate::acting::NAMES;
use crate::name::{quote_ident, quote_literal, split_identifiers};
use crate::net::Fields;
use crate::refusal::{Refusal, SqlState};
use crate::wire::startup::{Startup, split_options};

/// One setting of rowgate's own.
const SET_CONFIG: &str = "SELECT pg_catalog.set_config($1, $2, false)";

/// Settings that old drivers send and nobody misses.
const IGNORED: [&str; 4] = ["extra_float_digits", "geqo", "jit", "ssl_renegotiation_limit"];

impl Session<'_> {
    /// Judges what the client asked for in its startup packet and puts everything in force.
    pub(super) async fn set_up(&mut self, startup: &Startup) -> Result<(), End> {
        if self.is_away()
            && let Err(refusal) = self.take_up().await?
        {
            return Err(End::Fatal(refusal));
        }
        self.touch_settings();
        self.act_from_start(startup).await?;
        if self.state.who.bypass {
            self.state.stale = false;
        } else if let Err(fields) = self.put_limits_in_force().await? {
            tracing::error!(
                login = self.state.login,
                "a limit of the policy cannot be put in force: {} ({})",
                fields.message(),
                fields.sqlstate()
            );
            return Err(End::Fatal(
                Refusal::new(
                    "limit-not-in-force",
                    SqlState::CannotConnectNow,
                    "a limit of the policy cannot be put in force",
                )
                .hint("Tell the database administrator."),
            ));
        }
        let settings = settings(startup).map_err(End::Fatal)?;
        self.state.settings.reserve_exact(settings.len());
        for (name, value) in settings {
            if self.state.acting.is_some() && NAMES.contains(&name.as_str()) {
                continue;
            }
            let text = set_statement(&name, &value);
            match self.judge(&text, &[]).await? {
                Verdict::Allowed(judged) => {
                    let verified = judged.judgement.text.clone();
                    if let Err(mut fields) = self.run_quietly(&verified).await? {
                        fields.set(b'S', "FATAL");
                        fields.set(b'V', "FATAL");
                        fields.remove(b'P');
                        return Err(End::Upstream(fields));
                    }
                    self.state.stale |= name == "search_path";
                    self.state.settings.push((name, value));
                }
                Verdict::Refused(_) if IGNORED.contains(&name.as_str()) => {}
                Verdict::Refused(mut refusal) => {
                    refusal.offset = None;
                    refusal.detail = Some(match &refusal.detail {
                        Some(detail) => format!("The connection asked for the setting \"{name}\". {detail}"),
                        None => format!("The connection asked for the setting \"{name}\"."),
                    });
                    return Err(End::Fatal(refusal));
                }
                Verdict::Failed(fields) => return Err(End::Upstream(fields)),
                Verdict::Skipped => {}
            }
        }
        Ok(())
    }

    /// RESET ALL or DISCARD ALL went through, or the policy's limits are others now: what holds for the whole
    /// session holds again, as far as the person may have it now.
    pub(super) async fn put_settings_in_force(&mut self) -> Result<Result<(), Fields>, End> {
        if let Err(fields) = self.put_limits_in_force().await? {
            return Ok(Err(fields));
        }
        self.state.limits_changed = false;
        self.state.limits_in_transaction |= self.state.status != b'I' || self.state.segment_open;
        self.touch_settings();
        let (all, some) = (
            std::mem::take(&mut self.state.settings_lost),
            std::mem::take(&mut self.state.settings_reset),
        );
        let view = std::sync::Arc::clone(&self.state.view);
        for (name, value) in self.state.settings.clone() {
            if !all && !some.contains(&name) {
                continue;
            }
            // the rights may be others than at login, the person too: what they may not set stays at its limit
            let Ok(judged) = self.judge_under(&set_statement(&name, &value), &[], &view).await else {
                continue;
            };
            if let Err(fields) = self.run_quietly(&judged.judgement.text).await? {
                self.state.settings_lost = true;
                return Ok(Err(fields));
            }
        }
        Ok(Ok(()))
    }

    async fn put_limits_in_force(&mut self) -> Result<Result<(), Fields>, End> {
        let rights = std::sync::Arc::clone(&self.state.rights);
        for (name, value) in &rights.limits {
            if let Err(fields) = self.own_rows(SET_CONFIG, &[name, value]).await? {
                return Ok(Err(fields));
            }
        }
        Ok(Ok(()))
    }
}

/// What the startup packet sets, in PostgreSQL's order: `options` first.
fn settings(startup: &Startup) -> Result<Vec<(String, String)>, Refusal> {
    let protocol = |message: &str| Refusal::new("startup", SqlState::ProtocolViolation, message);
    let mut settings = Vec::new();
    if let Some(options) = startup.get("options") {
        settings = split_options(options).map_err(|e| protocol(e.0))?;
    }
    for (name, value) in &startup.parameters {
        if !matches!(name.as_str(), "user" | "database" | "options" | "replication") && !name.starts_with("_pq_.") {
            settings.push((name.clone(), value.clone()));
        }
    }
    let mut kept = Vec::new();
    for (name, value) in settings {
        let name = name.to_ascii_lowercase();
        if name == "client_encoding" {
            check_encoding(&value)?;
        } else {
            kept.push((name, value));
        }
    }
    Ok(kept)
}

/// Clients speak UTF-8. SQL_ASCII is what libpq asks for in the C locale and means "whatever the bytes are": it is
/// taken, and the bytes are UTF-8 as the server says they are.
fn check_encoding(value: &str) -> Result<(), Refusal> {
    let folded: String = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if matches!(folded.as_str(), "utf8" | "unicode" | "sqlascii") {
        return Ok(());
    }
    Err(Refusal::unsupported(
        "client-encoding",
        format!("client_encoding \"{value}\" is not supported"),
    )
    .hint("Set client_encoding (or PGCLIENTENCODING) to UTF8."))
}

/// The SET command for one setting.
fn set_statement(name: &str, value: &str) -> String {
    if name != "search_path" {
        return format!("SET {} TO {}", quote_setting(name), quote_literal(value));
    }
    let schemas: Vec<String> = split_identifiers(value).iter().map(|s| quote_ident(s)).collect();
    let list = if schemas.is_empty() {
        "''".to_owned()
    } else {
        schemas.join(", ")
    };
    format!("SET search_path TO {list}")
}

/// `timezone`, `"my.setting"` by parts.
fn quote_setting(name: &str) -> String {
    name.split('.').map(quote_ident).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_path_is_a_list_of_names() {
        assert_eq!(
            set_statement("search_path", r#"Sales, "My ""Own""", public"#),
            r#"SET search_path TO "sales", "My ""Own""", "public""#
        );
        assert_eq!(set_statement("search_path", ""), "SET search_path TO ''");
        assert_eq!(
            set_statement("datestyle", "ISO, MDY"),
            "SET \"datestyle\" TO 'ISO, MDY'"
        );
    }

    #[test]
    fn encodings() {
        for name in ["UTF8", "utf-8", "'UTF8'", "Unicode", "SQL_ASCII"] {
            assert!(check_encoding(name).is_ok(), "{name}");
        }
        assert!(check_encoding("LATIN1").is_err());
    }
}
