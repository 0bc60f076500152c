//! The shipped roles, said again in SQL from the policy's texts: which rows, and how each column that is not clear shows.

use std::sync::Mutex;

/// How a column that a role names shows on the rows that the role shows.
#[derive(Debug, Clone)]
pub enum Column {
    /// As if it did not exist.
    Hidden,
    /// Clear where the condition holds, NULL elsewhere.
    HiddenExcept(&'static str),
    /// This expression, but clear where the condition holds.
    Mask(&'static str, &'static str),
}

/// A role's part of one table.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub rows: &'static str,
    pub columns: &'static [(&'static str, Column)],
}

/// A role.
#[derive(Debug)]
pub struct Role {
    pub name: &'static str,
    /// Tables with the rows that the role may edit: of those that it shows, the ones that FOR UPDATE may lock.
    pub edits: &'static [(&'static str, &'static str)],
    pub tables: &'static [Table],
    /// May read the materialized view as it is.
    pub derived: bool,
}

/// Every protected table.
pub const TABLES: [&str; 10] = [
    "public.customers",
    "public.contacts",
    "public.opportunities",
    "public.contracts",
    "public.service_records",
    "public.activities",
    "public.customer_members",
    "public.products",
    "crm.users",
    "crm.teams",
];

/// What identifies a row of a table, by itself.
pub fn key(table: &str) -> &'static str {
    match table {
        "public.products" => "code",
        "crm.users" => "user_id",
        "crm.teams" => "team_id",
        _ => "id",
    }
}

/// The role of this name: one of the shipped ones, or one that was kept.
pub fn role(name: &str) -> &'static Role {
    let made = MADE.lock().expect("no thread panicked");
    let made = made.iter().rev().copied();
    made.chain(&ROLES)
        .find(|r| r.name == name)
        .expect("a role of the oracle")
}

static MADE: Mutex<Vec<&'static Role>> = Mutex::new(Vec::new());

/// Keeps a role under its name, for as long as the tests run.
pub fn keep(role: Role) {
    MADE.lock().expect("no thread panicked").push(Box::leak(Box::new(role)));
}

use Column::{Hidden, HiddenExcept, Mask};

const NEVER: &str = "false";

const fn all(name: &'static str) -> Table {
    Table {
        name,
        rows: "true",
        columns: &[],
    }
}

const REP_PARENT: &str = "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.owner_id = :me \
    OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))";
const REP_PARENT_OWN: &str =
    "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND p.owner_id = :me)";
const MANAGER_PARENT: &str = "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.team_id = ANY (:tree) \
    OR p.owner_id = ANY (:reports) OR p.owner_id = :me OR p.owner_id IS NULL \
    OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))";
const DESK_PARENT: &str =
    "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND p.country = ANY (:countries))";

/// Own, shared with the person or their team, or of their team.
const STEWARD_EDITS: &str = "ROW.owner_id = :me OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = ROW.id \
    AND (m.user_id = :me OR m.team_id = :team))";
const STEWARD_ROWS: &str = "ROW.owner_id = :me OR ROW.team_id = :team OR EXISTS (SELECT FROM public.customer_members m \
    WHERE m.customer_id = ROW.id AND (m.user_id = :me OR m.team_id = :team))";
const STEWARD_PARENT: &str = "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.owner_id = :me OR p.team_id = :team \
    OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))";
const STEWARD_PARENT_EDITS: &str = REP_PARENT;

const EMAIL: &str = "CASE WHEN strpos(ROW.email, '@') > 0 THEN left(ROW.email, 1) || '***@' || split_part(ROW.email, '@', 2) \
    WHEN ROW.email IS NOT NULL THEN '***' END";
const PHONE_3_4: &str = "CASE WHEN length(ROW.phone) <= 7 THEN repeat('*', length(ROW.phone)) \
    ELSE left(ROW.phone, 3) || repeat('*', length(ROW.phone) - 7) || right(ROW.phone, 4) END";
const PHONE_3_0: &str = "CASE WHEN length(ROW.phone) <= 3 THEN repeat('*', length(ROW.phone)) \
    ELSE left(ROW.phone, 3) || repeat('*', length(ROW.phone) - 3) END";
const PHONE_0_2: &str = "CASE WHEN length(ROW.phone) <= 2 THEN repeat('*', length(ROW.phone)) \
    ELSE repeat('*', length(ROW.phone) - 2) || right(ROW.phone, 2) END";
const CALLER_3_4: &str = "CASE WHEN length(ROW.caller_phone) <= 7 THEN repeat('*', length(ROW.caller_phone)) \
    ELSE left(ROW.caller_phone, 3) || repeat('*', length(ROW.caller_phone) - 7) || right(ROW.caller_phone, 4) END";
const BANK_0_4: &str = "CASE WHEN length(ROW.bank_account) <= 4 THEN repeat('*', length(ROW.bank_account)) \
    ELSE repeat('*', length(ROW.bank_account) - 4) || right(ROW.bank_account, 4) END";
const TAX_2_3: &str = "CASE WHEN length(ROW.tax_id) <= 5 THEN repeat('*', length(ROW.tax_id)) \
    ELSE left(ROW.tax_id, 2) || repeat('*', length(ROW.tax_id) - 5) || right(ROW.tax_id, 3) END";

static ROLES: [Role; 6] = [
    Role {
        name: "sales_rep",
        edits: &[
            ("public.customers", "ROW.owner_id = :me"),
            ("public.contacts", REP_PARENT_OWN),
            ("public.opportunities", "ROW.owner_id = :me"),
            ("public.activities", "ROW.owner_id = :me"),
        ],
        derived: false,
        tables: &[
            Table {
                name: "public.customers",
                rows: "ROW.owner_id = :me OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = ROW.id \
                       AND (m.user_id = :me OR m.team_id = :team))",
                columns: &[
                    ("credit_limit", Hidden),
                    ("tax_id", Mask("NULL", NEVER)),
                    ("phone", Mask(PHONE_3_4, "ROW.owner_id = :me")),
                    ("email", Mask(EMAIL, "ROW.owner_id = :me")),
                ],
            },
            Table {
                name: "public.contacts",
                rows: REP_PARENT,
                columns: &[
                    ("phone", Mask(PHONE_3_4, REP_PARENT_OWN)),
                    ("email", Mask(EMAIL, REP_PARENT_OWN)),
                    ("birthday", Mask("date_trunc('year', ROW.birthday)::date", NEVER)),
                ],
            },
            Table {
                name: "public.opportunities",
                rows: "ROW.owner_id = :me OR EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND p.owner_id = :me)",
                columns: &[],
            },
            Table {
                name: "public.contracts",
                rows: "ROW.owner_id = :me",
                columns: &[("bank_account", Mask(BANK_0_4, NEVER))],
            },
            Table {
                name: "public.service_records",
                rows: REP_PARENT,
                columns: &[
                    ("caller_phone", Mask(CALLER_3_4, REP_PARENT_OWN)),
                    ("description", HiddenExcept(REP_PARENT_OWN)),
                ],
            },
            Table {
                name: "public.activities",
                rows: "ROW.owner_id = :me OR EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.owner_id = :me \
                       OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))",
                columns: &[],
            },
            Table {
                name: "public.customer_members",
                rows: REP_PARENT,
                columns: &[],
            },
            all("public.products"),
            Table {
                name: "crm.users",
                rows: "true",
                columns: &[("hired_on", Hidden)],
            },
            all("crm.teams"),
        ],
    },
    Role {
        name: "sales_manager",
        edits: &[
            (
                "public.customers",
                "ROW.team_id = ANY (:tree) OR ROW.owner_id = ANY (:reports)",
            ),
            ("public.contacts", MANAGER_PARENT),
            (
                "public.opportunities",
                "ROW.team_id = ANY (:tree) OR ROW.owner_id = ANY (:reports) OR ROW.owner_id = :me",
            ),
        ],
        derived: false,
        tables: &[
            Table {
                name: "public.customers",
                rows: "ROW.team_id = ANY (:tree) OR ROW.owner_id = ANY (:reports) OR ROW.owner_id = :me OR ROW.owner_id IS NULL \
                       OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = ROW.id AND (m.user_id = :me OR m.team_id = :team))",
                columns: &[("tax_id", Mask(TAX_2_3, NEVER))],
            },
            Table {
                name: "public.contacts",
                rows: MANAGER_PARENT,
                columns: &[],
            },
            Table {
                name: "public.opportunities",
                rows: "ROW.team_id = ANY (:tree) OR ROW.owner_id = ANY (:reports) OR ROW.owner_id = :me OR \
                       EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.team_id = ANY (:tree) \
                       OR p.owner_id = ANY (:reports) OR p.owner_id = :me OR p.owner_id IS NULL \
                       OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))",
                columns: &[],
            },
            Table {
                name: "public.contracts",
                rows: "ROW.team_id = ANY (:tree) OR ROW.owner_id = ANY (:reports) OR ROW.owner_id = :me",
                columns: &[("bank_account", Hidden)],
            },
            Table {
                name: "public.service_records",
                rows: MANAGER_PARENT,
                columns: &[],
            },
            Table {
                name: "public.activities",
                rows: "ROW.owner_id = :me OR ROW.owner_id = ANY (:reports) OR \
                       EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.team_id = ANY (:tree) \
                       OR p.owner_id = ANY (:reports) OR p.owner_id = :me OR p.owner_id IS NULL \
                       OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))",
                columns: &[],
            },
            Table {
                name: "public.customer_members",
                rows: MANAGER_PARENT,
                columns: &[],
            },
            all("public.products"),
            all("crm.users"),
            all("crm.teams"),
        ],
    },
    Role {
        name: "finance",
        edits: &[("public.contracts", "true"), ("public.products", "true")],
        derived: true,
        tables: &[
            Table {
                name: "public.customers",
                rows: "true",
                columns: &[
                    ("phone", Mask("'ask sales'", NEVER)),
                    ("email", Mask(EMAIL, NEVER)),
                    ("profile", Hidden),
                ],
            },
            Table {
                name: "public.contacts",
                rows: "true",
                columns: &[
                    ("phone", Mask(PHONE_0_2, NEVER)),
                    ("email", Mask("NULL", NEVER)),
                    ("birthday", Hidden),
                    ("preferences", Hidden),
                ],
            },
            Table {
                name: "public.opportunities",
                rows: "true",
                columns: &[
                    ("amount", Mask("floor(ROW.amount / 10000) * 10000", NEVER)),
                    ("notes", Hidden),
                ],
            },
            all("public.contracts"),
            all("public.customer_members"),
            all("public.products"),
            all("crm.users"),
            all("crm.teams"),
        ],
    },
    Role {
        name: "service_agent",
        edits: &[("public.service_records", "ROW.owner_id = :me OR ROW.team_id = :team")],
        derived: false,
        tables: &[
            Table {
                name: "public.service_records",
                rows: "ROW.owner_id = :me OR ROW.team_id = :team OR ROW.team_id = ANY (:tree)",
                columns: &[],
            },
            Table {
                name: "public.customers",
                rows: "ROW.country = ANY (:countries)",
                columns: &[
                    ("email", Mask(EMAIL, NEVER)),
                    ("tax_id", Hidden),
                    ("credit_limit", Hidden),
                    ("profile", Mask("NULL", NEVER)),
                    ("founded_on", Mask("date_trunc('year', ROW.founded_on)::date", NEVER)),
                ],
            },
            Table {
                name: "public.contacts",
                rows: DESK_PARENT,
                columns: &[("email", Mask(EMAIL, NEVER)), ("birthday", Hidden)],
            },
            Table {
                name: "public.contracts",
                rows: DESK_PARENT,
                columns: &[
                    ("amount", Hidden),
                    ("paid", Hidden),
                    ("balance", Hidden),
                    ("bank_account", Hidden),
                    ("terms", Hidden),
                    ("signed_on", Mask("date_trunc('month', ROW.signed_on)::date", NEVER)),
                ],
            },
            Table {
                name: "public.products",
                rows: "true",
                columns: &[("list_price", Hidden)],
            },
            Table {
                name: "crm.users",
                rows: "ROW.team_id = ANY (:tree) OR ROW.user_id = :me",
                columns: &[],
            },
            all("crm.teams"),
        ],
    },
    Role {
        name: "executive",
        edits: &[],
        derived: true,
        tables: &[
            Table {
                name: "public.customers",
                rows: "true",
                columns: &[
                    ("external_id", Mask("md5('asif' || ROW.external_id::text)::uuid", NEVER)),
                    ("phone", Mask(PHONE_3_0, NEVER)),
                    ("email", Mask(EMAIL, NEVER)),
                    ("tax_id", Mask("NULL", NEVER)),
                ],
            },
            Table {
                name: "public.contacts",
                rows: "true",
                columns: &[
                    ("name", Mask("left(ROW.name, 1) || '.'", NEVER)),
                    ("phone", Mask(PHONE_3_0, NEVER)),
                    ("email", Mask("md5('asif' || ROW.email)", NEVER)),
                    ("birthday", Mask("date_trunc('year', ROW.birthday)::date", NEVER)),
                ],
            },
            Table {
                name: "public.opportunities",
                rows: "true",
                columns: &[("amount", Mask("round(ROW.amount, -2)", NEVER))],
            },
            Table {
                name: "public.contracts",
                rows: "true",
                columns: &[("bank_account", Hidden)],
            },
            Table {
                name: "public.service_records",
                rows: "true",
                columns: &[
                    ("caller_phone", Mask("NULL", NEVER)),
                    ("description", Hidden),
                    (
                        "closed_at",
                        Mask(
                            "date_trunc('month', ROW.closed_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'",
                            NEVER,
                        ),
                    ),
                ],
            },
            all("public.activities"),
            all("public.customer_members"),
            all("public.products"),
            all("crm.users"),
            all("crm.teams"),
        ],
    },
    // no shipped role: it has what those do not use (tests/asif_writes/roles)
    Role {
        name: "steward",
        edits: &[
            ("public.customers", STEWARD_EDITS),
            ("public.contacts", STEWARD_PARENT_EDITS),
            ("public.opportunities", "ROW.team_id = :team"),
            ("public.activities", "ROW.owner_id = :me"),
            ("public.products", "true"),
        ],
        derived: false,
        tables: &[
            Table {
                name: "public.customers",
                rows: STEWARD_ROWS,
                columns: &[
                    ("name", Mask("left(ROW.name, 3)", "ROW.team_id = :team")),
                    ("phone", Mask(PHONE_3_4, "ROW.owner_id = :me")),
                    ("email", Mask(EMAIL, NEVER)),
                    ("tax_id", Mask("'secret'", NEVER)),
                    ("credit_limit", Mask("floor(ROW.credit_limit / 1000) * 1000", NEVER)),
                    ("founded_on", Mask("date_trunc('year', ROW.founded_on)::date", NEVER)),
                    ("profile", HiddenExcept("ROW.owner_id = :me")),
                ],
            },
            Table {
                name: "public.contacts",
                rows: STEWARD_PARENT,
                columns: &[
                    (
                        "birthday",
                        Mask("date_trunc('month', ROW.birthday)::date", REP_PARENT_OWN),
                    ),
                    ("email", Mask("NULL", NEVER)),
                    ("preferences", Hidden),
                ],
            },
            Table {
                name: "public.opportunities",
                rows: "ROW.team_id = :team OR ROW.owner_id = :me",
                columns: &[
                    ("amount", Mask("round(ROW.amount, -2)", "ROW.owner_id = :me")),
                    ("notes", Mask("NULL", NEVER)),
                ],
            },
            all("public.activities"),
            Table {
                name: "public.customer_members",
                rows: STEWARD_PARENT,
                columns: &[],
            },
            Table {
                name: "public.products",
                rows: "true",
                columns: &[("list_price", Mask("round(ROW.list_price, 0)", NEVER))],
            },
            all("crm.users"),
            all("crm.teams"),
        ],
    },
];
