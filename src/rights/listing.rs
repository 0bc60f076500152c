//! A listing as it grows: row by row from the database, and no longer than somebody reads.

use super::desk::Answer;
use super::language::Show;
use super::may::Teller;
use futures::TryStreamExt;
use std::pin::pin;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};

/// What one person is shown at once, in bytes; their client may read it slowly, and others' as well.
const MOST: usize = 1 << 20;

/// Values of one row.
pub(super) type Cells = Vec<Option<String>>;

/// The rows so far.
pub(super) struct Listing {
    rows: Vec<Cells>,
    left: usize,
    is_cut: bool,
}

impl Listing {
    /// One for whoever asks; operators read all.
    pub(super) fn of(teller: &Teller) -> Self {
        Self {
            rows: Vec::new(),
            left: match teller {
                Teller::Person(_) => MOST,
                Teller::Operator(_) => usize::MAX,
            },
            is_cut: false,
        }
    }

    /// Adds a row if there is room for it; is there?
    pub(super) fn add(&mut self, row: Cells) -> bool {
        let length: usize = row
            .iter()
            .map(|cell| size_of_val(cell) + cell.as_ref().map_or(0, String::len))
            .sum();
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                self.rows.push(row);
            }
            None => self.is_cut = true,
        }
        !self.is_cut
    }

    /// Adds rows as long as there is room.
    pub(super) fn add_all(&mut self, mut rows: impl Iterator<Item = Cells>) {
        while rows.next().is_some_and(|row| self.add(row)) {}
    }

    /// What came first stands last.
    pub(super) fn turn(&mut self) {
        self.rows.reverse();
    }

    /// The answer.
    pub(super) fn answer(self, what: &Show) -> Answer {
        let hint = match what {
            Show::Rights(_) | Show::History(_) => "this is the newest of it: OF login or ON table key shows less",
            Show::Requests | Show::PolicyChanges => "this is the newest of it",
            Show::People | Show::Policy | Show::Pools | Show::Help => "this is the beginning of it",
        };
        Answer {
            tag: "SHOW".to_owned(),
            notes: self.is_cut.then(|| hint.to_owned()).into_iter().collect(),
            columns: what.columns(),
            rows: self.rows,
        }
    }
}

/// Gives each row of a query as it comes, until no other is wanted.
pub(super) async fn each(
    client: &Client,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
    mut wants_more: impl FnMut(&Row) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut rows = pin!(client.query_raw(sql, parameters.iter().copied()).await?);
    while let Some(row) = rows.try_next().await? {
        if !wants_more(&row)? {
            break;
        }
    }
    Ok(())
}
