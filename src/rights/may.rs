//! Who may give what to whom: the policy's word on a command, before anything is stored.

use super::language::{Record, Target, What};
use super::when;
use crate::identity::directory::Directory;
use crate::identity::{Attribute, Principal};
use crate::policy::temporary::{Among, Approver, Temporary};
use crate::world::World;
use std::sync::Arc;
use std::time::Duration;

/// What the history has before an operator's name.
const OPERATOR: &str = "operator ";

/// Who says a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Teller {
    /// Somebody of the directory, by what the policy lets them do.
    Person(String),
    /// Whoever holds the configuration; no person, and nothing is theirs.
    Operator(String),
}

impl Teller {
    /// As the history has them.
    pub fn name(&self) -> String {
        match self {
            Self::Person(login) if login.starts_with(OPERATOR) => format!("{login:?}"),
            Self::Person(login) => login.clone(),
            Self::Operator(name) => format!("{OPERATOR}{name}"),
        }
    }

    /// Whom the history has under a name; nobody for operators and people who have left.
    pub(super) fn named<'d>(name: &str, directory: &'d Directory) -> Option<&'d Arc<Principal>> {
        let plain = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let mut logins = [Some(name), plain].into_iter().flatten();
        logins.find_map(|login| {
            let is_it = Self::Person(login.to_owned()).name() == name;
            directory.as_read(login).filter(|_| is_it)
        })
    }

    /// Is it this person?
    pub fn is(&self, login: &str) -> bool {
        matches!(self, Self::Person(own) if own == login)
    }

    /// What the policy lets them do, role by role. What somebody holds for a time lets them give nothing.
    fn rules<'w>(&self, world: &'w World) -> Option<(&'w Arc<Principal>, Vec<&'w Temporary>)> {
        let Self::Person(login) = self else { return None };
        let now = world.directory.principal(login)?;
        let lasting = world.directory.as_read(login)?;
        let roles = lasting.roles.iter().filter(|role| now.roles.contains(role));
        let rules = roles.filter_map(|role| world.policies.written().roles.get(role));
        Some((lasting, rules.map(|role| &role.temporary).collect()))
    }

    fn any(&self, world: &World, holds: impl Fn(&Principal, &Temporary) -> bool) -> bool {
        match self {
            Self::Operator(_) => true,
            Self::Person(_) => self
                .rules(world)
                .is_some_and(|(own, rules)| rules.iter().any(|rule| holds(own, rule))),
        }
    }

    /// May they give this to somebody for so long?
    pub fn may_give(&self, world: &World, what: &What, to: &Principal, length: Duration) -> bool {
        self.any(world, |own, rule| {
            length <= rule.longest
                && rule.give.iter().any(|pattern| covers(&pattern.what, what))
                && !is_same(own, to)
                && is_among(&rule.to, own, to)
        })
    }

    /// May they give this to anybody at all?
    pub fn may_give_somebody(&self, world: &World, what: &What) -> bool {
        self.any(world, |_, rule| {
            rule.give.iter().any(|pattern| covers(&pattern.what, what))
        })
    }

    /// May they have somebody stand in for somebody else?
    pub fn may_delegate(&self, world: &World, from: &Principal, to: &Principal, length: Duration) -> bool {
        self.any(world, |own, rule| {
            length <= rule.longest
                && is_among(&rule.delegate, own, from)
                && !is_same(own, to)
                && is_among(&rule.to, own, to)
        })
    }

    /// May anybody stand in for this person, if they say so?
    pub fn may_delegate_of(&self, world: &World, from: &Principal) -> bool {
        self.any(world, |own, rule| is_among(&rule.delegate, own, from))
    }

    /// May they share records of a table with somebody, or with a team whose people these are?
    pub fn may_share(&self, world: &World, record: &Record, with: &[Arc<Principal>], length: Duration) -> bool {
        self.any(world, |own, rule| {
            length <= rule.longest
                && rule.share.contains(&record.table.text)
                && with.iter().all(|p| is_same(own, p) || is_among(&rule.to, own, p))
                && with.iter().any(|p| !is_same(own, p))
        })
    }

    /// May they suspend it, and let it go on?
    pub fn may_suspend(&self, world: &World, target: &Target) -> bool {
        self.any(world, |own, rule| match target {
            Target::Person(name) => world
                .directory
                .plain(&name.text)
                .is_some_and(|p| !is_same(own, p) && is_among(&rule.suspend, own, p)),
            Target::Role(name) => rule.suspend_roles.contains(&name.text),
            Target::Table(name) => rule.suspend_tables.contains(&name.text),
        })
    }

    /// Who they are by what lasts: what they hold for a time is left out, and what is suspended. Nobody for an operator.
    pub fn lasting(&self, world: &World) -> Option<Principal> {
        let Self::Person(login) = self else { return None };
        let now = world.directory.principal(login)?;
        let mut lasting = Principal::clone(world.directory.as_read(login)?);
        lasting.roles.retain(|role| now.roles.contains(role));
        Some(lasting)
    }

    /// The roles that they may take by themselves, and for how long.
    pub fn raises(&self, world: &World) -> Vec<(String, Duration)> {
        let rules = self.rules(world).map(|(_, rules)| rules).unwrap_or_default();
        let each = |rule: &&Temporary| -> Vec<(String, Duration)> {
            rule.raise.iter().map(|role| (role.clone(), rule.raise_for)).collect()
        };
        rules.iter().flat_map(each).collect()
    }

    /// May they ask for it?
    pub fn may_request(&self, world: &World, what: &What, length: Duration) -> bool {
        matches!(self, Self::Person(_))
            && self.any(world, |_, rule| {
                length <= rule.longest && rule.request.iter().any(|pattern| covers(&pattern.what, what))
            })
    }

    /// May they decide on what somebody else asks for, for so long? One of that person's roles has to let them ask for
    /// it still, and name who decides.
    pub fn may_decide(&self, world: &World, asking: &str, what: &What, length: Duration) -> bool {
        let Self::Person(login) = self else { return true };
        let Some((own, _)) = self.rules(world) else {
            return false;
        };
        let Some((person, rules)) = Self::Person(asking.to_owned()).rules(world) else {
            return false;
        };
        if is_same(own, person) {
            return false;
        }
        rules.iter().any(|rule| {
            length <= rule.longest
                && rule.request.iter().any(|pattern| covers(&pattern.what, what))
                && rule.approve.iter().any(|approver| match approver {
                    Approver::Manager => holds(own.reports.as_ref(), person.user_id.as_ref()),
                    Approver::Role(role) => own.roles.contains(role) && world.directory.roles(login).contains(role),
                })
        })
    }

    /// May they see what somebody holds? Their own, that of people below them, and of those to whom they may give.
    pub fn may_see(&self, world: &World, login: &str) -> bool {
        if self.is(login) {
            return true;
        }
        let Some(person) = world.directory.plain(login) else {
            return matches!(self, Self::Operator(_));
        };
        self.any(world, |own, rule| {
            let below = holds(own.reports.as_ref(), person.user_id.as_ref());
            below || is_among(&rule.to, own, person) || is_among(&rule.suspend, own, person)
        })
    }

    /// What the policy lets them do, a line each.
    pub fn powers(&self, world: &World) -> Vec<[String; 2]> {
        let Some((_, rules)) = self.rules(world) else {
            return vec![["everything".to_owned(), "operator".to_owned()]];
        };
        let word = |among: &[Among]| -> String {
            let named = Among::WORDS.iter().filter(|(_, a)| among.contains(a));
            named.map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
        };
        let mut lines = Vec::new();
        for rule in rules {
            let to = format!("to {} for {} at most", word(&rule.to), when::shown_length(rule.longest));
            lines.extend(rule.give.iter().map(|p| [format!("GRANT {}", p.what), to.clone()]));
            if !rule.delegate.is_empty() {
                lines.push([format!("DELEGATE rows of {}", word(&rule.delegate)), to.clone()]);
            }
            lines.extend(rule.share.iter().map(|t| [format!("SHARE {t}"), to.clone()]));
            if !rule.suspend.is_empty() {
                lines.push([format!("SUSPEND people: {}", word(&rule.suspend)), String::new()]);
            }
            let brake = |kind: &str, name: &String| [format!("SUSPEND {kind} {name}"), String::new()];
            lines.extend(rule.suspend_roles.iter().map(|r| brake("ROLE", r)));
            lines.extend(rule.suspend_tables.iter().map(|t| brake("TABLE", t)));
            let raise = |role: &String| {
                [
                    format!("RAISE ROLE {role}"),
                    format!("for {} at most", when::shown_length(rule.raise_for)),
                ]
            };
            lines.extend(rule.raise.iter().map(raise));
            let deciding: Vec<String> = rule.approve.iter().map(Approver::to_string).collect();
            let ask = |p: &crate::policy::temporary::Pattern| {
                [
                    format!("REQUEST {}", p.what),
                    format!(
                        "decided by {}, for {} at most",
                        deciding.join(" or "),
                        when::shown_length(rule.longest)
                    ),
                ]
            };
            lines.extend(rule.request.iter().map(ask));
        }
        lines
    }
}

/// Is all of the one in the other?
fn covers(pattern: &What, wanted: &What) -> bool {
    match (pattern, wanted) {
        (
            What::Rows {
                operations: may,
                table,
                scope,
            },
            What::Rows {
                operations,
                table: of,
                scope: wanted,
            },
        ) => table.text == of.text && operations.is_subset(may) && (scope.text == wanted.text || scope.text == "all"),
        (What::Columns { table, columns: may }, What::Columns { table: of, columns }) => {
            table.text == of.text && columns.iter().all(|c| may.iter().any(|m| m.text == c.text))
        }
        (What::Role(may), What::Role(role)) => may.text == role.text,
        (What::Rows { .. } | What::Columns { .. } | What::Role(_), _) => false,
    }
}

fn holds(list: Option<&Attribute>, one: Option<&Attribute>) -> bool {
    let one = one.and_then(|o| o.values.first());
    list.zip(one).is_some_and(|(list, one)| list.values.contains(one))
}

/// One person may have several logins.
pub(super) fn is_same(one: &Principal, other: &Principal) -> bool {
    let same_user = one.user_id.is_some() && one.user_id == other.user_id;
    one.login == other.login || same_user
}

fn is_among(words: &[Among], own: &Principal, other: &Principal) -> bool {
    words.iter().any(|word| match word {
        Among::Own => own.login == other.login,
        Among::Team => holds(own.team_id.as_ref(), other.team_id.as_ref()),
        Among::TeamTree => holds(own.team_tree.as_ref(), other.team_id.as_ref()),
        Among::Reports => holds(own.reports.as_ref(), other.user_id.as_ref()),
        Among::All => true,
    })
}
