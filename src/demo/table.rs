//! A table of box-drawing characters whose columns line up for Chinese text too.

use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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
    /// The most columns of the terminal; cells are shortened to fit.
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
                out.push('│');
                for (cell, width) in std::iter::once(&label).chain(cells).zip(&widths) {
                    let _ = write!(out, " {} │", padded(cell, *width, style.colour));
                }
                out.push('\n');
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

/// Takes from the widest column, again and again, until all fit.
fn fit(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    let frame = 3 * widths.len() + 1;
    while widths.iter().sum::<usize>() + frame > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > 6 => *widest -= 1,
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

fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if taken + wide + 1 > width {
            break;
        }
        taken += wide;
        kept.push(c);
    }
    kept.push('…');
    kept
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
    fn a_narrow_terminal_shortens_the_widest_column() {
        let style = Style {
            width: 30,
            colour: false,
        };
        let drawn = draw(&[cells("", &["a very long cell that does not fit", "b"])], style);
        assert!(drawn.lines().all(|line| line.width() <= 30), "{drawn}");
        assert!(drawn.contains('…'));
    }
}
