//! Results of writes whose new rows are checked: what rowgate asked to be returned beside what the client wants.
//!
//! The check's value stands first in each row and is NULL, or the statement has failed before anything that the client
//! asked for was computed. Whatever else stands there is not the answer to what rowgate sent, and the session ends.

use super::expect::Source;
use super::internal::Shape;
use super::rows::Passing;
use super::{End, Session};
use crate::gate::Returned;
use crate::net::frame::{self, HEADER};
use bytes::Buf;

/// A value's length that says NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// A row that holds nothing but the check: the count of its columns and a NULL.
pub(super) const CHECK: [u8; 6] = [0, 1, 0xff, 0xff, 0xff, 0xff];

/// Its bytes.
const CHECK_ALONE: usize = CHECK.len();

impl Source {
    /// Which of the result's rows and columns are the client's.
    pub fn returned(&self) -> Returned {
        self.text
            .statement(self.statement)
            .map_or(Returned::AsIs, |statement| statement.returned)
    }
}

/// The columns of a result that the client sees.
pub(super) fn shown(mut shape: Shape, returned: Returned) -> Shape {
    match returned {
        Returned::AsIs => {}
        Returned::Nothing => shape.clear(),
        Returned::AllButFirst => drop(shape.drain(..shape.len().min(1))),
    }
    shape
}

/// Bytes behind the header without which nothing can be done with a row.
pub(super) fn needed(returned: Returned, body: usize) -> usize {
    match returned {
        Returned::AsIs => 0,
        Returned::Nothing | Returned::AllButFirst => body.min(CHECK_ALONE),
    }
}

impl Session<'_> {
    /// Rows that hold the check alone: thrown away.
    pub(super) fn drop_checks(&mut self) -> Result<(), End> {
        let input = self.back.input();
        while let Some(header) = frame::header(input).map_err(super::rows::wrong)? {
            if header.tag != b'D' {
                break;
            }
            if header.body != CHECK_ALONE {
                return Err(not_the_check());
            }
            if input.len() < header.total() {
                break;
            }
            input.advance(HEADER);
            if input.get(..CHECK_ALONE) != Some(&CHECK[..]) {
                return Err(not_the_check());
            }
            input.advance(CHECK_ALONE);
        }
        Ok(())
    }

    /// Rows whose first column is the check's: passed on without it, up to `most` of them. How many there were, and
    /// whether there are more than that.
    pub(super) fn cut_rows(&mut self, most: Option<u64>) -> Result<(u64, bool), End> {
        let input = self.back.input();
        let output = &mut self.client.output;
        let mut rows = 0;
        while let Some(header) = frame::header(input).map_err(super::rows::wrong)? {
            if header.tag != b'D' {
                break;
            }
            if most.is_some_and(|most| rows >= most) {
                return Ok((rows, true));
            }
            let kept = header.body.checked_sub(CHECK_ALONE).ok_or_else(not_the_check)?;
            let Some((&[high, low], first)) = input
                .get(HEADER..HEADER + CHECK_ALONE)
                .and_then(<[u8]>::split_first_chunk)
            else {
                break;
            };
            if first != NULL {
                return Err(not_the_check());
            }
            let columns = u16::from_be_bytes([high, low])
                .checked_sub(1)
                .ok_or_else(not_the_check)?;
            let length = u32::try_from(4 + 2 + kept).map_err(|_| not_the_check())?;
            output.extend_from_slice(b"D");
            output.extend_from_slice(&length.to_be_bytes());
            output.extend_from_slice(&columns.to_be_bytes());
            input.advance(HEADER + CHECK_ALONE);
            rows += 1;
            let here = kept.min(input.len());
            output.extend_from_slice(input.get(..here).unwrap_or_default());
            input.advance(here);
            if here < kept {
                self.passing = Passing {
                    left: kept - here,
                    dropped: false,
                };
                break;
            }
        }
        Ok((rows, false))
    }
}

fn not_the_check() -> End {
    End::Broken("it returned something else than the check that was asked for".to_owned())
}
