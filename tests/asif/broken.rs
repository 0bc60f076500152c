//! The rewriter broken on purpose: each way must be caught by the oracle, or the oracle sees nothing.

use crate::compare::{self, Verdict};
use crate::explain::Explainer;
use crate::generate::case::case;
use crate::stage::Stage;
use crate::tape::Tape;
use crate::wire::Client;
use crate::world::World;

/// One way to get a guard wrong.
#[derive(Debug, Clone, Copy)]
pub enum Breakage {
    /// The relation stands bare.
    Bare,
    /// The guard lets every row through.
    NoScope,
    /// A masked column shows in clear.
    NoMask,
}

/// Broken statements that ran, and those of them that the oracle caught.
#[derive(Debug, Default)]
pub struct Caught {
    pub broken: usize,
    pub caught: usize,
}

/// Where the parenthesis that opens at `open` closes; quotes are jumped over.
fn closing(text: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Places of a word in a text that stand outside quotes and parentheses.
fn outside(text: &str, word: &str) -> Vec<usize> {
    let (mut depth, mut quote, mut found) = (0usize, None, Vec::new());
    for (at, c) in text.char_indices() {
        if depth == 0 && quote.is_none() && text[at..].starts_with(word) {
            found.push(at);
        }
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

/// The first guard of a sent text, broken; `None` where nothing can be broken that way.
pub fn broken(text: &str, how: Breakage) -> Option<String> {
    let mut from = 0;
    while let Some(open) = text[from..].find("(SELECT ").map(|at| at + from) {
        from = open + 1;
        let close = closing(text, open)?;
        let inside = &text[open + 1..close];
        let Some(&table_at) = outside(inside, " FROM ").first() else {
            continue;
        };
        let after = &inside[table_at + 6..];
        let Some(alias_at) = after.find(" AS \"rowgate:row\"") else {
            continue;
        };
        if !outside(&after[..alias_at], " ").is_empty() {
            continue;
        }
        let inner = match how {
            Breakage::Bare => after[..alias_at].to_owned(),
            Breakage::NoScope => {
                let Some(&scope) = outside(inside, " WHERE ").first() else {
                    continue;
                };
                format!("({})", &inside[..scope])
            }
            Breakage::NoMask => {
                let Some(list) = unmasked(&inside[7..table_at]) else {
                    continue;
                };
                format!("(SELECT {list}{})", &inside[table_at..])
            }
        };
        return Some(format!("{}{inner}{}", &text[..open], &text[close + 1..]));
    }
    None
}

fn unmasked(list: &str) -> Option<String> {
    let mut ends = outside(list, ", ");
    ends.push(list.len());
    let mut start = 0;
    let mut items = Vec::new();
    let mut changed = false;
    for end in ends {
        let item = &list[start..end];
        start = (end + 2).min(list.len());
        match item.rsplit_once(" AS ") {
            Some((mask, name)) if !name.contains("rowgate:") && mask.starts_with('(') => {
                changed = true;
                items.push(format!("\"rowgate:row\".{name}"));
            }
            _ => items.push(item.to_owned()),
        }
    }
    changed.then(|| items.join(", "))
}

/// Breaks generated statements one way and counts how many of them the oracle notices.
pub fn try_out(world: &World, stage: &Stage, explainer: &Explainer, how: Breakage, wanted: usize) -> Caught {
    let mut result = Caught::default();
    let mut whole = Client::connect(&stage.whole()).expect("D");
    whole.simple(crate::SETTINGS).expect("D");
    let people = ["alice", "priya", "ewan", "yun"];
    let seats: Vec<_> = world
        .seats
        .iter()
        .filter(|s| people.contains(&s.person.login))
        .collect();
    for (i, seat) in seats.iter().enumerate() {
        let mut prime = Client::connect(&seat.prime).expect("D′");
        prime.simple(crate::SETTINGS).expect("D′");
        for n in 0..4000u64 {
            if result.broken >= wanted * (i + 1) / seats.len() {
                break;
            }
            let made = case(&mut Tape::seeded(0xb0 + n), &seat.schema, &world.whole);
            let step = &made.steps[0];
            if made.steps.len() > 1 || !step.params.is_empty() || made.kind == "copy" {
                continue;
            }
            let Ok(judgement) = explainer.judge(seat.person.login, &step.sql) else {
                continue;
            };
            let Some(text) = broken(judgement.text.text(), how) else {
                continue;
            };
            let shown = whole.simple(&text).expect("D");
            let right = prime.simple(&step.sql).expect("D′");
            result.broken += 1;
            let leak = compare::leaked(&shown, &right, &seat.hidden, &step.sql).is_some();
            let verdict = compare::judge(step, &shown, &right, &seat.exempt);
            if leak || matches!(verdict, Verdict::Different(_)) {
                result.caught += 1;
            }
        }
    }
    result
}
