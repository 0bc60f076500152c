//! Who people are: users, roles, teams and managers, read from the database the CRM already keeps.

use crate::catalog::Oid;
use crate::identity::held::Held;
use crate::identity::tree::Tree;
use crate::identity::{Attribute, Principal};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// Everybody, at one moment. What is below somebody is looked for when they are first asked about.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// As the database says.
    people: Arc<HashMap<String, Entry>>,
    trees: Arc<Trees>,
    /// Those of them who hold something for a time; `None` is somebody suspended.
    changed: HashMap<String, Option<Arc<Principal>>>,
    shape: Shape,
}

/// Somebody, first without and then with the teams and people below them.
#[derive(Debug)]
struct Entry {
    plain: Arc<Principal>,
    whole: OnceLock<Arc<Principal>>,
}

#[derive(Debug, Default)]
struct Trees {
    teams: Tree,
    managers: Tree,
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
    pub type_sql: Arc<str>,
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
            None => self.as_read(login),
        }
    }

    /// Everybody who is active and not suspended, in no order, with the teams and people below them. Where these do not
    /// matter, [`Directory::listed`] costs less.
    pub fn people(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.people.keys().filter_map(|login| self.principal(login))
    }

    /// How many these are.
    pub fn count(&self) -> usize {
        let suspended = self
            .changed
            .iter()
            .filter(|(login, changed)| changed.is_none() && self.people.contains_key(login.as_str()));
        self.people.len() - suspended.count()
    }

    /// Somebody as the database says they are, whatever they hold for a time; suspended people, too.
    pub fn as_read(&self, login: &str) -> Option<&Arc<Principal>> {
        let entry = self.people.get(login)?;
        Some(entry.whole.get_or_init(|| Arc::new(self.trees.complete(&entry.plain))))
    }

    /// Everybody as the database says they are, suspended people, too, without the teams and people below them; in no
    /// order.
    pub fn listed(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.people.values().map(|entry| &entry.plain)
    }

    /// The roles that somebody has at the moment; those that the database gives them while they are suspended.
    pub fn roles(&self, login: &str) -> &[String] {
        let changed = self.changed.get(login).and_then(Option::as_ref);
        changed.or_else(|| self.plain(login)).map_or(&[], |p| &p.roles)
    }

    /// One of [`Directory::listed`].
    pub fn plain(&self, login: &str) -> Option<&Arc<Principal>> {
        self.people.get(login).map(|entry| &entry.plain)
    }

    /// Is this somebody whom a suspension keeps out?
    pub fn is_suspended(&self, login: &str) -> bool {
        matches!(self.changed.get(login), Some(None))
    }

    /// The same people, with these of them otherwise than the database says; `None` is somebody suspended.
    pub fn with_changed(&self, changed: HashMap<String, Option<Arc<Principal>>>) -> Self {
        Self {
            people: Arc::clone(&self.people),
            trees: Arc::clone(&self.trees),
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
        // whoever has left still stands in the chain of command: what they own is their managers' to see
        let trees = Trees {
            teams: tree_of(teams, "team_id", "parent_id", "team", &mut odd),
            managers: tree_of(users, "user_id", "manager_id", "person", &mut odd),
        };
        let type_of = |name: &str| {
            let column = users.columns.iter().find(|c| c.name == name);
            column.map_or_else(|| Arc::from(""), |c| Arc::clone(&c.type_sql))
        };
        let (user_type, team_type) = (type_of("user_id"), type_of("team_id"));
        let mut people = HashMap::with_capacity(read.len());
        for person in read {
            let scalar = |type_sql: &Arc<str>, value: Option<String>| {
                value.map(|v| Attribute {
                    type_sql: Arc::clone(type_sql),
                    values: vec![v],
                    is_list: false,
                })
            };
            let principal = Principal {
                login: person.login.clone(),
                user_id: scalar(&user_type, person.user_id),
                team_id: scalar(&team_type, person.team),
                team_tree: None,
                reports: None,
                attributes: person.attributes,
                bypass: person.roles.iter().any(|r| bypass.contains(r)),
                roles: person.roles,
                held: Held::default(),
            };
            let entry = Entry {
                plain: Arc::new(principal),
                whole: OnceLock::new(),
            };
            people.insert(person.login, entry);
        }
        let shape = Shape {
            attributes: users.columns.iter().map(|c| (c.name.clone(), c.type_oid)).collect(),
        };
        let directory = Self {
            people: Arc::new(people),
            trees: Arc::new(trees),
            changed: HashMap::new(),
            shape,
        };
        (directory, odd)
    }
}

impl Trees {
    /// Somebody with the teams and people below them.
    fn complete(&self, plain: &Principal) -> Principal {
        let list = |of: &Attribute, values| Attribute {
            type_sql: of.type_sql.clone(),
            values,
            is_list: true,
        };
        let first = |of: &Attribute| of.values.first().cloned().unwrap_or_default();
        let team_tree = plain.team_id.as_ref().map(|of| {
            let team = first(of);
            let below = self.teams.below(&team);
            list(of, std::iter::once(team).chain(below).collect())
        });
        let reports = plain
            .user_id
            .as_ref()
            .map(|of| list(of, self.managers.below(&first(of))));
        Principal {
            team_tree,
            reports,
            ..plain.clone()
        }
    }
}

fn tree_of(answer: &Answer, node: &str, above: &str, what: &str, odd: &mut Vec<String>) -> Tree {
    let at = |name: &str| answer.columns.iter().position(|c| c.name == name);
    let (Some(node), Some(above)) = (at(node), at(above)) else {
        return Tree::default();
    };
    let value = |row: &Vec<Option<Vec<String>>>, at: usize| row.get(at)?.as_ref()?.first().cloned();
    let pairs = answer.rows.iter();
    Tree::new(
        pairs.filter_map(|r| Some((value(r, node)?, value(r, above)?))),
        what,
        odd,
    )
}

/// One person as the query gives them.
#[derive(PartialEq, Eq)]
struct Person {
    login: String,
    roles: Vec<String>,
    user_id: Option<String>,
    team: Option<String>,
    attributes: Attributes,
}

type Attributes = Arc<BTreeMap<String, Attribute>>;

/// Where the columns stand that the directory knows by name; any other is an attribute of the person.
struct Places<'a> {
    login: Option<usize>,
    user_id: Option<usize>,
    role: Option<usize>,
    team_id: Option<usize>,
    active: Option<usize>,
    others: Vec<(usize, &'a AnswerColumn)>,
}

type Cells = [Option<Vec<String>>];

fn cell(row: &Cells, at: Option<usize>) -> Option<&Vec<String>> {
    row.get(at?)?.as_ref()
}

fn first(row: &Cells, at: Option<usize>) -> Option<&String> {
    cell(row, at)?.first()
}

impl<'a> Places<'a> {
    fn of(columns: &'a [AnswerColumn]) -> Self {
        const KNOWN: [&str; 6] = ["login", "user_id", "role", "team_id", "manager_id", "active"];
        let at = |name: &str| columns.iter().position(|c| c.name == name);
        let others = columns.iter().enumerate();
        Self {
            login: at("login"),
            user_id: at("user_id"),
            role: at("role"),
            team_id: at("team_id"),
            active: at("active"),
            others: others.filter(|(_, c)| !KNOWN.contains(&c.name.as_str())).collect(),
        }
    }

    fn is_active(&self, row: &Cells) -> bool {
        self.active.is_none() || first(row, self.active).is_some_and(|a| a == "t" || a == "true")
    }

    /// What the directory says of somebody beside who they are.
    fn attributes(&self, row: &Cells) -> BTreeMap<String, Attribute> {
        let said = self.others.iter().filter_map(|(at, column)| {
            let attribute = Attribute {
                type_sql: Arc::clone(&column.type_sql),
                values: cell(row, Some(*at))?.clone(),
                is_list: column.is_list,
            };
            Some((column.name.clone(), attribute))
        });
        said.collect()
    }
}

struct People;

impl People {
    /// Active people; several rows of one login unite their roles if all else is the same.
    fn read(users: &Answer, odd: &mut Vec<String>) -> Vec<Person> {
        let mut people: BTreeMap<String, Option<Person>> = BTreeMap::new();
        // many people have the same: a region, what their team has
        let mut shared: HashMap<Vec<Option<&Vec<String>>>, Attributes> = HashMap::new();
        let mut nameless = 0;
        let places = Places::of(&users.columns);
        for row in &users.rows {
            let Some(login) = first(row, places.login).cloned() else {
                nameless += 1;
                continue;
            };
            if !places.is_active(row) {
                continue;
            }
            let key = places.others.iter().map(|(at, _)| cell(row, Some(*at))).collect();
            let attributes = shared.entry(key).or_insert_with(|| Arc::new(places.attributes(row)));
            let person = Person {
                login: login.clone(),
                roles: cell(row, places.role).cloned().unwrap_or_default(),
                user_id: first(row, places.user_id).cloned(),
                team: first(row, places.team_id).cloned(),
                attributes: Arc::clone(attributes),
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
        if nameless > 0 {
            odd.push(format!(
                "the directory has {nameless} people without a login: they are left out"
            ));
        }
        people.into_values().flatten().collect()
    }
}

impl Person {
    fn same_but_roles(&self, other: &Self) -> bool {
        self.user_id == other.user_id && self.team == other.team && self.attributes == other.attributes
    }
}
