//! Result rows: cut by their headers, counted, and passed on as the bytes that came.

use super::expect::{Expect, Run};
use super::limits::{Allowance, allowance};
use super::returned::needed;
use super::{End, Session};
use crate::gate::{Judged, Returned};
use crate::net::frame::{self, HEADER};
use crate::net::{Body, Malformed};
use crate::sql::explain_output::{Explained, filter_row};
use bytes::BytesMut;

/// Longest line of EXPLAIN's answer.
const LONGEST_LINE: usize = 1 << 20;

/// What happens to the rest of a message whose beginning has been taken.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Passing {
    /// Bytes that have not come yet.
    pub left: usize,
    /// They are thrown away.
    pub dropped: bool,
}

impl Passing {
    /// Nothing of a message is still to come.
    pub fn is_over(self) -> bool {
        self.left == 0
    }
}

impl Session<'_> {
    /// Passes on what has come of the message that is under way; `false` when it has not ended yet.
    pub(super) fn pass(&mut self) -> Result<bool, End> {
        let here = self.passing.left.min(self.back.input().len());
        if here > 0 {
            self.passing.left -= here;
            if self.passing.dropped {
                drop(self.back.input().split_to(here));
                if let Some(overflow) = &mut self.overflow {
                    overflow.swallowed(here);
                }
            } else if self.held.is_open() {
                let part = self.back.input().split_to(here);
                self.held.put(&part);
                if self.held.is_full() {
                    self.refuse_large();
                }
            } else {
                self.back.relay_to(&mut self.client, here);
            }
        }
        Ok(self.passing.is_over())
    }

    /// A run of DataRow or CopyData messages at the beginning of the input.
    pub(super) fn rows(&mut self) -> Result<(), End> {
        let Some(Expect::Query(run) | Expect::Execute(run)) = self.queue.front() else {
            return Err(End::Broken("it sent rows that nobody asked for".to_owned()));
        };
        if run.silenced {
            return self.drop_rows();
        }
        let statement = run.gives();
        if let Some(format) = statement.and_then(|s: &Judged| s.explain_output) {
            return self.explain_row(format);
        }
        let allowance = match statement.and_then(|s| s.row_limit.as_ref()) {
            Some(limit) => allowance(run, limit, &self.state),
            None => Allowance::default(),
        };
        let returned = statement.map_or(Returned::AsIs, |s| s.returned);
        let mut rows = run.rows;
        let begun = self.client.output.len();
        let full = match returned {
            Returned::AsIs => self.pass_rows(&mut rows, allowance.rows),
            Returned::Nothing => return self.drop_checks(),
            Returned::AllButFirst => {
                let (cut, full) = self.cut_rows(allowance.rows.map(|most| most.saturating_sub(rows)))?;
                rows += cut;
                full
            }
        };
        self.rows_passed(rows);
        if allowance.refuses {
            self.held.open();
            let rows = self.client.output.split_off(begun);
            self.held.put(&rows);
        }
        if full {
            self.begin_overflow(allowance.too_many());
        } else if self.held.is_full() {
            self.refuse_large();
        }
        Ok(())
    }

    /// Passes rows on as they came, until there are `most`; whether there are more than that.
    fn pass_rows(&mut self, rows: &mut u64, most: Option<u64>) -> bool {
        let (mut at, mut full) = (0, false);
        let input = self.back.input();
        while let Some(Ok(Some(header))) = input.get(at..).map(frame::header) {
            if !is_row(header.tag) {
                break;
            }
            if most.is_some_and(|most| *rows >= most) {
                full = true;
                break;
            }
            *rows += 1;
            at += header.total();
        }
        let here = at.min(input.len());
        self.back.relay_to(&mut self.client, here);
        self.passing = Passing {
            left: at - here,
            ..Passing::default()
        };
        full
    }

    fn rows_passed(&mut self, rows: u64) {
        if let Some(Expect::Query(run) | Expect::Execute(run)) = self.queue.front() {
            run.rows = rows;
        }
    }

    fn drop_rows(&mut self) -> Result<(), End> {
        if let Some(header) = frame::header(self.back.input()).map_err(wrong)? {
            self.passing = Passing {
                left: header.total(),
                dropped: true,
            };
        }
        Ok(())
    }

    /// One line of EXPLAIN's answer, or all of it.
    fn explain_row(&mut self, format: Explained) -> Result<(), End> {
        let message = frame::take(self.back.input(), |_| LONGEST_LINE).map_err(wrong)?;
        let Some((_, body)) = message else {
            return Ok(());
        };
        let mut reader = Body::new(&body);
        let line = (|| -> Result<String, Malformed> {
            reader.u16()?;
            let length = usize::try_from(reader.i32()?).unwrap_or(0);
            Ok(String::from_utf8_lossy(reader.bytes(length)?).into_owned())
        })()
        .map_err(wrong)?;
        if let Some(line) = filter_row(&line, format) {
            frame::put(&mut self.client.output, b'D', |out: &mut BytesMut| {
                out.extend_from_slice(&1_u16.to_be_bytes());
                out.extend_from_slice(&u32::try_from(line.len()).unwrap_or(0).to_be_bytes());
                out.extend_from_slice(line.as_bytes());
            });
        }
        Ok(())
    }

    /// Is a message at the beginning of the input that [`Session::rows`] can take?
    pub(super) fn has_rows(&mut self) -> Result<Option<bool>, End> {
        let Some(header) = frame::header(self.back.input()).map_err(wrong)? else {
            return Ok(None);
        };
        if !is_row(header.tag) {
            return Ok(Some(false));
        }
        let (filtered, returned) = match self.queue.front() {
            Some(Expect::Query(run) | Expect::Execute(run)) if !run.silenced => (is_filtered(run), run.returned()),
            _ => (false, Returned::AsIs),
        };
        if self.back.input().len() < HEADER + needed(returned, header.body) {
            return Ok(None);
        }
        if filtered && header.body > LONGEST_LINE {
            return Err(wrong(Malformed("a line of EXPLAIN that is too long")));
        }
        let whole = HEADER + header.body <= self.back.input().len();
        Ok((whole || !filtered).then_some(true))
    }
}

/// Is this the type of DataRow or CopyData?
pub(super) fn is_row(tag: u8) -> bool {
    matches!(tag, b'D' | b'd')
}

fn is_filtered(run: &Run) -> bool {
    run.gives().is_some_and(|s| s.explain_output.is_some())
}

pub(super) fn wrong(error: Malformed) -> End {
    End::Broken(error.to_string())
}
