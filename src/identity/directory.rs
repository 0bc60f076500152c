//! Who people are: users, roles, teams and managers, read from the database the CRM already keeps.

use crate::catalog::Oid;
use crate::identity::held::Held;
use crate::identity::{Attribute, Principal};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Everybody, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// As the database says.
    people: Arc<HashMap<String, Arc<Principal>>>,
    /// Those of them who hold something for a time; `None` is somebody suspended.
    changed: HashMap<String, Option<Arc<Principal>>>,
    shape: Shape,
}

/// The columns that the directory's users query yields, whoever the person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    attributes: BTreeMap<String, Oid>,
}

/// What a directory query yielded: values in text form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The columns in order.
    pub columns: Vec<AnswerColumn>,
    /// The rows; `None` is NULL, a scalar has one value.
    pub rows: Vec<Vec<Option<Vec<String>>>>,
}

/// A column of a directory query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name.
    pub name: String,
    /// Its type; for a list, that of its elements.
    pub type_oid: Oid,
    /// That type as qualified SQL.
    pub type_sql: String,
    /// An array.
    pub is_list: bool,
}

impl Shape {
    /// The type of `user_id`, if the query yields it.
    pub fn user_id(&self) -> Option<Oid> {
        self.attributes.get("user_id").copied()
    }

    /// The type of `team_id`, if the query yields it.
    pub fn team_id(&self) -> Option<Oid> {
        self.attributes.get("team_id").copied()
    }

    /// May a condition name this attribute?
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|n| n == name)
    }

    /// Every attribute that a condition may name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        ["login", "roles", "team_tree", "reports"]
            .into_iter()
            .chain(self.attributes.keys().map(String::as_str))
    }
}

impl Directory {
    /// The active person of this login; inactive, suspended and unknown people are all `None`.
    pub fn principal(&self, login: &str) -> Option<&Arc<Principal>> {
        match self.changed.get(login) {
            Some(changed) => changed.as_ref(),
            None => self.people.get(login),
        }
    }

    /// Everybody who is active and not suspended, in no order.
    pub fn people(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.people.keys().filter_map(|login| self.principal(login))
    }

    /// Somebody as the database says they are, whatever they hold for a time; suspended people, too.
    pub fn as_read(&self, login: &str) -> Option<&Arc<Principal>> {
        self.people.get(login)
    }

    /// Everybody in the same way, in no order.
    pub fn all_as_read(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.people.values()
    }

    /// Is this somebody whom a suspension keeps out?
    pub fn is_suspended(&self, login: &str) -> bool {
        matches!(self.changed.get(login), Some(None))
    }

    /// The same people, with these of them otherwise than the database says; `None` is somebody suspended.
    pub fn with_changed(&self, changed: HashMap<String, Option<Arc<Principal>>>) -> Self {
        Self {
            people: Arc::clone(&self.people),
            changed,
            shape: self.shape.clone(),
        }
    }

    /// Which attributes people have.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Puts people, teams and managers together. `bypass` are the roles marked so. Beside the directory comes
    /// what is odd in the data, for the operator's log; the people concerned get less, never more.
    pub fn build(users: &Answer, teams: &Answer, bypass: &BTreeSet<String>) -> (Self, Vec<String>) {
        let mut odd = Vec::new();
        let read = People::read(users, &mut odd);
        let teams_below = Tree::of_answer(teams, "team_id", "parent_id", "team", &mut odd);
        // whoever has left still stands in the chain of command: what they own is their managers' to see
        let managers = Tree::of_answer(users, "user_id", "manager_id", "person", &mut odd);
        let mut people = HashMap::new();
        for person in read {
            let scalar = |name: &str, values: &Option<String>| {
                values
                    .as_ref()
                    .map(|v| person_attribute(users, name, vec![v.clone()], false))
            };
            let team = person.team.clone();
            let user = person.user_id.as_ref().and_then(|v| v.first().cloned());
            let list = |of: &str, values: Option<Vec<String>>| values.map(|v| person_attribute(users, of, v, true));
            let principal = Principal {
                login: person.login.clone(),
                user_id: scalar("user_id", &user),
                team_id: scalar("team_id", &team),
                team_tree: list(
                    "team_id",
                    team.map(|t| {
                        let mut tree = vec![t.clone()];
                        tree.extend(teams_below.below(&t));
                        tree
                    }),
                ),
                reports: list("user_id", user.map(|u| managers.below(&u))),
                attributes: person.attributes,
                bypass: person.roles.iter().any(|r| bypass.contains(r)),
                roles: person.roles,
                held: Held::default(),
            };
            people.insert(person.login, Arc::new(principal));
        }
        let shape = Shape {
            attributes: users.columns.iter().map(|c| (c.name.clone(), c.type_oid)).collect(),
        };
        let directory = Self {
            people: Arc::new(people),
            changed: HashMap::new(),
            shape,
        };
        (directory, odd)
    }
}

fn person_attribute(users: &Answer, column: &str, values: Vec<String>, is_list: bool) -> Attribute {
    let type_sql = users
        .columns
        .iter()
        .find(|c| c.name == column)
        .map_or_else(String::new, |c| c.type_sql.clone());
    Attribute {
        type_sql,
        values,
        is_list,
    }
}

/// One person as the query gives them.
#[derive(PartialEq, Eq)]
struct Person {
    login: String,
    roles: Vec<String>,
    user_id: Option<Vec<String>>,
    team: Option<String>,
    attributes: BTreeMap<String, Attribute>,
}

struct People;

impl People {
    /// Active people; several rows of one login unite their roles if all else is the same.
    fn read(users: &Answer, odd: &mut Vec<String>) -> Vec<Person> {
        let mut people: BTreeMap<String, Option<Person>> = BTreeMap::new();
        for row in &users.rows {
            let cell = |name: &str| {
                let at = users.columns.iter().position(|c| c.name == name)?;
                row.get(at)?.as_ref()
            };
            let one = |name: &str| cell(name).and_then(|v| v.first().cloned());
            let has_active = users.columns.iter().any(|c| c.name == "active");
            let Some(login) = one("login") else { continue };
            if has_active && one("active").is_none_or(|a| a != "t" && a != "true") {
                continue;
            }
            let mut attributes = BTreeMap::new();
            for (column, value) in users.columns.iter().zip(row) {
                let known = ["login", "user_id", "role", "team_id", "manager_id", "active"];
                if known.contains(&column.name.as_str()) {
                    continue;
                }
                if let Some(values) = value {
                    attributes.insert(
                        column.name.clone(),
                        Attribute {
                            type_sql: column.type_sql.clone(),
                            values: values.clone(),
                            is_list: column.is_list,
                        },
                    );
                }
            }
            let person = Person {
                login: login.clone(),
                roles: cell("role").cloned().unwrap_or_default(),
                user_id: one("user_id").map(|v| vec![v]),
                team: one("team_id"),
                attributes,
            };
            match people.get_mut(&login) {
                None => {
                    people.insert(login, Some(person));
                }
                Some(Some(held)) if held.same_but_roles(&person) => {
                    for role in person.roles {
                        if !held.roles.contains(&role) {
                            held.roles.push(role);
                        }
                    }
                }
                Some(slot) => {
                    if slot.take().is_some() {
                        odd.push(format!(
                            "login \"{login}\" stands for different people in the directory: nobody may use it"
                        ));
                    }
                }
            }
        }
        people.into_values().flatten().collect()
    }
}

impl Person {
    fn same_but_roles(&self, other: &Self) -> bool {
        self.user_id == other.user_id && self.team == other.team && self.attributes == other.attributes
    }
}

/// Who or what is directly below each.
#[derive(Default)]
struct Tree {
    children: HashMap<String, Vec<String>>,
}

impl Tree {
    fn of_answer(answer: &Answer, node: &str, above: &str, what: &str, odd: &mut Vec<String>) -> Self {
        let at = |name: &str| answer.columns.iter().position(|c| c.name == name);
        let (Some(node), Some(above)) = (at(node), at(above)) else {
            return Self::default();
        };
        let value = |row: &Vec<Option<Vec<String>>>, at: usize| row.get(at)?.as_ref()?.first().cloned();
        Self::new(
            answer
                .rows
                .iter()
                .filter_map(|r| Some((value(r, node)?, value(r, above)?))),
            what,
            odd,
        )
    }

    /// From pairs of node and what is above it. The steps of a circle are left out, so that nobody in one gets
    /// what is above them.
    fn new(pairs: impl Iterator<Item = (String, String)>, what: &str, odd: &mut Vec<String>) -> Self {
        let mut above: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (node, parent) in pairs {
            above.entry(node).or_default().insert(parent);
        }
        let mut children: HashMap<String, Vec<String>> = HashMap::new();
        for (node, parents) in &above {
            for parent in parents {
                if reaches(&above, parent, node) {
                    odd.push(format!(
                        "{what} {node} comes back to itself through {parent}: this step is left out"
                    ));
                } else {
                    children.entry(parent.clone()).or_default().push(node.clone());
                }
            }
        }
        Self { children }
    }

    /// Everything below, in order, the node itself left out.
    fn below(&self, node: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = vec![node];
        while let Some(at) = open.pop() {
            for child in self.children.get(at).into_iter().flatten() {
                if child != node && seen.insert(child.clone()) {
                    open.push(child);
                }
            }
        }
        seen.into_iter().collect()
    }
}

/// Is `to` found by going up from `from`?
fn reaches(above: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(above.get(at).into_iter().flatten().map(String::as_str));
        }
    }
    false
}
