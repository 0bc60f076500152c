//! Access rules: who may come in from where, when, and how they prove who they are. The first that fits decides.

use super::hours::Hours;
use chrono::{DateTime, Utc};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// What a login comes with, before it has proved anything.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The database that it asks for.
    pub database: &'a str,
    /// The login that it claims.
    pub login: &'a str,
    /// Roles that the directory gives this login; none for whoever is unknown.
    pub roles: &'a [String],
    /// Where it comes from; `None` through the unix socket.
    pub address: Option<IpAddr>,
    /// Is the connection encrypted?
    pub tls: bool,
    /// When.
    pub now: DateTime<Utc>,
}

/// How somebody proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A password, by SCRAM-SHA-256.
    Scram,
    /// A TLS client certificate that stands for the login.
    Certificate,
    /// Something that is sent as it is, over TLS and nothing else.
    Clear(Clear),
    /// A token of the identity provider, by OAUTHBEARER, over TLS and nothing else.
    OAuth,
    /// A password that an LDAP directory knows, as it is, over TLS and nothing else.
    Ldap {
        /// With a one-time password behind it.
        totp: bool,
    },
    /// Not at all: whoever this rule fits is refused.
    Reject,
}

impl Proof {
    /// Is it something that whoever reads it on its way could use?
    pub fn needs_tls(self) -> bool {
        match self {
            Self::Certificate | Self::Clear(_) | Self::OAuth | Self::Ldap { .. } => true,
            Self::Scram | Self::Reject => false,
        }
    }

    /// Is a one-time password behind a password among what may be asked for?
    pub fn may_be_totp(self) -> bool {
        match self {
            Self::Clear(Clear { totp, .. }) | Self::Ldap { totp } => totp,
            Self::Scram | Self::Certificate | Self::OAuth | Self::Reject => false,
        }
    }
}

/// What may be sent as it is, in place of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clear {
    /// A token that rowgate has signed.
    pub token: bool,
    /// A token of the identity provider.
    pub jwt: bool,
    /// The password with a one-time password behind it.
    pub totp: bool,
}

impl Clear {
    const NOTHING: Self = Self {
        token: false,
        jwt: false,
        totp: false,
    };
    /// A token of rowgate's own.
    pub const TOKEN: Self = Self {
        token: true,
        ..Self::NOTHING
    };
    /// A token of the identity provider.
    pub const JWT: Self = Self {
        jwt: true,
        ..Self::NOTHING
    };
    /// A password with a one-time password.
    pub const TOTP: Self = Self {
        totp: true,
        ..Self::NOTHING
    };

    /// The one, or the other.
    pub fn or(self, other: Self) -> Self {
        Self {
            token: self.token || other.token,
            jwt: self.jwt || other.jwt,
            totp: self.totp || other.totp,
        }
    }
}

/// What is asked of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The proof.
    pub proof: Proof,
    /// What whoever is refused is asked for all the same: that of the first rule that would fit them if they had every
    /// role, so that nobody learns who has one.
    pub guise: Proof,
    /// A client certificate beside it.
    pub certificate: bool,
    /// The program that logs in under the person's name and proves who it is itself.
    pub program: Option<Arc<str>>,
    /// The line of the rule that says so.
    pub line: Option<usize>,
    /// When the hours of a rule may make it another answer; never where no hours are asked.
    pub changes: Option<DateTime<Utc>>,
}

impl Asked {
    /// Would this let somebody in who has proved who they are in this one way?
    pub fn admits(&self, way: Proof, certified: bool) -> bool {
        let fits = match (self.proof, way) {
            (Proof::Reject, _) | (_, Proof::Reject) => false,
            (Proof::Clear(asked), Proof::Clear(used)) => asked.or(used) == asked,
            (asked, way) => asked == way,
        };
        fits && (certified || !self.certificate)
    }
}

/// One rule. What it does not name, it does not ask.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it stands in the configuration, for the log.
    pub line: usize,
    /// Names of databases; `*` stands for any characters.
    pub databases: Option<Vec<String>>,
    /// Names of logins; `*` stands for any characters.
    pub logins: Option<Vec<String>>,
    /// The login has one of these roles.
    pub roles: Option<Vec<String>>,
    /// Where it comes from.
    pub addresses: Option<Vec<Origin>>,
    /// The connection is encrypted, or is not.
    pub tls: Option<bool>,
    /// When.
    pub hours: Option<Hours>,
    /// What it asks for.
    pub proof: Proof,
    /// `program`: whoever comes is this program, and the login that they claim is the person for whom it acts.
    pub program: Option<Arc<str>>,
    /// And, beside it, for a client certificate that stands for the login.
    pub certificate: bool,
}

/// Where clients come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The unix socket.
    Local,
    /// A range of addresses.
    Net(IpNet),
}

impl Rule {
    fn fits(&self, attempt: &Attempt<'_>) -> bool {
        let holds_one = |roles: &Vec<String>| roles.iter().any(|role| attempt.roles.contains(role));
        self.roles.as_ref().is_none_or(holds_one) && self.fits_whoever(attempt)
    }

    /// Does it fit but for roles?
    fn fits_whoever(&self, attempt: &Attempt<'_>) -> bool {
        let named = |patterns: &Option<Vec<String>>, name: &str| {
            patterns
                .as_ref()
                .is_none_or(|all| all.iter().any(|pattern| fits(pattern, name)))
        };
        named(&self.databases, attempt.database)
            && named(&self.logins, attempt.login)
            && (self.addresses.as_ref()).is_none_or(|all| all.iter().any(|origin| origin.holds(attempt.address)))
            && self.tls.is_none_or(|tls| tls == attempt.tls)
            && self.hours.as_ref().is_none_or(|hours| hours.hold(attempt.now))
    }
}

impl Origin {
    fn holds(&self, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Self::Local, None) => true,
            (Self::Net(net), Some(address)) => net.contains(&address.to_canonical()),
            (Self::Local, Some(_)) | (Self::Net(_), None) => false,
        }
    }
}

/// All of them, in order.
#[derive(Debug, Clone, Default)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// What is asked of an attempt. Where there are rules and none fits, it is refused; where there are none at all,
    /// everybody is asked for their password.
    pub fn decide(&self, attempt: &Attempt<'_>) -> Asked {
        let fallback = if self.0.is_empty() { Proof::Scram } else { Proof::Reject };
        let at = self.0.iter().position(|rule| rule.fits(attempt));
        let rule = at.and_then(|at| self.0.get(at));
        // those before it could be the first that fits, at another hour
        let asked = self.0.iter().take(at.map_or(usize::MAX, |at| at + 1));
        let changes = asked
            .filter_map(|rule| rule.hours.as_ref())
            .map(|h| h.change(attempt.now));
        let asking = |rule: &&Rule| rule.proof != Proof::Reject && rule.fits_whoever(attempt);
        let guise = self.0.iter().find(asking).map_or(Proof::Scram, |rule| rule.proof);
        Asked {
            proof: rule.map_or(fallback, |rule| rule.proof),
            guise,
            certificate: rule.is_some_and(|rule| rule.certificate),
            program: rule.and_then(|rule| rule.program.clone()),
            line: rule.map(|rule| rule.line),
            changes: changes.min(),
        }
    }
}

/// Does a name fit a pattern in which `*` stands for any characters?
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("a", "a"),
            ("*", ""),
            ("*", "x"),
            ("svc_*", "svc_bi"),
            ("*_bi", "svc_bi"),
            ("a*b*c", "a-b-b-c"),
            ("a*a", "aa"),
            ("**", "x"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "ab"),
            ("a", ""),
            ("a*a", "a"),
            ("a*b*c", "a-c-b"),
            ("svc_*", "SVC_x"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    fn rule() -> Rule {
        Rule {
            line: 1,
            databases: None,
            logins: None,
            roles: None,
            addresses: None,
            tls: None,
            hours: None,
            proof: Proof::Scram,
            program: None,
            certificate: false,
        }
    }

    #[test]
    fn the_first_that_fits_decides() {
        let net = |text: &str| Origin::Net(text.parse().unwrap());
        let rules = Rules(vec![
            Rule {
                roles: Some(vec!["dba".to_owned()]),
                addresses: Some(vec![Origin::Local]),
                ..rule()
            },
            Rule {
                line: 2,
                roles: Some(vec!["dba".to_owned()]),
                proof: Proof::Reject,
                ..rule()
            },
            Rule {
                line: 3,
                logins: Some(vec!["al*".to_owned()]),
                addresses: Some(vec![net("10.0.0.0/8"), net("fd00::/8")]),
                tls: Some(true),
                ..rule()
            },
        ]);
        let roles = ["dba".to_owned()];
        let from = |address: Option<&str>, tls, login, roles| {
            let address = address.map(|a: &str| a.parse().unwrap());
            let now = DateTime::UNIX_EPOCH;
            let asked = rules.decide(&Attempt {
                database: "crm",
                login,
                roles,
                address,
                tls,
                now,
            });
            (asked.proof, asked.line)
        };
        assert_eq!(from(None, false, "dora", &roles), (Proof::Scram, Some(1)));
        assert_eq!(from(Some("10.1.1.1"), true, "alda", &roles), (Proof::Reject, Some(2)));
        assert_eq!(from(Some("10.1.1.1"), true, "alice", &[]), (Proof::Scram, Some(3)));
        assert_eq!(
            from(Some("::ffff:10.1.1.1"), true, "alice", &[]),
            (Proof::Scram, Some(3))
        );
        assert_eq!(from(Some("fd00::1"), true, "alice", &[]), (Proof::Scram, Some(3)));
        assert_eq!(from(Some("10.1.1.1"), false, "alice", &[]), (Proof::Reject, None));
        assert_eq!(from(Some("11.1.1.1"), true, "alice", &[]), (Proof::Reject, None));
        assert_eq!(from(None, true, "alice", &[]), (Proof::Reject, None));
        let anybody = Attempt {
            database: "crm",
            login: "x",
            roles: &[],
            address: None,
            tls: false,
            now: DateTime::UNIX_EPOCH,
        };
        assert_eq!(Rules::default().decide(&anybody).proof, Proof::Scram);
    }

    #[test]
    fn whoever_is_refused_is_asked_as_those_are_who_come_in() {
        let of_role = |role: &str, proof| Rule {
            roles: Some(vec![role.to_owned()]),
            proof,
            ..rule()
        };
        let rules = Rules(vec![
            of_role("dba", Proof::Reject),
            of_role("sales_rep", Proof::Ldap { totp: false }),
            Rule {
                tls: Some(false),
                proof: Proof::Ldap { totp: false },
                ..rule()
            },
        ]);
        for roles in [&[][..], &["dba".to_owned()], &["finance".to_owned()]] {
            let asked = rules.decide(&Attempt {
                database: "crm",
                login: "x",
                roles,
                address: None,
                tls: true,
                now: DateTime::UNIX_EPOCH,
            });
            assert_eq!(
                (asked.proof, asked.guise),
                (Proof::Reject, Proof::Ldap { totp: false }),
                "{roles:?}"
            );
        }
    }

    #[test]
    fn who_may_stay() {
        let asked = |proof, certificate| Asked {
            proof,
            guise: proof,
            certificate,
            program: None,
            line: None,
            changes: None,
        };
        let both = asked(Proof::Clear(Clear::TOKEN.or(Clear::JWT)), false);
        assert!(both.admits(Proof::Clear(Clear::JWT), false));
        assert!(!both.admits(Proof::Clear(Clear::TOTP), false) && !both.admits(Proof::Scram, true));
        assert!(asked(Proof::Scram, true).admits(Proof::Scram, true));
        assert!(!asked(Proof::Scram, true).admits(Proof::Scram, false));
        assert!(!asked(Proof::Reject, false).admits(Proof::Scram, true));
        assert!(!asked(Proof::Certificate, false).admits(Proof::Scram, true));
    }

    #[test]
    fn hours_of_rules_before_the_one_that_fits_count() {
        let hours = |text: &str| {
            Some(Hours {
                span: crate::login::hours::span(text),
                days: Vec::new(),
                zone: crate::login::hours::Zone::parse("UTC").unwrap(),
            })
        };
        let rules = Rules(vec![
            Rule {
                hours: hours("22:00-06:00"),
                proof: Proof::Reject,
                ..rule()
            },
            Rule {
                hours: hours("06:00-23:00"),
                ..rule()
            },
            Rule {
                hours: hours("12:01-12:02"),
                ..rule()
            },
        ]);
        let asked = rules.decide(&Attempt {
            database: "crm",
            login: "alice",
            roles: &[],
            address: None,
            tls: true,
            now: "2026-11-20T12:00:30Z".parse().unwrap(),
        });
        assert_eq!(asked.proof, Proof::Scram);
        assert_eq!(asked.changes.unwrap().to_rfc3339(), "2026-11-20T22:00:00+00:00");
    }
}
