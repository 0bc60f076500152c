//! An expression of the DBA's, qualified once, with holes for the row and for the person's attributes.

use super::print;
use crate::identity::{Attribute, Principal};
use std::borrow::Cow;

/// One part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// SQL as it is.
    Sql(String),
    /// The row's alias.
    Row,
    /// An attribute of the person.
    Attribute(String),
}

/// A qualified expression with its holes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Template(pub Vec<Piece>);

impl Template {
    /// The expression for this person over the row of this alias; `None` where the person lacks an attribute
    /// that it names.
    pub(super) fn render(&self, alias: &str, who: &Principal) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Sql(sql) => out.push_str(sql),
                Piece::Row => out.push_str(alias),
                Piece::Attribute(name) => out.push_str(&print::attribute(attribute_of(who, name)?.as_ref())?),
            }
        }
        Some(out)
    }
}

/// The attribute of this name: one of the well-known ones, or a further column of the directory query.
pub(super) fn attribute_of<'p>(who: &'p Principal, name: &str) -> Option<Cow<'p, Attribute>> {
    let known = match name {
        "login" => return Some(Cow::Owned(text(vec![who.login.clone()], false))),
        "roles" => return Some(Cow::Owned(text(who.roles.clone(), true))),
        "user_id" => &who.user_id,
        "team_id" => &who.team_id,
        "team_tree" => &who.team_tree,
        "reports" => &who.reports,
        other => return who.attributes.get(other).map(Cow::Borrowed),
    };
    known.as_ref().map(Cow::Borrowed)
}

fn text(values: Vec<String>, is_list: bool) -> Attribute {
    Attribute {
        type_sql: "\"pg_catalog\".\"text\"".into(),
        values,
        is_list,
    }
}
