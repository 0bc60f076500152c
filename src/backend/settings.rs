//! Settings of a session, read from one connection and put in force on another.

use super::carried::{Setting, Settings};
use super::{ConnectError, Connection};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the session has changed. The isolation of a transaction belongs to that alone.
const CHANGED: &str = "SELECT name, setting, reset_val FROM pg_catalog.pg_settings \
     WHERE source OPERATOR(pg_catalog.=) 'session' AND setting IS DISTINCT FROM reset_val \
     AND name OPERATOR(pg_catalog.<>) ALL ('{transaction_isolation,transaction_read_only,transaction_deferrable}')";

/// Sets what a JSON object says.
const CHANGE: &str = "SELECT pg_catalog.set_config(s.key, s.value, false) FROM pg_catalog.json_each_text($1) AS s";

/// Ends what code that nobody knows may have left behind, but for prepared statements, which are rowgate's own.
const FORGET: [&str; 6] = [
    "RESET ALL",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT pg_catalog.pg_advisory_unlock_all()",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
];

impl Connection {
    /// Reads what has been changed on it since it was fresh.
    pub async fn read_settings(&mut self) -> Result<Settings, ConnectError> {
        let rows = self.run(CHANGED, &[]).await?;
        let mut settings = BTreeMap::new();
        for row in rows {
            if let [Some(name), Some(value), Some(default)] = row.as_slice() {
                let (value, default) = (value.clone(), default.clone());
                settings.insert(name.clone(), Setting { value, default });
            }
        }
        Ok(Arc::new(settings))
    }

    /// Makes it as if only these had been changed. Did anything have to be done for that?
    pub async fn put_settings(&mut self, wanted: &Settings) -> Result<bool, ConnectError> {
        if Arc::ptr_eq(&self.carried.settings, wanted) {
            return Ok(false);
        }
        let here = Arc::clone(&self.carried.settings);
        let others = here.iter().filter(|(name, _)| !wanted.contains_key(*name));
        let mut changes: BTreeMap<&str, &str> = others
            .map(|(name, setting)| (name.as_str(), setting.default.as_str()))
            .collect();
        let missing = wanted.iter().filter(|(name, setting)| here.get(*name) != Some(setting));
        changes.extend(missing.map(|(name, setting)| (name.as_str(), setting.value.as_str())));
        let any = !changes.is_empty();
        if any {
            let changes = serde_json::to_string(&changes).map_err(|e| ConnectError::Protocol(e.to_string()))?;
            self.run(CHANGE, &[&changes]).await?;
        }
        self.carried.settings = Arc::clone(wanted);
        Ok(any)
    }

    /// Makes it as if no session had ever changed a setting.
    pub(super) async fn make_fresh(&mut self) -> Result<(), ConnectError> {
        if self.carried.unknown {
            self.forget_unknown().await?;
        }
        self.put_settings(&Settings::default()).await.map(drop)
    }

    /// Makes sure that nothing of another session is left that nobody knows of.
    pub async fn forget_unknown(&mut self) -> Result<(), ConnectError> {
        for text in FORGET {
            self.run(text, &[]).await?;
        }
        self.carried.settings = Settings::default();
        self.carried.unknown = false;
        Ok(())
    }
}
