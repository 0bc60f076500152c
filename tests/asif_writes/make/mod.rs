//! Statements that write, from a seed: every kind that the contract names, over the demonstration's tables.

mod copy;
mod insert;
mod sequence;
mod target;
mod update;
mod values;

use crate::generate::Gen;
use crate::generate::case::{Case, Step};
use crate::schema::Schema;
use crate::tape::Tape;
use crate::yard::{Known, Seat};

/// One statement's worth of state.
pub struct Writer<'a, 'b> {
    pub g: &'b mut Gen<'a>,
    pub known: &'b Known,
    pub roles: &'static [&'static str],
}

/// Generates one case from a tape.
pub fn case(tape: &mut Tape, seat: &Seat, whole: &Schema) -> Case {
    let mut g = Gen::new(tape, &seat.schema, whole);
    let mut w = Writer {
        g: &mut g,
        known: &seat.known,
        roles: seat.person.roles,
    };
    w.case()
}

impl Writer<'_, '_> {
    fn case(&mut self) -> Case {
        match self
            .g
            .tape
            .weighted(&[200, 260, 90, 90, 70, 60, 130, 110, 40, 8, 30, 20, 40])
        {
            0 => self.single("insert", Self::insert),
            1 => self.single("update", Self::update),
            2 => self.single("delete", Self::delete),
            3 => self.single("on conflict", Self::on_conflict),
            4 => self.single("merge", Self::merge),
            5 => self.single("cte", Self::modifying_cte),
            6 => self.single("write-back", Self::write_back),
            7 => self.transaction(),
            8 => self.locking(),
            9 => self.single("truncate", Self::truncate),
            10 => self.prepared(),
            12 => self.copy_in(),
            _ => self.temporary(),
        }
    }

    fn single(&mut self, kind: &'static str, make: fn(&mut Self) -> String) -> Case {
        if self.g.tape.chance(45) {
            self.g.params = Some(Vec::new());
        }
        let sql = make(self);
        let params = self.g.params.take().unwrap_or_default();
        let extended = !params.is_empty();
        let step = Step {
            params,
            leaky: self.g.leaky,
            ..Step::plain(sql)
        };
        Case {
            extended,
            ..self.g.finish(kind, vec![step])
        }
    }

    /// One statement of the common kinds, without parameters.
    fn statement(&mut self) -> Step {
        let sql = match self.g.tape.weighted(&[25, 40, 10, 8, 7, 10]) {
            0 => self.insert(),
            1 => self.update(),
            2 => self.delete(),
            3 => self.on_conflict(),
            4 => self.merge(),
            _ => self.write_back(),
        };
        Step {
            leaky: self.g.leaky,
            ..Step::plain(sql)
        }
    }
}
