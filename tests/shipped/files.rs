//! The files that ship beside the program are accepted by it.

use rowgate::config::Config;
use std::path::Path;

fn load(file: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    Config::load(&path).unwrap_or_else(|errors| {
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", told.join("\n"))
    })
}

#[test]
fn the_sample_configuration_is_accepted() {
    let config = load("rowgate.toml");
    assert!(config.policies.join("tables.toml").is_file());
}

/// Each commented line of the sample shows a key with its default: with all of them in force nothing changes.
#[test]
fn every_key_of_the_sample_that_is_commented_out_exists() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("rowgate.toml")).unwrap();
    let in_force: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting)
                if setting.starts_with('[') || setting.split_once('=').is_some_and(|(key, _)| is_key(key)) =>
            {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(in_force, text);
    if let Err(errors) = Config::parse("rowgate.toml", &in_force, Path::new("")) {
        panic!("{errors:?}");
    }
}

fn is_key(text: &str) -> bool {
    let key = text.trim();
    !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
