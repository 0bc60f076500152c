//! What is told of a role: its tables, and what it may do beside them.

use super::role_tables::role_table;
use super::{each, from_to};
use crate::policy::RoleRights;
use crate::policy::reach::Count;
use crate::policy::temporary::{Among, Approver, Pattern, Temporary};
use crate::policy::written::RoleRule;
use crate::rights::when::shown_length;

pub(super) fn role<'c>(
    before: Option<&RoleRule>,
    after: Option<&RoleRule>,
    count: &impl Fn(&str) -> Option<&'c Count>,
) -> Vec<String> {
    let (before, after) = match (before, after) {
        (None, Some(after)) => return vec![format!("a new role, with {} tables", after.tables.len())],
        (_, None) => return vec!["the role is gone; its people lose what it gave them".to_owned()],
        (Some(before), Some(after)) => (before, after),
    };
    let mut lines = Vec::new();
    let bypass = |role: &RoleRule| role.bypass.to_string();
    lines.extend(from_to("bypass", &bypass(before), &bypass(after)));
    each(&before.tables, &after.tables, |name, before, after| {
        lines.extend(role_table(name, before, after, count(name)));
    });
    let rights = |role| {
        let temporary = temporary(role).into_iter();
        let temporary = temporary.map(|(what, text)| (format!("rights.temporary.{what}"), text));
        let rights = rights(role).into_iter();
        rights
            .map(|(what, text)| (format!("rights.{what}"), text))
            .chain(temporary)
    };
    let rights: Vec<String> = rights(before)
        .zip(rights(after))
        .filter_map(|((what, old), (_, new))| from_to(&what, &old, &new))
        .collect();
    if !rights.is_empty() {
        lines.push(rights.join(", "));
    }
    lines
}

fn temporary(role: &RoleRule) -> Vec<(&'static str, String)> {
    let Temporary {
        give,
        to,
        delegate,
        share,
        suspend,
        suspend_roles,
        suspend_tables,
        longest,
        request,
        approve,
        raise,
        raise_for,
    } = &role.temporary;
    let patterns = |all: &[Pattern]| all.iter().map(|p| p.what.to_string()).collect::<Vec<_>>().join("; ");
    let people = |all: &[Among]| {
        let named = Among::WORDS.iter().filter(|(_, among)| all.contains(among));
        named.map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
    };
    let deciding: Vec<String> = approve.iter().map(Approver::to_string).collect();
    vec![
        ("give", patterns(give)),
        ("to", people(to)),
        ("delegate", people(delegate)),
        ("share", share.join(", ")),
        ("suspend", people(suspend)),
        ("suspend_roles", suspend_roles.join(", ")),
        ("suspend_tables", suspend_tables.join(", ")),
        ("longest", shown_length(*longest)),
        ("request", patterns(request)),
        ("approve", deciding.join(", ")),
        ("raise", raise.join(", ")),
        ("raise_for", shown_length(*raise_for)),
    ]
}

fn rights(role: &RoleRule) -> Vec<(&'static str, String)> {
    // every field by name, so that a new one is not forgotten here
    let RoleRights {
        functions,
        listen,
        notify,
        may_act_for,
        act_again,
        act_by_application,
        explain,
        sleep,
        directory,
        temp_tables,
        derived_relations,
        message_functions,
        limits,
        concurrent_statements,
    } = &role.rights;
    let names = |all: &[crate::name::QualifiedName]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let limits: Vec<String> = limits.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    vec![
        ("functions", names(functions)),
        ("message_functions", names(message_functions)),
        ("derived_relations", names(derived_relations)),
        ("listen", listen.join(", ")),
        ("notify", notify.join(", ")),
        ("may_act_for", may_act_for.join(", ")),
        ("act_again", act_again.to_string()),
        ("act_by_application", act_by_application.clone().unwrap_or_default()),
        ("explain", explain.to_string()),
        ("sleep", sleep.to_string()),
        ("directory", directory.to_string()),
        ("temp_tables", temp_tables.to_string()),
        ("limits", limits.join(", ")),
        (
            "concurrent_statements",
            concurrent_statements.map_or(String::new(), |n| n.to_string()),
        ),
    ]
}
