//! The demonstration's database: SQL that makes the same rows every time, at any scale.

use std::fmt::Write as _;
use tokio_postgres::Client;

/// The database of the throwaway cluster that holds the demonstration's tables.
pub const DATABASE: &str = "crm";

/// The files in the order in which they run; `:scale` stands for the size.
const FILES: [(&str, &str); 6] = [
    ("01_people.sql", include_str!("../../demo/01_people.sql")),
    ("02_tables.sql", include_str!("../../demo/02_tables.sql")),
    ("03_rows.sql", include_str!("../../demo/03_rows.sql")),
    ("04_views.sql", include_str!("../../demo/04_views.sql")),
    ("05_roles.sql", include_str!("../../demo/05_roles.sql")),
    ("06_finish.sql", include_str!("../../demo/06_finish.sql")),
];

/// How much data: 1 is 2,000 customers with what belongs to them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale(f64);

impl Scale {
    /// A scale above 0 and at most 1,000.
    pub fn new(times: f64) -> Option<Self> {
        (times > 0.0 && times <= 1000.0).then_some(Self(times))
    }
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::str::FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| "a number above 0 and at most 1000".to_owned())
    }
}

/// The password of a person of the demonstration.
pub fn password(login: &str) -> String {
    format!("{login}-demo")
}

/// A file of the demonstration's SQL failed.
#[derive(Debug)]
pub struct FillError {
    file: &'static str,
    error: tokio_postgres::Error,
}

impl std::fmt::Display for FillError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = super::place::told(&self.error);
        write!(f, "{}: {said}", self.file)
    }
}

impl std::error::Error for FillError {}

/// The whole SQL of the demonstration at this scale.
pub fn sql(scale: Scale) -> String {
    FILES.iter().fold(String::new(), |mut all, (name, text)| {
        // writing to a String cannot fail
        let _ = writeln!(all, "-- {name}\n{}", at_scale(text, scale));
        all
    })
}

/// Makes the demonstration's tables, rows and roles in the database that a superuser is connected to, all or
/// nothing.
pub async fn fill(client: &mut Client, scale: Scale) -> Result<(), FillError> {
    let failed = |file| move |error| FillError { file, error };
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    for (name, text) in FILES {
        transaction
            .batch_execute(&at_scale(text, scale))
            .await
            .map_err(failed(name))?;
    }
    transaction.commit().await.map_err(failed("COMMIT"))
}

fn at_scale(text: &str, scale: Scale) -> String {
    text.replace(":scale", &scale.to_string())
}
