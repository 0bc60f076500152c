//! What a person holds for a time, put into the words of their roles.

use super::PolicySet;
use super::file::{Spot, Word};
use super::load::scope_word;
use super::named::unshareable;
use super::scope::{Pred, Scopes, Wording};
use super::written::{ColumnRule, OverMaxRows, RoleRule, RoleTable, Show, TableRule};
use super::{print, written::ScopeWord};
use crate::catalog::Column;
use crate::identity::held::{Gift, Granted, Operation};
use crate::identity::{Attribute, Principal};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl PolicySet {
    /// A person's roles, with what they were given as if it stood there. Rows show as the first role of their own that
    /// names the table shows its rows; where none does, with no column but those that are given, too.
    pub(super) fn roles_of(&self, who: &Principal) -> Vec<Cow<'_, RoleRule>> {
        let roles = who.roles.iter().filter_map(|name| self.written.roles.get(name));
        let mut roles: Vec<Cow<'_, RoleRule>> = roles.map(Cow::Borrowed).collect();
        for granted in &who.held.grants {
            if let Gift::Rows { operations, scope } = &granted.what {
                let at = match &granted.through {
                    // a role that is suspended shows no row, and nobody else's words stand in for its own
                    Some(role) => match roles.iter().position(|r| r.name == *role) {
                        Some(at) => at,
                        None => continue,
                    },
                    None => {
                        roles.push(Cow::Owned(nothing_but(granted)));
                        roles.len() - 1
                    }
                };
                let role = roles.get_mut(at).map(Cow::to_mut);
                if let Some(table) = role.and_then(|r| r.tables.get_mut(&granted.table)) {
                    add_rows(table, operations, scope_word(&word(scope, granted)));
                }
            }
        }
        for granted in &who.held.grants {
            if let Gift::Columns(columns) = &granted.what {
                let seeing = roles.iter_mut().filter(|r| r.tables.contains_key(&granted.table));
                for table in seeing.filter_map(|r| r.to_mut().tables.get_mut(&granted.table)) {
                    add_columns(table, columns, granted, self.written.defaults.columns_clear);
                }
            }
        }
        roles
    }
}

fn word(text: &str, granted: &Granted) -> Word {
    Word {
        text: text.to_owned(),
        at: Spot {
            file: Arc::from(format!("temporary right {}", granted.number)),
            line: 1,
            column: 1,
        },
    }
}

fn nothing_but(granted: &Granted) -> RoleRule {
    let table = RoleTable {
        table: word(&granted.table, granted),
        view: Vec::new(),
        insert: Vec::new(),
        edit: Vec::new(),
        delete: Vec::new(),
        export: Vec::new(),
        max_rows: None,
        over_max_rows: OverMaxRows::default(),
        columns: BTreeMap::from([("*".to_owned(), hidden("*", granted))]),
    };
    let word = table.table.clone();
    RoleRule {
        name: format!("of temporary right {}", granted.number),
        at: word.at,
        title: None,
        bypass: false,
        tables: BTreeMap::from([(word.text, table)]),
        rights: Default::default(),
        temporary: Default::default(),
    }
}

fn add_rows(table: &mut RoleTable, operations: &BTreeSet<Operation>, scope: ScopeWord) {
    for operation in operations {
        let list = match operation {
            Operation::View => &mut table.view,
            Operation::Insert => &mut table.insert,
            Operation::Edit => &mut table.edit,
            Operation::Delete => &mut table.delete,
            Operation::Export => &mut table.export,
        };
        list.push(scope.clone());
    }
}

fn hidden(column: &str, granted: &Granted) -> ColumnRule {
    ColumnRule {
        name: word(column, granted),
        show: Show::Hidden,
        except: Vec::new(),
        searchable: false,
        edit: None,
        transfer: None,
        default: None,
        given: false,
    }
}

/// To see a column is no right to write it; one that shows in clear anyway stays as it is.
fn add_columns(table: &mut RoleTable, columns: &BTreeSet<String>, granted: &Granted, clear_by_default: bool) {
    for name in columns {
        let mut rule = match table.column(name) {
            Some(rule) if rule.show == Show::Clear => continue,
            Some(rule) => rule.clone(),
            None if clear_by_default => continue,
            None => hidden(name, granted),
        };
        rule.given = true;
        table.columns.insert(name.clone(), rule);
    }
}

/// What was given of a table, for explanations.
pub(super) fn because(who: &Principal, table: &str) -> Vec<String> {
    let of_table = who.held.grants.iter().filter(|g| g.table == table);
    let mut lines: Vec<String> = of_table
        .map(|granted| match &granted.what {
            Gift::Rows { operations, scope } => {
                let words: Vec<&str> = operations.iter().map(|o| o.word()).collect();
                format!("temporary right {}: {} = {scope}", granted.number, words.join(", "))
            }
            Gift::Columns(columns) => {
                let names: Vec<&str> = columns.iter().map(String::as_str).collect();
                format!("temporary right {}: in clear: {}", granted.number, names.join(", "))
            }
        })
        .collect();
    let stands_in = delegators(who, table).len();
    if stands_in > 0 {
        lines.push(format!("stands in for {stands_in} in scope delegated"));
    }
    if let Some(records) = who.held.records.get(table) {
        let count: usize = records.iter().map(|shared| shared.keys.len()).sum();
        lines.push(format!("shared: {count} in scope member"));
    }
    lines
}

fn delegators(who: &Principal, table: &str) -> Vec<String> {
    let here = who.held.delegated.iter();
    let here = here.filter(|d| d.table.as_deref().is_none_or(|t| t == table));
    here.map(|d| d.owner.clone()).collect()
}

impl Scopes<'_> {
    /// Those whose rows the person stands in for, as the owner column of a table has them.
    pub(super) fn delegators(&self, table: &TableRule) -> Option<Attribute> {
        let values = delegators(self.who, &table.name.text);
        let type_sql = self.who.user_id.as_ref()?.type_sql.clone();
        (!values.is_empty()).then_some(Attribute {
            type_sql,
            values,
            is_list: true,
        })
    }

    /// The records that are shared with the person, as far as those who share them view them; none where a key may stand
    /// for more than one row.
    pub(super) fn shared(&self, table: &TableRule, level: usize) -> Pred {
        let Some(records) = self.who.held.records.get(&table.name.text) else {
            return Pred::none();
        };
        let Some(relation) = self.relation(table) else {
            return Pred::none();
        };
        if unshareable(table, relation, self.catalog).is_some() {
            return Pred::none();
        }
        let columns: Vec<&Column> = table.key.iter().filter_map(|w| relation.column(&w.text)).collect();
        records.iter().fold(Pred::none(), |all, shared| {
            let named = self.named(&columns, &shared.keys, &print::alias(level));
            all.or(match &shared.by {
                None => named,
                Some(by) => named.both(&self.viewed_by(by, table, level)),
            })
        })
    }

    /// The rows of these keys.
    fn named(&self, columns: &[&Column], keys: &BTreeSet<Vec<String>>, alias: &str) -> Pred {
        let whole = keys.iter().filter(|values| values.len() == columns.len());
        if let [column] = columns {
            let values = whole.flatten().cloned().collect();
            return Pred::one(self.is_any(alias, column, values));
        }
        let each = whole.filter_map(|values| {
            let parts = columns.iter().zip(values);
            let parts: Option<Vec<String>> = parts.map(|(c, v)| self.is_any(alias, c, vec![v.clone()])).collect();
            Some(format!("({})", parts?.join(" AND ")))
        });
        Pred::Any(each.collect())
    }

    /// The rows that somebody views by their roles alone. They are looked at for a few keys.
    fn viewed_by(&self, who: &Principal, table: &TableRule, level: usize) -> Pred {
        let roles = who.roles.iter().filter_map(|name| self.written.roles.get(name));
        let roles: Vec<Cow<'_, RoleRule>> = roles.map(Cow::Borrowed).collect();
        let theirs = Scopes {
            written: self.written,
            bound: self.bound,
            catalog: self.catalog,
            who,
            wording: Wording::ByKey,
            closed: self.closed,
            roles: &roles,
        };
        let said = theirs.says(table);
        said.fold(Pred::none(), |all, (role, said)| {
            all.or(theirs.rows(role, table, &said.view, level))
        })
    }

    /// `column = any of these`, which were not read from a column of that type: what could be no value of it is left
    /// out.
    fn is_any(&self, alias: &str, column: &Column, mut values: Vec<String>) -> Option<String> {
        let (value, family) = print::comparable(self.catalog, &print::column(alias, &column.name), column)?;
        match &family {
            print::Family::Integer(..) | print::Family::Numeric | print::Family::Text => {}
            print::Family::Uuid => values.retain(|v| is_uuid(v)),
            print::Family::Same(..) => return None,
        }
        let attribute = Attribute {
            type_sql: "".into(),
            values,
            is_list: true,
        };
        print::equals_any(&value, &family, &attribute)
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
