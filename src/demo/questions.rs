//! The same three questions, asked by each person and once past rowgate, as lines of a table.

use super::people::Person;
use super::table::{Cell, Line, Tone};
use tokio_postgres::{Client, SimpleQueryMessage};

const COUNTED: [&str; 4] = ["customers", "opportunities", "contracts", "service_records"];

/// A customer whom everybody of the five may see, and nobody sees the same.
const ONE_CUSTOMER: &str = "SELECT * FROM customers WHERE id = 9";
const SHOWN: [&str; 4] = ["phone", "email", "tax_id", "credit_limit"];

const MONEY: &str = "SELECT sum(amount) FROM contracts WHERE status = 'active'";

/// What somebody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The columns, and the first row if there is one.
    Row(Vec<(String, Option<String>)>),
    /// No row.
    Nothing,
    /// An error with this SQLSTATE.
    Refused(String),
}

impl Answer {
    fn value(&self, column: Option<&str>) -> Value<'_> {
        match self {
            Self::Nothing => Value::NoRow,
            Self::Refused(state) => Value::Error(state),
            Self::Row(columns) => {
                let found = match column {
                    Some(name) => columns.iter().find(|(column, _)| column == name),
                    None => columns.first(),
                };
                match found {
                    None => Value::NoColumn,
                    Some((_, None)) => Value::Null,
                    Some((_, Some(text))) => Value::Text(text),
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'a> {
    Text(&'a str),
    Null,
    NoColumn,
    NoRow,
    Error(&'a str),
}

/// Asks the three questions as each of these people; `truth` is a connection that sees everything.
pub async fn ask(people: &[(Person, Client)], truth: &Client) -> Result<Vec<Line>, tokio_postgres::Error> {
    let head = |text: fn(&Person) -> &'static str, tone| {
        let cells = people.iter().map(|(person, _)| Cell::new(text(person), tone)).collect();
        Line::Cells(String::new(), cells)
    };
    let mut lines = vec![
        head(|person| person.login, Tone::Strong),
        head(|person| person.title, Tone::Faint),
    ];

    lines.push(Line::Heading("1  SELECT count(*) FROM …".to_owned()));
    for table in COUNTED {
        let sql = format!("SELECT count(*) FROM {table}");
        lines.push(row(table, &sql, None, people, truth, counted).await?);
    }
    lines.push(Line::Heading(format!("2  {ONE_CUSTOMER}")));
    for column in SHOWN {
        lines.push(row(column, ONE_CUSTOMER, Some(column), people, truth, shown).await?);
    }
    lines.push(Line::Heading(format!("3  {MONEY}")));
    lines.push(row("sum", MONEY, None, people, truth, summed).await?);
    Ok(lines)
}

async fn row(
    label: &str,
    sql: &str,
    column: Option<&str>,
    people: &[(Person, Client)],
    truth: &Client,
    cell: fn(Value<'_>, Value<'_>) -> Cell,
) -> Result<Line, tokio_postgres::Error> {
    let stored = answer(truth, sql).await?;
    let mut cells = Vec::with_capacity(people.len());
    for (_, client) in people {
        cells.push(cell(answer(client, sql).await?.value(column), stored.value(column)));
    }
    Ok(Line::Cells(label.to_owned(), cells))
}

async fn answer(client: &Client, sql: &str) -> Result<Answer, tokio_postgres::Error> {
    match client.simple_query(sql).await {
        Ok(messages) => Ok(messages
            .iter()
            .find_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(Answer::Row(
                    row.columns()
                        .iter()
                        .enumerate()
                        .map(|(at, column)| (column.name().to_owned(), row.get(at).map(str::to_owned)))
                        .collect(),
                )),
                _ => None,
            })
            .unwrap_or(Answer::Nothing)),
        Err(error) => match error.code() {
            Some(state) => Ok(Answer::Refused(state.code().to_owned())),
            None => Err(error),
        },
    }
}

fn counted(seen: Value<'_>, stored: Value<'_>) -> Cell {
    match (seen, stored) {
        (Value::Text(seen), Value::Text(stored)) => {
            Cell::new(format!("{} of {}", grouped(seen), grouped(stored)), Tone::Plain)
        }
        (seen, _) => missing(seen),
    }
}

fn shown(seen: Value<'_>, stored: Value<'_>) -> Cell {
    match seen {
        _ if seen == stored => match seen {
            Value::Text(text) => Cell::new(text, Tone::Plain),
            other => missing(other),
        },
        Value::Text(text) => Cell::new(format!("◐ {text}"), Tone::Masked),
        Value::Null => Cell::new("◐ NULL", Tone::Masked),
        other => missing(other),
    }
}

fn summed(seen: Value<'_>, _: Value<'_>) -> Cell {
    match seen {
        Value::Text(text) => Cell::new(grouped(text), Tone::Plain),
        other => missing(other),
    }
}

fn missing(value: Value<'_>) -> Cell {
    let text = match value {
        Value::Null => "NULL".to_owned(),
        Value::NoColumn | Value::Error("42703") => "○ no such column".to_owned(),
        Value::NoRow => "○ no such row".to_owned(),
        Value::Error("42501") => "○ not allowed".to_owned(),
        Value::Error(state) => format!("○ error {state}"),
        Value::Text(text) => text.to_owned(),
    };
    Cell::new(text, Tone::Faint)
}

/// `1234567.89` as `1,234,567.89`.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.chars().count();
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (digits - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped("7"), "7");
        assert_eq!(grouped("1234567.89"), "1,234,567.89");
        assert_eq!(grouped("100"), "100");
    }

    #[test]
    fn a_changed_value_is_marked_and_a_missing_one_says_how() {
        assert_eq!(shown(Value::Text("a"), Value::Text("a")).text, "a");
        assert_eq!(shown(Value::Text("*"), Value::Text("a")).text, "◐ *");
        assert_eq!(shown(Value::Null, Value::Text("a")).text, "◐ NULL");
        assert_eq!(shown(Value::Null, Value::Null).text, "NULL");
        assert_eq!(shown(Value::NoColumn, Value::Text("a")).text, "○ no such column");
        assert_eq!(counted(Value::Error("42501"), Value::Text("9")).text, "○ not allowed");
    }
}
