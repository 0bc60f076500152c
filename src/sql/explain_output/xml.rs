//! EXPLAIN (FORMAT XML): elements and text. PostgreSQL writes `<` and `>` of values as references, so that every one is
//! of its own.

use super::{Leaf, may_pass};

/// What of a plan may be read.
pub fn filter(document: &str) -> Option<String> {
    let mut kept = String::new();
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut rest = document;
    while let Some((text, behind)) = rest.split_once('<') {
        let (tag, behind) = behind.split_once('>')?;
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().filter(|element| element.name == name)?;
            if !closed.passes {
                continue;
            }
            match closed.holds {
                Holds::Elements => line(&mut kept, open.len(), &format!("</{name}>")),
                Holds::Nothing if leaf_passes(name, text) => {
                    line(&mut kept, open.len(), &format!("<{name}>{text}</{name}>"));
                }
                Holds::Nothing => {}
            }
            continue;
        }
        let above = open.last().is_none_or(|element| element.passes);
        let name = tag.split(' ').next().unwrap_or(tag);
        let frame = matches!(name, "explain" | "Query" | "Plan" | "Plans");
        if above && frame {
            let attributes = if name == "explain" { NAMESPACE } else { "" };
            line(&mut kept, open.len(), &format!("<{name}{attributes}>"));
        }
        let empty = tag.ends_with('/');
        if !empty {
            open.push(Element {
                name,
                passes: above,
                holds: if frame { Holds::Elements } else { Holds::Nothing },
            });
            if let Some(last) = open.last_mut() {
                last.passes &= frame || is_leaf(rest);
            }
        }
    }
    kept.pop();
    (open.is_empty() && !kept.is_empty()).then_some(kept)
}

const NAMESPACE: &str = " xmlns=\"http://www.postgresql.org/2009/explain\"";

struct Element<'t> {
    name: &'t str,
    passes: bool,
    holds: Holds,
}

/// What an element may have below it.
enum Holds {
    Elements,
    Nothing,
}

/// Does an element end behind its text?
fn is_leaf(rest: &str) -> bool {
    rest.split_once('<').is_some_and(|(_, tag)| tag.starts_with('/'))
}

fn leaf_passes(name: &str, text: &str) -> bool {
    let key = name.replace('-', " ");
    let leaves = [Leaf::Word(text), Leaf::Number(text)];
    matches!(text, "true" | "false") && may_pass(&key, Leaf::Flag) || leaves.iter().any(|leaf| may_pass(&key, *leaf))
}

fn line(kept: &mut String, depth: usize, text: &str) {
    kept.push_str(&"  ".repeat(depth));
    kept.push_str(text);
    kept.push('\n');
}
