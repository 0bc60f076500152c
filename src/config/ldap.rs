//! `[ldap]`: the directory that passwords are tried at, in the words of `pg_hba.conf`.

use super::read::{Section, Source};
use crate::login::ldap::{Names, PLACE, Settings, Tls};
use std::path::Path;
use std::time::Duration;

/// Reads it, if it is there.
pub(super) fn read(section: Option<Section<'_, '_>>, source: &mut Source<'_>, base: &Path) -> Option<Settings> {
    let mut section = section?;
    let servers = section.texts(source, "server").unwrap_or_default();
    if servers.is_empty() {
        section.required(source, "server", "ldap.example.com");
    }
    let words = [("ldap", Tls::No), ("ldaps", Tls::AtOnce)];
    let scheme = section.choice(source, "scheme", &words, Tls::No);
    let start = section.flag(source, "starttls", false);
    let tls = if start && scheme == Tls::No { Tls::Start } else { scheme };
    let (word, standard) = if tls == Tls::AtOnce {
        ("ldaps", 636)
    } else {
        ("ldap", 389)
    };
    let port = section.number(source, "port", standard, 1..=65_535);
    let urls = servers.into_iter().filter_map(|(host, span)| {
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if host.chars().all(usable) {
            return Some(format!("{word}://{host}:{port}"));
        }
        let help = "write its name or IPv4 address alone; the port has a key of its own";
        source.error(span, format!("ldap.server \"{host}\" is no host"), help);
        None
    });
    let urls: Vec<String> = urls.collect();
    let root_cert = section.text(source, "root_cert").map(|path| base.join(path));
    let in_clear = section.flag(source, "in_clear", false);
    for (wrong, key, what, help) in [
        (
            start && scheme == Tls::AtOnce,
            "starttls",
            "ldap.starttls is for scheme \"ldap\"",
            "remove one of them",
        ),
        (
            tls != Tls::No && root_cert.is_none(),
            "server",
            "ldap.root_cert is missing",
            "name the PEM file with the authority of the directory's certificate",
        ),
        (
            tls == Tls::No && !in_clear,
            "server",
            "passwords would go to the directory in clear",
            "set starttls = true or scheme = \"ldaps\"; or in_clear = true where nobody can listen",
        ),
    ] {
        if wrong {
            source.error(section.span_of(key), what, help);
        }
    }
    let settings = Settings {
        urls,
        tls,
        root_cert,
        timeout: section.duration(source, "timeout", Duration::from_secs(5)),
        names: names(&mut section, source, base),
    };
    section.finish(source);
    Some(settings)
}

/// `prefix` and `suffix`, or a search.
fn names(section: &mut Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Names {
    let (prefix, suffix) = (section.text(source, "prefix"), section.text(source, "suffix"));
    let below = section.text(source, "basedn");
    let searcher = section.text(source, "binddn");
    let mut password = section.text(source, "bindpasswd");
    if let Some((file, span)) = section.spanned_text(source, "bindpasswd_file") {
        match std::fs::read_to_string(base.join(&file)) {
            Ok(text) => password = Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => source.error(span, format!("cannot read {file}: {error}"), "name another file"),
        }
    }
    let attribute = section.text(source, "searchattribute");
    let filter = section.text(source, "searchfilter");
    let made = prefix.is_some() || suffix.is_some();
    let searched = [&below, &searcher, &password, &attribute, &filter]
        .iter()
        .any(|s| s.is_some());
    let password = password.filter(|p| !p.is_empty());
    for (wrong, what, help) in [
        (
            made && searched,
            "ldap has both a prefix or suffix and a search",
            "a name is made, or found: remove one of them",
        ),
        (
            !made && below.is_none(),
            "ldap needs basedn, or prefix and suffix",
            "such as prefix = \"uid=\" and suffix = \",ou=people,dc=example,dc=com\"",
        ),
        (
            attribute.is_some() && filter.is_some(),
            "ldap has both searchattribute and searchfilter",
            "remove one of them",
        ),
        (
            filter.as_ref().is_some_and(|f| !f.contains(PLACE)),
            "ldap.searchfilter does not ask for the login",
            "write $username where it stands, such as \"(|(uid=$username)(mail=$username))\"",
        ),
        (
            searcher.is_some() != password.is_some(),
            "ldap.binddn and ldap.bindpasswd belong together",
            "without a password it would be anybody who searches; for that leave both out",
        ),
    ] {
        if wrong {
            source.error(section.own_span(), what, help);
        }
    }
    match below {
        Some(base) if !made => Names::Found {
            base,
            searcher: searcher.zip(password),
            filter: filter.unwrap_or_else(|| format!("({}={PLACE})", attribute.unwrap_or_else(|| "uid".to_owned()))),
        },
        _ => Names::Made {
            prefix: prefix.unwrap_or_default(),
            suffix: suffix.unwrap_or_default(),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use std::path::Path;

    fn errors(lines: &str) -> Vec<String> {
        let text = format!("[upstream]\nhost = \"x\"\ndatabase = \"x\"\nuser = \"x\"\n[ldap]\n{lines}\n");
        let parsed = Config::parse("r.toml", &text, Path::new(""));
        let errors = parsed.map_or_else(|errors| errors, |_| Vec::new());
        errors.into_iter().map(|e| e.message).collect()
    }

    #[test]
    fn what_does_not_go_together() {
        let safe = "server = \"d\"\nstarttls = true\nroot_cert = \"r\"\n";
        for (lines, expected) in [
            ("prefix = \"uid=\"", None),
            ("basedn = \"dc=x\"", None),
            (
                "prefix = \"uid=\"\nbasedn = \"dc=x\"",
                Some("ldap has both a prefix or suffix and a search"),
            ),
            ("", Some("ldap needs basedn, or prefix and suffix")),
            (
                "basedn = \"dc=x\"\nsearchattribute = \"cn\"\nsearchfilter = \"(cn=$username)\"",
                Some("ldap has both searchattribute and searchfilter"),
            ),
            (
                "basedn = \"dc=x\"\nsearchfilter = \"(cn=*)\"",
                Some("ldap.searchfilter does not ask for the login"),
            ),
            (
                "basedn = \"dc=x\"\nbinddn = \"cn=x\"",
                Some("ldap.binddn and ldap.bindpasswd belong together"),
            ),
        ] {
            assert_eq!(errors(&format!("{safe}{lines}")), Vec::from_iter(expected), "{lines}");
        }
        assert_eq!(
            errors("server = \"d\"\nbasedn = \"x\""),
            ["passwords would go to the directory in clear"]
        );
        assert!(errors("server = \"d\"\nbasedn = \"x\"\nin_clear = true").is_empty());
        assert_eq!(
            errors("server = [\"d\", \"ldap://e\"]\nscheme = \"ldaps\"\nbasedn = \"x\"").len(),
            2
        );
    }
}
