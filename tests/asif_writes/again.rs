//! D′ once more, with its rows in another order and planned in another way: what comes out of it then, too, PostgreSQL
//! leaves open, and the gate may give it.

use crate::generate::case::{Case, Step};
use crate::judge::judge;
use crate::mapping;
use crate::orders::{ORDERS, shuffle};
use crate::state::Watch;
use crate::turns::ways;
use crate::wire::{Answer, Client, Mode};
use crate::yard::Seat;

/// The two databases and the person's connection to D′.
pub struct Sides<'a> {
    pub whole: &'a mut Watch,
    pub guarded: &'a mut Watch,
    pub prime: &'a mut Client,
}

/// Does some order of rows make D′ give each of the gate's answers and stand as D does? D is as the gate left it.
pub fn another_order_does_the_same(
    sides: &mut Sides<'_>,
    seat: &Seat,
    case: &Case,
    mode: Mode,
    gate: &[Answer],
) -> std::io::Result<bool> {
    let ways = ways();
    let mut found = false;
    for seed in 0..3 * ORDERS {
        let changed = sides.guarded.changed();
        sides.guarded.restore(&changed);
        sides.guarded.forget();
        sides.guarded.wind();
        shuffle(&mut sides.guarded.client, seed);
        let way = &ways[seed % ways.len()];
        for turn in way {
            sides.prime.simple(&format!("SET {turn}"))?;
        }
        let same = answers_the_same(sides, seat, case, mode, gate)?;
        for text in &case.cleanup {
            sides.prime.simple(text)?;
        }
        for turn in way {
            let name = turn.split([' ', '=']).next().unwrap_or_default();
            sides.prime.simple(&format!("RESET {name}"))?;
        }
        if same && mapping::differs(sides.whole, sides.guarded, &seat.defaults).is_none() {
            found = true;
            break;
        }
    }
    Ok(found)
}

fn answers_the_same(
    sides: &mut Sides<'_>,
    seat: &Seat,
    case: &Case,
    mode: Mode,
    gate: &[Answer],
) -> std::io::Result<bool> {
    for (step, gate) in case.steps.iter().zip(gate) {
        let sql = step.prime.clone().unwrap_or_else(|| step.sql.clone());
        let answer = crate::compare::send(sides.prime, &Step { sql, ..step.clone() }, mode)?;
        if !judge(step, gate, &answer, &seat.exempt).goes_on() {
            return Ok(false);
        }
    }
    Ok(true)
}
