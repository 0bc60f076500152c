//! What the gate may ask about a person, and what the answers are: nothing else of a person reaches a judgement.
//!
//! Every answer has a [`Fact`] for a name: the same content, the same fact. Two people to whom the same facts apply,
//! as far as a text was asked about, are judged the same. Since an [`Asker`] notes each question, what has to be equal
//! is never listed by hand.

use super::World;
use crate::catalog::{ForeignKey, Oid, Relation};
use crate::identity::Principal;
use crate::policy::{Access, ColumnView, RoleRights, Writes};
use arc_swap::{ArcSwap, Guard};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The most facts that one world keeps; beyond it all are forgotten, and what they named is judged anew.
const MOST_FACTS: usize = 1 << 14;

/// What can be asked about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// What their roles allow beside tables.
    Rights,
    /// Is a schema called as their login?
    OwnSchema,
    /// What they may do with a relation.
    Access(Oid),
    /// What they may write to a relation.
    Writes(Oid),
}

/// An answer's name: equal for equal answers in one world, and never given twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact(u64);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Answer {
    Rights(Arc<RoleRights>),
    OwnSchema(bool),
    Access(Access),
    Writes(Option<Arc<Writes>>),
}

/// The answers about one person that are known.
pub type Known = BTreeMap<Question, Told>;

/// An answer and its name.
#[derive(Debug, Clone)]
pub struct Told {
    answer: Answer,
    /// The name.
    pub fact: Fact,
}

/// Somebody under one world, with the answers that were given about them.
#[derive(Debug)]
pub struct Standing {
    who: Arc<Principal>,
    world: u64,
    known: ArcSwap<Known>,
}

/// Everybody's standing under one world.
#[derive(Debug)]
pub struct Standings {
    world: u64,
    people: RwLock<HashMap<String, Arc<Standing>>>,
    facts: Mutex<HashMap<Answer, Fact>>,
}

fn next() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

impl Default for Standings {
    fn default() -> Self {
        Self {
            world: next(),
            people: RwLock::default(),
            facts: Mutex::default(),
        }
    }
}

impl Standings {
    fn fact(&self, answer: &Answer) -> Fact {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fact) = facts.get(answer) {
            return *fact;
        }
        if facts.len() >= MOST_FACTS {
            facts.clear();
            self.people.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
        let fact = Fact(next());
        facts.insert(answer.clone(), fact);
        fact
    }
}

impl World {
    /// Somebody's standing under this world.
    pub fn standing(&self, who: &Arc<Principal>) -> Arc<Standing> {
        let people = &self.standings.people;
        let known = {
            let people = people.read().unwrap_or_else(PoisonError::into_inner);
            people.get(&who.login).map(Arc::clone)
        };
        if let Some(known) = known.filter(|k| Arc::ptr_eq(&k.who, who) || k.who == *who) {
            return known;
        }
        let standing = Arc::new(Standing {
            who: Arc::clone(who),
            world: self.standings.world,
            known: ArcSwap::default(),
        });
        let mut people = people.write().unwrap_or_else(PoisonError::into_inner);
        people.insert(who.login.clone(), Arc::clone(&standing));
        standing
    }

    /// What somebody's roles allow beside tables: one for all of their sessions.
    pub fn rights_of(&self, who: &Arc<Principal>) -> Arc<RoleRights> {
        Asker::about(self, &self.standing(who)).rights()
    }

    fn answer(&self, who: &Principal, question: Question) -> Answer {
        let relation = |oid| self.catalog.relations.get(&oid);
        match question {
            Question::Rights => Answer::Rights(Arc::new(self.policies.rights(who))),
            Question::OwnSchema => Answer::OwnSchema(self.catalog.schemas.contains_key(&who.login)),
            Question::Access(oid) => Answer::Access(relation(oid).map_or(Access::Denied, |relation| {
                self.policies.access(who, relation, &self.catalog)
            })),
            Question::Writes(oid) => Answer::Writes(relation(oid).and_then(|relation| {
                let writes = self.policies.writes(who, relation, &self.catalog, &self.directory);
                writes.map(Arc::new)
            })),
        }
    }
}

impl Standing {
    /// Is it this person's under this world?
    pub fn is_of(&self, who: &Arc<Principal>, world: &World) -> bool {
        self.is_under(world) && Arc::ptr_eq(&self.who, who)
    }

    /// Is it of this world?
    pub fn is_under(&self, world: &World) -> bool {
        self.world == world.standings.world
    }

    /// The answers about this person, those to `questions` among them. `None` if it belongs to another world.
    pub fn told(&self, questions: &[Question], world: &World) -> Option<Guard<Arc<Known>>> {
        if !self.is_under(world) {
            return None;
        }
        let known = self.known.load();
        if questions.iter().all(|q| known.contains_key(q)) {
            return Some(known);
        }
        for question in questions {
            self.tell(*question, world);
        }
        Some(self.known.load())
    }

    fn tell(&self, question: Question, world: &World) -> Told {
        if let Some(told) = self.known.load().get(&question) {
            return told.clone();
        }
        let answer = world.answer(&self.who, question);
        let told = Told {
            fact: world.standings.fact(&answer),
            answer,
        };
        self.known.rcu(|known| {
            let mut known = Known::clone(known);
            known.insert(question, told.clone());
            known
        });
        told
    }
}

/// One judgement's view of the person whom it is about; it notes what was asked.
#[derive(Debug)]
pub struct Asker<'w> {
    world: &'w World,
    standing: Arc<Standing>,
    asked: RefCell<Known>,
}

impl<'w> Asker<'w> {
    /// Asks about this person.
    pub fn new(world: &'w World, who: &Principal) -> Self {
        Self::about(world, &world.standing(&Arc::new(who.clone())))
    }

    /// Asks about the person of this standing, under this world whatever the standing is from.
    pub fn about(world: &'w World, standing: &Arc<Standing>) -> Self {
        let is_current = standing.is_under(world);
        Self {
            world,
            standing: if is_current {
                Arc::clone(standing)
            } else {
                world.standing(&standing.who)
            },
            asked: RefCell::default(),
        }
    }

    fn ask(&self, question: Question) -> Answer {
        let mut asked = self.asked.borrow_mut();
        let told = asked
            .entry(question)
            .or_insert_with(|| self.standing.tell(question, self.world));
        told.answer.clone()
    }

    /// What the person may do with a relation.
    pub fn access(&self, relation: &Relation) -> Access {
        // what no policy is about is the same for everybody
        if !self.world.policies.protects(relation.oid) {
            return self.world.policies.unprotected(relation);
        }
        match self.ask(Question::Access(relation.oid)) {
            Answer::Access(access) => access,
            Answer::Rights(_) | Answer::OwnSchema(_) | Answer::Writes(_) => Access::Denied,
        }
    }

    /// What they may write to a protected relation; `None` as [`crate::policy::PolicySet::writes`] has it.
    pub fn writes(&self, relation: &Relation) -> Option<Arc<Writes>> {
        match self.ask(Question::Writes(relation.oid)) {
            Answer::Writes(writes) => writes,
            Answer::Rights(_) | Answer::OwnSchema(_) | Answer::Access(_) => None,
        }
    }

    /// A foreign key of a relation that no policy is about, to a protected one whose keys do not all show: whether a write
    /// to it succeeds would tell which of them are there.
    pub fn tells_keys(&self, relation: &Relation) -> Option<&'w ForeignKey> {
        let catalog = &self.world.catalog;
        let relation = catalog.relations.get(&relation.oid)?;
        let keys = catalog.keys_of(relation).into_iter().map(|(_, key)| key);
        keys.into_iter().find(|key| {
            let Some(target) = catalog.relations.get(&key.target) else {
                return true;
            };
            match self.access(target) {
                Access::Open => false,
                Access::Denied => self.world.policies.protects(target.oid),
                Access::Guarded(view) => {
                    let is_clear = |number: &i16| {
                        let mut shown = target.columns.iter().zip(&view.columns);
                        shown.any(|(column, shown)| column.number == *number && *shown == ColumnView::Clear)
                    };
                    view.hides_rows() || !key.target_columns.iter().all(is_clear)
                }
            }
        })
    }

    /// What their roles allow beside tables.
    pub fn rights(&self) -> Arc<RoleRights> {
        match self.ask(Question::Rights) {
            Answer::Rights(rights) => rights,
            Answer::OwnSchema(_) | Answer::Access(_) | Answer::Writes(_) => Arc::default(),
        }
    }

    /// Is a schema called as their login?
    pub fn has_own_schema(&self) -> bool {
        self.ask(Question::OwnSchema) != Answer::OwnSchema(false)
    }

    /// What was asked, and the answers' names: in the questions' order, each once.
    pub fn asked(self) -> Vec<(Question, Fact)> {
        let asked = self.asked.into_inner().into_iter();
        asked.map(|(question, told)| (question, told.fact)).collect()
    }
}
