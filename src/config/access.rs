//! `[[access]]`: who may come in from where, when and how; in the order of the file.

use super::read::{Section, Source};
use super::{Proofs, TlsMode};
use crate::login::access::{Clear, Origin, Proof, Rule, Rules};
use crate::login::hours::{self, Hours, Zone};
use std::ops::Range;

const PROOFS: [(&str, Proof); 9] = [
    ("scram", Proof::Scram),
    ("cert", Proof::Certificate),
    ("token", Proof::Clear(Clear::TOKEN)),
    ("jwt", Proof::Clear(Clear::JWT)),
    ("totp", Proof::Clear(Clear::TOTP)),
    ("oauth", Proof::OAuth),
    ("ldap", Proof::Ldap { totp: false }),
    ("ldap+totp", Proof::Ldap { totp: true }),
    ("reject", Proof::Reject),
];

/// What else of the file the rules lean on.
pub(super) struct Leans {
    pub tls: TlsMode,
    pub proofs: Proofs,
    pub client_ca: bool,
    pub totp: bool,
    pub ldap: bool,
}

/// Reads every table of the list.
pub(super) fn read(root: &mut Section<'_, '_>, source: &mut Source<'_>, leans: &Leans) -> Rules {
    let tables = root.list(source, "access");
    Rules(tables.into_iter().map(|table| rule(table, source, leans)).collect())
}

fn rule(mut section: Section<'_, '_>, source: &mut Source<'_>, leans: &Leans) -> Rule {
    let names = |texts: Option<Vec<(String, Range<usize>)>>| {
        texts.map(|all| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
    };
    let databases = names(section.texts(source, "database"));
    let logins = names(section.texts(source, "login"));
    let roles = names(section.texts(source, "role"));
    let addresses: Option<Vec<Origin>> = section.texts(source, "address").map(|all| {
        let read = |(text, span): (String, Range<usize>)| origin(&text, span, source);
        all.into_iter().filter_map(read).collect()
    });
    let tls = section.optional_flag(source, "tls");
    let hours = when(&mut section, source);
    let line = section.line(source);
    let proof = method(&mut section, source);
    let certificate = section.flag(source, "certificate", false);
    let program = section.spanned_text(source, "program");
    let limited = proof == Proof::Scram && tls == Some(true) && addresses.is_some() && roles.is_none();
    if let Some((_, span)) = program.as_ref().filter(|_| !limited) {
        source.error(
            span.clone(),
            "access.program is for a program's own addresses, over TLS, by method \"scram\" and without role",
            "name its addresses and write tls = true; may_act_for in its role says whose names it may use",
        );
    }
    for (lacks, what, help) in [
        (
            proof.needs_tls() && leans.tls == TlsMode::Off,
            "access.method needs TLS",
            "set tls.mode, tls.cert and tls.key",
        ),
        (
            proof.needs_tls() && tls == Some(false),
            "access.method needs TLS, and this table is for other connections",
            "remove tls = false",
        ),
        (
            (certificate || proof == Proof::Certificate) && !leans.client_ca,
            "client certificates are of no known authority",
            "name the file with its certificate: client_ca under [tls]",
        ),
        (
            matches!(proof, Proof::Clear(Clear { token: true, .. })) && leans.proofs.token.is_none(),
            "access.method \"token\" needs the key that tokens are signed with",
            "name its file: key under [token]",
        ),
        (
            proof.may_be_totp() && !leans.totp,
            "access.method \"totp\" needs the key that second factors are made with",
            "name its file: totp_key under [login]; or keep secrets in a file: login.method = \"users_file\"",
        ),
        (
            matches!(proof, Proof::Clear(Clear { jwt: true, .. }) | Proof::OAuth) && leans.proofs.jwt.is_none(),
            "access.method needs an identity provider",
            "write a section [jwt]",
        ),
        (
            matches!(proof, Proof::Ldap { .. }) && !leans.ldap,
            "access.method \"ldap\" needs a directory",
            "write a section [ldap]",
        ),
    ] {
        if lacks {
            source.error(section.span_of("method"), what, help);
        }
    }
    section.finish(source);
    Rule {
        line,
        databases,
        logins,
        roles,
        addresses,
        tls,
        hours,
        proof,
        program: program.map(|(name, _)| name.into()),
        certificate,
    }
}

/// `method`: one word, or a list of those that are sent as they are.
fn method(section: &mut Section<'_, '_>, source: &mut Source<'_>) -> Proof {
    if !section.has("method") {
        section.required(source, "method", "scram");
        return Proof::Reject;
    }
    let mut proof = None;
    for (word, span) in section.texts(source, "method").unwrap_or_default() {
        let known = PROOFS.iter().find(|(known, _)| *known == word).map(|(_, proof)| *proof);
        proof = match (proof, known) {
            (None, Some(known)) => Some(known),
            (Some(Proof::Clear(one)), Some(Proof::Clear(other))) => Some(Proof::Clear(one.or(other))),
            (_, Some(_)) => {
                source.error(
                    span,
                    format!("access.method \"{word}\" cannot stand beside another one"),
                    "only what is sent as it is can be listed together: token, jwt, totp",
                );
                return Proof::Reject;
            }
            (_, None) => {
                let list: Vec<&str> = PROOFS.iter().map(|(known, _)| *known).collect();
                source.error(
                    span,
                    format!("access.method cannot be \"{word}\""),
                    format!("choose one of: {}", list.join(", ")),
                );
                return Proof::Reject;
            }
        };
    }
    proof.unwrap_or(Proof::Reject)
}

/// `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`, or `local` for the unix socket.
fn origin(text: &str, span: Range<usize>, source: &mut Source<'_>) -> Option<Origin> {
    if text == "local" {
        return Some(Origin::Local);
    }
    let net = text
        .parse()
        .ok()
        .or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from));
    let Some(net) = net else {
        source.error(
            span,
            format!("access.address \"{text}\" is no address"),
            "write a range such as \"10.0.0.0/8\", one address, or \"local\" for the unix socket",
        );
        return None;
    };
    if net.trunc() != net {
        source.error(
            span,
            format!("access.address \"{text}\" has bits behind its mask"),
            format!("did you mean \"{}\"?", net.trunc()),
        );
    }
    Some(Origin::Net(net))
}

/// `hours`, `days` and `time_zone`.
fn when(section: &mut Section<'_, '_>, source: &mut Source<'_>) -> Option<Hours> {
    let span = section.spanned_text(source, "hours").and_then(|(text, at)| {
        let span = hours::span(&text);
        if span.is_none() {
            source.error(
                at,
                format!("access.hours \"{text}\" is no span of time"),
                "write it as \"08:00-18:00\"; a span past midnight as \"22:00-06:00\"",
            );
        }
        span
    });
    let mut days = Vec::new();
    for (text, at) in section.texts(source, "days").unwrap_or_default() {
        match hours::days(&text) {
            Some(some) => days.extend(some),
            None => source.error(
                at,
                format!("access.days \"{text}\" is no day"),
                "write days as \"mon\", \"tue\", …, or a span as \"mon-fri\"",
            ),
        }
    }
    let stated = section.has("hours") || section.has("days");
    let Some((text, at)) = section.spanned_text(source, "time_zone") else {
        if stated {
            source.error(
                section.own_span(),
                "access.hours and access.days need access.time_zone",
                "add time_zone = \"UTC\", a distance such as \"+08:00\", or \"local\" for this machine's clock",
            );
        }
        return None;
    };
    let Some(zone) = Zone::parse(&text) else {
        source.error(
            at,
            format!("access.time_zone \"{text}\" is not known"),
            "write \"UTC\", a distance such as \"+08:00\", or \"local\" for this machine's clock, which TZ names",
        );
        return None;
    };
    stated.then_some(Hours { span, days, zone })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use std::path::Path;

    const SMALL: &str = "[upstream]\nhost = \"127.0.0.1\"\ndatabase = \"crm\"\nuser = \"rowgate\"\n";

    #[test]
    fn every_error_has_its_place() {
        let text = format!(
            "{SMALL}[[access]]\nmethod = \"scram\"\n[[access]]\naddress = [\"10.0.0.1/8\", \"x\"]\nmethod = \"md5\"\n\
             [[access]]\nhours = \"8-9\"\ndays = [\"mon\", \"sunday\"]\nmetod = \"reject\"\n\
             [[access]]\nlogin = []\nrole = 3\ntls = \"yes\"\ntime_zone = \"Mars\"\nmethod = \"reject\"\n"
        );
        let errors: Vec<String> = Config::parse("r.toml", &text, Path::new(""))
            .unwrap_err()
            .iter()
            .map(|e| e.to_string().replace("\n    ", " | "))
            .collect();
        assert_eq!(
            errors,
            [
                "r.toml:8:12: access.address \"10.0.0.1/8\" has bits behind its mask | did you mean \"10.0.0.0/8\"?",
                "r.toml:8:26: access.address \"x\" is no address | write a range such as \"10.0.0.0/8\", one address, or \"local\" for the unix socket",
                "r.toml:9:10: access.method cannot be \"md5\" | choose one of: scram, cert, token, jwt, totp, oauth, ldap, ldap+totp, reject",
                "r.toml:10:1: access.hours and access.days need access.time_zone | add time_zone = \"UTC\", a distance such as \"+08:00\", or \"local\" for this machine's clock",
                "r.toml:10:1: access.method is missing | add method = \"scram\" under [access]",
                "r.toml:11:9: access.hours \"8-9\" is no span of time | write it as \"08:00-18:00\"; a span past midnight as \"22:00-06:00\"",
                "r.toml:12:16: access.days \"sunday\" is no day | write days as \"mon\", \"tue\", …, or a span as \"mon-fri\"",
                "r.toml:13:1: unknown key access.metod | did you mean method?",
                "r.toml:15:9: access.login is empty | give it a value or remove the line",
                "r.toml:16:8: access.role must be text that is not empty, or a list of such texts | write it between double quotes",
                "r.toml:17:7: access.tls must be true or false | write it without quotes",
                "r.toml:18:13: access.time_zone \"Mars\" is not known | write \"UTC\", a distance such as \"+08:00\", or \"local\" for this machine's clock, which TZ names",
            ]
        );
    }

    #[test]
    fn a_program_comes_from_its_own_place_over_tls() {
        let tls = "[tls]\nmode = \"allow\"\ncert = \"c\"\nkey = \"k\"\n";
        let errors = |rule: &str| {
            let text = format!("{SMALL}{tls}[[access]]\nprogram = \"bi\"\n{rule}");
            Config::parse("r.toml", &text, Path::new("")).map_or_else(|errors| errors.len(), |_| 0)
        };
        let place = "address = \"10.2.0.5\"\ntls = true\n";
        assert_eq!(errors(&format!("{place}method = \"scram\"\n")), 0);
        for wrong in [
            "tls = true\nmethod = \"scram\"\n",
            "address = \"10.2.0.5\"\nmethod = \"scram\"\n",
            "address = \"10.2.0.5\"\ntls = true\nmethod = \"reject\"\n",
            "address = \"10.2.0.5\"\ntls = true\nrole = \"rep\"\nmethod = \"scram\"\n",
        ] {
            assert_eq!(errors(wrong), 1, "{wrong}");
        }
    }

    #[test]
    fn rules_keep_their_order_and_lines() {
        let text = format!("{SMALL}[[access]]\nlogin = \"a\"\nmethod = \"reject\"\n[[access]]\nmethod = \"scram\"\n");
        let config = Config::parse("r.toml", &text, Path::new("")).unwrap();
        let lines: Vec<usize> = config.access.0.iter().map(|rule| rule.line).collect();
        assert_eq!(lines, [5, 8]);
        let wrong = format!("{SMALL}[access]\nmethod = \"scram\"\n");
        assert!(Config::parse("r.toml", &wrong, Path::new("")).is_err());
    }
}
