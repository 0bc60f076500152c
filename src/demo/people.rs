//! The five people whose views the demonstration shows side by side.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The login, in `crm.users` and as a role of the database.
    pub login: &'static str,
    /// What they do.
    pub title: &'static str,
}

/// One of each role.
pub const FIVE: [Person; 5] = [
    Person {
        login: "alice",
        title: "sales rep",
    },
    Person {
        login: "bob",
        title: "sales manager",
    },
    Person {
        login: "fiona",
        title: "finance",
    },
    Person {
        login: "wei",
        title: "service agent",
    },
    Person {
        login: "grace",
        title: "executive",
    },
];

impl Person {
    /// The line that opens psql as this person.
    pub fn psql(&self, host: &str, port: u16, database: &str) -> String {
        let password = super::data::password(self.login);
        format!("psql postgresql://{}:{password}@{host}:{port}/{database}", self.login)
    }

    /// What a JDBC client takes.
    pub fn jdbc(&self, host: &str, port: u16, database: &str) -> String {
        let password = super::data::password(self.login);
        format!(
            "jdbc:postgresql://{host}:{port}/{database}?user={}&password={password}",
            self.login
        )
    }
}
