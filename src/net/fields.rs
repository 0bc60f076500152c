//! The fields of an ErrorResponse or a NoticeResponse.

use crate::net::{Body, Malformed, frame};
use crate::refusal::Refusal;
use bytes::BytesMut;

/// An error or a notice, field by field, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    fields: Vec<(u8, String)>,
}

impl Fields {
    /// An error with its severity (`ERROR`, `FATAL`), SQLSTATE and primary message.
    pub fn new(severity: &str, sqlstate: &str, message: impl Into<String>) -> Self {
        Self {
            fields: vec![
                (b'S', severity.to_owned()),
                (b'V', severity.to_owned()),
                (b'C', sqlstate.to_owned()),
                (b'M', message.into()),
            ],
        }
    }

    /// What a client reads of a refusal; `text` is its own SQL, for the position.
    pub fn of_refusal(severity: &str, refusal: &Refusal, text: Option<&str>) -> Self {
        let mut fields = Self::new(severity, refusal.sqlstate.code(), refusal.message.as_str());
        if let Some(detail) = &refusal.detail {
            fields.set(b'D', detail.as_str());
        }
        if let Some(hint) = &refusal.hint {
            fields.set(b'H', hint.as_str());
        }
        let before = refusal.offset.and_then(|offset| text?.get(..offset));
        if let Some(before) = before {
            fields.set(b'P', (before.chars().count() + 1).to_string());
        }
        fields
    }

    /// Reads a body.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut body = Body::new(body);
        let mut fields = Vec::with_capacity(10);
        loop {
            let tag = body.u8()?;
            if tag == 0 {
                break;
            }
            fields.push((tag, String::from_utf8_lossy(body.cstr_bytes()?).into_owned()));
        }
        body.finish()?;
        Ok(Self { fields })
    }

    /// Writes it as an error (`E`) or a notice (`N`).
    pub fn encode(&self, tag: u8, out: &mut BytesMut) {
        frame::put(out, tag, |out| {
            for (tag, value) in &self.fields {
                out.extend_from_slice(&[*tag]);
                frame::put_cstr(out, value);
            }
            out.extend_from_slice(&[0]);
        });
    }

    /// One field.
    pub fn get(&self, tag: u8) -> Option<&str> {
        self.fields
            .iter()
            .find(|(t, _)| *t == tag)
            .map(|(_, value)| value.as_str())
    }

    /// Sets one field; a zero byte in it would end it early and is left out.
    pub fn set(&mut self, tag: u8, value: impl Into<String>) {
        let value: String = value.into().replace('\0', "");
        match self.fields.iter_mut().find(|(t, _)| *t == tag) {
            Some((_, old)) => *old = value,
            None => self.fields.push((tag, value)),
        }
    }

    /// Drops one field.
    pub fn remove(&mut self, tag: u8) {
        self.fields.retain(|(t, _)| *t != tag);
    }

    /// Drops every field that the caller does not keep.
    pub fn keep(&mut self, mut keep: impl FnMut(u8) -> bool) {
        self.fields.retain(|(tag, _)| keep(*tag));
    }

    /// Its SQLSTATE.
    pub fn sqlstate(&self) -> &str {
        self.get(b'C').unwrap_or("XX000")
    }

    /// Its primary message.
    pub fn message(&self) -> &str {
        self.get(b'M').unwrap_or("")
    }

    /// Does it end the connection?
    pub fn is_fatal(&self) -> bool {
        matches!(self.get(b'V').or(self.get(b'S')), Some("FATAL" | "PANIC"))
    }
}
