//! What the desk answers, as messages.

use super::Talk;
use crate::net::Fields;
use crate::net::frame::{put, put_cstr};
use crate::refusal::Refusal;
use crate::rights::desk::Answer;
use bytes::{BufMut, BytesMut};

const TEXT_OID: u32 = 25;

impl Talk<'_> {
    pub(super) fn tell_all(&mut self, answer: &Answer) {
        self.tell_notes(answer);
        if !answer.columns.is_empty() {
            self.describe_rows(&answer.columns);
        }
        for row in &answer.rows {
            tell_row(&mut self.client.output, row);
        }
        complete(&mut self.client.output, answer, answer.rows.len());
    }

    pub(super) fn tell_notes(&mut self, answer: &Answer) {
        for note in &answer.notes {
            Fields::new("NOTICE", "00000", note.as_str()).encode(b'N', &mut self.client.output);
        }
    }

    pub(super) fn describe_rows(&mut self, columns: &[&str]) {
        put(&mut self.client.output, b'T', |out| {
            out.put_u16(u16::try_from(columns.len()).unwrap_or(0));
            for name in columns {
                put_cstr(out, name);
                out.put_u32(0);
                out.put_u16(0);
                out.put_u32(TEXT_OID);
                out.put_i16(-1);
                out.put_i32(-1);
                out.put_u16(0);
            }
        });
    }

    pub(super) fn say(&mut self, tag: u8) {
        put(&mut self.client.output, tag, |_| {});
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal, text: &str, skip: bool) {
        if let Some(log) = &refusal.log {
            tracing::warn!(code = refusal.code, "{log}");
        }
        Fields::of_refusal("ERROR", refusal, Some(text)).encode(b'E', &mut self.client.output);
        self.skipping = skip;
    }
}

pub(super) fn tell_row(out: &mut BytesMut, row: &[Option<String>]) {
    put(out, b'D', |out| {
        out.put_u16(u16::try_from(row.len()).unwrap_or(0));
        for cell in row {
            match cell {
                None => out.put_i32(-1),
                Some(text) => {
                    out.put_i32(i32::try_from(text.len()).unwrap_or(0));
                    out.put_slice(text.as_bytes());
                }
            }
        }
    });
}

pub(super) fn complete(out: &mut BytesMut, answer: &Answer, rows: usize) {
    if answer.tag.is_empty() {
        return put(out, b'I', |_| {});
    }
    let tag = if answer.columns.is_empty() {
        answer.tag.clone()
    } else {
        format!("{} {rows}", answer.tag)
    };
    put(out, b'C', |out| put_cstr(out, &tag));
}
