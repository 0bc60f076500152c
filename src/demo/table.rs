//! A table of box-drawing characters whose columns line up for Chinese text too.

use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A label and one cell per column.
    Cells(String, Vec<Cell>),
    /// A text over the whole width, with a rule above and below.
    Heading(String),
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Its text, without control characters.
    pub text: String,
    /// How it stands out where there are colours.
    pub tone: Tone,
}

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Not at all.
    Plain,
    /// A column's title.
    Strong,
    /// Something is masked.
    Masked,
    /// Something is missing.
    Faint,
}

impl Tone {
    fn escape(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Masked => "\x1b[33m",
            Self::Faint => "\x1b[2m",
        }
    }
}

impl Cell {
    /// A cell of one tone.
    pub fn new(text: impl Into<String>, tone: Tone) -> Self {
        let text: String = text.into();
        Self {
            text: text.chars().filter(|c| !c.is_control()).collect(),
            tone,
        }
    }
}

/// How wide and how colourful.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The most columns of the terminal; cells are wrapped to fit.
    pub width: usize,
    /// May escape sequences stand in it?
    pub colour: bool,
}

/// Prints a table. Lines before the first heading are its head; without a heading, the first line is.
pub fn draw(lines: &[Line], style: Style) -> String {
    let widths = fit(natural_widths(lines), style.width);
    let mut out = rule('┌', '┬', '┐', &widths);
    let headed = lines.iter().any(|line| matches!(line, Line::Heading(_)));
    for (number, line) in lines.iter().enumerate() {
        match line {
            Line::Heading(text) => {
                let inner = widths.iter().sum::<usize>() + 3 * widths.len() - 3;
                out.push_str(&rule('├', '┴', '┤', &widths));
                let cell = Cell::new(text.as_str(), Tone::Strong);
                // writing to a String cannot fail
                let _ = writeln!(out, "│ {} │", padded(&cell, inner, style.colour));
                out.push_str(&rule('├', '┬', '┤', &widths));
            }
            Line::Cells(label, cells) => {
                if number == 1 && !headed {
                    out.push_str(&rule('├', '┼', '┤', &widths));
                }
                let label = Cell::new(label.as_str(), Tone::Faint);
                let wrapped: Vec<Vec<Cell>> = std::iter::once(&label)
                    .chain(cells)
                    .zip(&widths)
                    .map(|(cell, width)| wrapped(cell, *width))
                    .collect();
                let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
                let empty = Cell::new("", Tone::Plain);
                for at in 0..height {
                    out.push('│');
                    for (parts, width) in wrapped.iter().zip(&widths) {
                        let part = parts.get(at).unwrap_or(&empty);
                        let _ = write!(out, " {} │", padded(part, *width, style.colour));
                    }
                    out.push('\n');
                }
            }
        }
    }
    out.push_str(&rule('└', '┴', '┘', &widths));
    out
}

fn natural_widths(lines: &[Line]) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        let Line::Cells(label, cells) = line else { continue };
        let texts = std::iter::once(label.as_str()).chain(cells.iter().map(|cell| cell.text.as_str()));
        for (at, text) in texts.enumerate() {
            match widths.get_mut(at) {
                Some(width) => *width = (*width).max(text.width()),
                None => widths.push(text.width()),
            }
        }
    }
    widths
}

/// Takes from the widest column, again and again, until all fit; from the labels only what they can spare.
fn fit(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    let frame = 3 * widths.len() + 1;
    while widths.iter().sum::<usize>() + frame > room {
        let spare = |at: usize, width: usize| width.saturating_sub(if at == 0 { 13 } else { 6 });
        let widest = widths
            .iter_mut()
            .enumerate()
            .map(|(at, width)| (spare(at, *width), width))
            .max_by_key(|(spare, _)| *spare);
        match widest {
            Some((spare, width)) if spare > 0 => *width -= 1,
            _ => break,
        }
    }
    widths
}

fn rule(left: char, middle: char, right: char, widths: &[usize]) -> String {
    let parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    format!("{left}{}{right}\n", parts.join(&middle.to_string()))
}

fn padded(cell: &Cell, width: usize, colour: bool) -> String {
    let text = shortened(&cell.text, width);
    let fill = " ".repeat(width.saturating_sub(text.width()));
    let escape = cell.tone.escape();
    if colour && !escape.is_empty() {
        format!("{escape}{text}\x1b[0m{fill}")
    } else {
        format!("{text}{fill}")
    }
}

/// Cuts a cell into lines: after a space or a sign that parts words where there is one, else anywhere.
fn wrapped(cell: &Cell, width: usize) -> Vec<Cell> {
    let mut lines = Vec::new();
    let mut rest = cell.text.as_str();
    while rest.width() > width {
        let end = head_of(rest, width);
        let head = rest.get(..end).unwrap_or(rest);
        let end = match head.rfind(' ').or_else(|| head.rfind(['_', '@', ','])) {
            Some(last) if head.get(..last).unwrap_or("").width() > 1 => last + 1,
            _ => end,
        };
        let (line, after) = rest.split_at(end);
        lines.push(Cell::new(line.trim_end(), cell.tone));
        rest = after;
    }
    lines.push(Cell::new(rest, cell.tone));
    lines
}

fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let end = head_of(text, width.saturating_sub(1));
    format!("{}…", text.get(..end).unwrap_or(""))
}

/// How many bytes from the start of a text fit in this width, at least one character.
fn head_of(text: &str, width: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if at > 0 && taken + wide > width {
            return at;
        }
        taken += wide;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(label: &str, texts: &[&str]) -> Line {
        Line::Cells(
            label.to_owned(),
            texts.iter().map(|text| Cell::new(*text, Tone::Plain)).collect(),
        )
    }

    const WIDE: Style = Style {
        width: 200,
        colour: false,
    };

    #[test]
    fn chinese_text_takes_two_columns_a_character() {
        let drawn = draw(&[cells("", &["alice", "bob"]), cells("name", &["上海中科", "x"])], WIDE);
        let expected = "\
┌──────┬──────────┬─────┐
│      │ alice    │ bob │
├──────┼──────────┼─────┤
│ name │ 上海中科 │ x   │
└──────┴──────────┴─────┘
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_heading_spans_the_table() {
        let lines = [
            cells("", &["a"]),
            Line::Heading("SELECT 1".to_owned()),
            cells("one", &["1"]),
        ];
        let expected = "\
┌─────┬───┐
│     │ a │
├─────┴───┤
│ SELECT… │
├─────┬───┤
│ one │ 1 │
└─────┴───┘
";
        assert_eq!(draw(&lines, WIDE), expected);
    }

    #[test]
    fn a_narrow_terminal_wraps_the_widest_column() {
        let style = Style {
            width: 23,
            colour: false,
        };
        let drawn = draw(
            &[
                cells("", &["a", "b"]),
                cells("x", &["1,352 of 4,000", "office@例子.cn"]),
            ],
            style,
        );
        let expected = "\
┌───┬────────┬────────┐
│   │ a      │ b      │
├───┼────────┼────────┤
│ x │ 1,352  │ office │
│   │ of     │ @例子. │
│   │ 4,000  │ cn     │
└───┴────────┴────────┘
";
        assert_eq!(drawn, expected);
    }
}
