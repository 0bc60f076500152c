//! Reads the list files: sections, entries, comments.

/// One entry of a list file with the section that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The words between `[` and `]` of the section's head; empty before the first.
    pub section: &'static str,
    /// The entry itself.
    pub text: &'static str,
}

/// Entries of a file in which spaces separate them.
pub(super) fn words(text: &'static str) -> impl Iterator<Item = Entry> {
    lines(text).flat_map(|line| {
        line.text
            .split_ascii_whitespace()
            .map(move |word| Entry { text: word, ..line })
    })
}

/// Entries of a file in which each line is one.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = Entry> {
    let mut section = "";
    text.lines().filter_map(move |line| {
        let text = line.split('#').next().unwrap_or("").trim();
        if let Some(head) = text.strip_prefix('[').and_then(|head| head.strip_suffix(']')) {
            section = head;
            return None;
        }
        (!text.is_empty()).then_some(Entry { section, text })
    })
}
