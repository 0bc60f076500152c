//! Which built-in functions are total.

use super::constants::ArgumentCheck;
use super::file;
use super::oids;
use crate::catalog::Oid;
use std::collections::HashMap;
use std::sync::LazyLock;

/// May a function run on a hidden row?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Totality {
    /// Yes, with any arguments.
    Total,
    /// Yes, but for values at the very end of a type's range.
    ShortOfTheEdge,
    /// Yes, if the constant arguments pass the check.
    WithConstant(ArgumentCheck),
    /// Yes, on the terms of [`super::operator_is_growing`]: bounded arguments, and not too many in one expression.
    Growing,
    /// No.
    No,
}

struct Listed {
    /// The argument types; `None` for every overload.
    signature: Option<Vec<Oid>>,
    totality: Totality,
}

static TOTAL: LazyLock<HashMap<&'static str, Vec<Listed>>> = LazyLock::new(|| {
    let mut list: HashMap<&'static str, Vec<Listed>> = HashMap::new();
    for entry in file::words(include_str!("total.txt")) {
        if let Some((name, listed)) = read(entry) {
            list.entry(name).or_default().push(listed);
        }
    }
    list
});

/// An entry: `name` for every overload, `name(type,type)` for one.
fn read(entry: file::Entry) -> Option<(&'static str, Listed)> {
    let totality = section(entry.section)?;
    let Some((name, types)) = entry.text.split_once('(') else {
        return Some((
            entry.text,
            Listed {
                signature: None,
                totality,
            },
        ));
    };
    let types = types.strip_suffix(')')?;
    let signature: Option<Vec<Oid>> = types
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(oids::named)
        .collect();
    Some((
        name,
        Listed {
            signature: Some(signature?),
            totality,
        },
    ))
}

fn section(head: &str) -> Option<Totality> {
    use ArgumentCheck as Check;
    Some(match head {
        "total" => Totality::Total,
        "edge" => Totality::ShortOfTheEdge,
        "growing" => Totality::Growing,
        "timestamp unit" => Totality::WithConstant(Check::TimestampUnit),
        "interval unit" => Totality::WithConstant(Check::IntervalUnit),
        "timestamp field" => Totality::WithConstant(Check::TimestampField),
        "timestamptz field" => Totality::WithConstant(Check::TimestamptzField),
        "date field" => Totality::WithConstant(Check::DateField),
        "interval field" => Totality::WithConstant(Check::IntervalField),
        "time field" => Totality::WithConstant(Check::TimeField),
        "time zone" => Totality::WithConstant(Check::TimeZone),
        "like pattern" => Totality::WithConstant(Check::LikePattern),
        "like escape" => Totality::WithConstant(Check::LikeEscape),
        "regex" => Totality::WithConstant(Check::Regex),
        "regex replace" => Totality::WithConstant(Check::RegexReplace),
        "length" => Totality::WithConstant(Check::Length),
        "padding" => Totality::WithConstant(Check::Padding),
        "nonzero" => Totality::WithConstant(Check::NonZero),
        "replacement" => Totality::WithConstant(Check::Replacement),
        "timestamp format" => Totality::WithConstant(Check::TimestampFormat),
        "number format" => Totality::WithConstant(Check::NumberFormat),
        "scale" => Totality::WithConstant(Check::Scale),
        "encoding" => Totality::WithConstant(Check::Encoding),
        _ => return None,
    })
}

/// Is the function of `pg_catalog` total for arguments of these types?
///
/// One type per argument: [`super::UNKNOWN`] for a string constant without a type, [`super::ANY_ENUM`] for an enum,
/// the base type for a domain, `None` where the caller does not know it. Where the answer hangs on a type that is not
/// known, it is no.
pub fn totality(name: &str, types: &[Option<Oid>]) -> Totality {
    TOTAL
        .get(name)
        .and_then(|overloads| overloads.iter().find(|listed| fits(listed, types)))
        .map_or(Totality::No, |listed| listed.totality)
}

fn fits(listed: &Listed, types: &[Option<Oid>]) -> bool {
    let Some(signature) = &listed.signature else {
        return true;
    };
    signature.len() == types.len()
        && signature
            .iter()
            .zip(types)
            .all(|(wanted, given)| given.is_some_and(|given| takes(*wanted, given)))
}

/// A parameter takes its own type, types that PostgreSQL reads as it without work, and for text untyped constants.
fn takes(wanted: Oid, given: Oid) -> bool {
    wanted == given
        || (wanted == oids::TEXT && matches!(given, oids::VARCHAR | oids::BPCHAR | oids::NAME | oids::UNKNOWN))
        || (wanted == oids::INET && given == oids::CIDR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Option<Oid> = Some(oids::TEXT);
    const INT4: Option<Oid> = Some(oids::INT4);

    #[test]
    fn every_line_is_understood() {
        for entry in file::words(include_str!("total.txt")) {
            assert!(read(entry).is_some(), "{entry:?}");
        }
    }

    #[test]
    fn overloads_are_told_apart() {
        assert_eq!(totality("lower", &[TEXT]), Totality::Total);
        assert_eq!(totality("lower", &[Some(oids::VARCHAR)]), Totality::Total);
        assert_eq!(totality("abs", &[Some(oids::NUMERIC)]), Totality::Total);
        assert_eq!(totality("abs", &[INT4]), Totality::No);
        assert_eq!(totality("abs", &[None]), Totality::No);
        assert_eq!(totality("to_number", &[TEXT, TEXT]), Totality::No);
        assert_eq!(
            totality("substring", &[TEXT, INT4, INT4]),
            Totality::WithConstant(ArgumentCheck::Length)
        );
        assert_eq!(
            totality("substring", &[TEXT, TEXT]),
            Totality::WithConstant(ArgumentCheck::Regex)
        );
    }
}
