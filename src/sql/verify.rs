//! The last look at the text that will be sent, by code that shares nothing with the rewriter.

/// Text that has passed verification: the only thing that a backend sends for a client. It can only be made here.
#[derive(Debug, Clone)]
pub struct Verified {
    text: String,
    /// Splices in order of their place: (start in the sent text, end in the sent text, start in the client's, end in the client's).
    splices: Vec<(usize, usize, usize, usize)>,
}

impl Verified {
    /// The text to send.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Maps a character position (from 1, as in an ErrorResponse's `P` field) of the sent text to the
    /// client's `original` text; `None` where it points into something that rowgate wrote.
    pub fn client_position(&self, original: &str, position: usize) -> Option<usize> {
        let offset = self
            .text
            .char_indices()
            .nth(position.checked_sub(1)?)
            .map(|(at, _)| at)?;
        let mut shift: isize = 0;
        for &(from, to, _, client_to) in &self.splices {
            if offset < from {
                break;
            }
            if offset < to {
                return None;
            }
            shift = client_to as isize - to as isize;
        }
        let client = usize::try_from(offset as isize + shift).ok()?;
        Some(original.get(..client)?.chars().count() + 1)
    }
}
