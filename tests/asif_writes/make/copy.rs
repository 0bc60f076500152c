//! COPY … FROM STDIN in text and CSV, with the INSERT of the same rows for D′.

use super::Writer;
use crate::generate::case::{Case, Step};
use crate::generate::{ident, quoted};
use crate::schema::Column;

/// A value in COPY's text format.
fn in_text(value: Option<&str>) -> String {
    value.map_or_else(
        || "\\N".to_owned(),
        |v| {
            v.replace('\\', "\\\\")
                .replace('\t', "\\t")
                .replace('\n', "\\n")
                .replace('\r', "\\r")
        },
    )
}

/// A value in CSV, always quoted, so that it is never taken for NULL.
fn in_csv(value: Option<&str>) -> String {
    value.map_or_else(String::new, |v| format!("\"{}\"", v.replace('"', "\"\"")))
}

impl Writer<'_, '_> {
    pub fn copy_in(&mut self) -> Case {
        let t = self.target(|r| !r.insert.is_empty());
        let columns: Vec<Column> = self.insert_columns(&t);
        let csv = self.g.tape.chance(40);
        let header = csv && self.g.tape.chance(40);
        let names: Vec<String> = columns.iter().map(|c| ident(&c.name)).collect();
        let mut data = String::new();
        if header {
            data.push_str(&names.join(","));
            data.push('\n');
        }
        let mut rows = Vec::new();
        for _ in 0..1 + self.g.tape.below(3) {
            let values: Vec<Option<String>> = columns.iter().map(|c| self.text_for(&t.root, c, true)).collect();
            let line: Vec<String> = values
                .iter()
                .map(|v| {
                    if csv {
                        in_csv(v.as_deref())
                    } else {
                        in_text(v.as_deref())
                    }
                })
                .collect();
            data.push_str(&line.join(if csv { "," } else { "\t" }));
            data.push('\n');
            let literals: Vec<String> = values
                .iter()
                .map(|v| v.as_ref().map_or_else(|| "NULL".to_owned(), |v| quoted(v)))
                .collect();
            rows.push(format!("({})", literals.join(", ")));
        }
        let options = match (csv, header) {
            (false, _) => "",
            (true, false) => " WITH (FORMAT csv)",
            (true, true) => " WITH (FORMAT csv, HEADER)",
        };
        let list = names.join(", ");
        let step = Step {
            simple: true,
            prime: Some(format!("INSERT INTO {} ({list}) VALUES {}", t.name, rows.join(", "))),
            data: Some(data.into_bytes()),
            ..Step::plain(format!("COPY {} ({list}) FROM STDIN{options}", t.name))
        };
        self.g.finish("copy", vec![step])
    }
}
