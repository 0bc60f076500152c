//! What the shipped roles may write, said again in SQL from the policy's words alone.

use std::sync::Mutex;

/// A role's right to write one table. `ROW.` stands for the row, `:me` and the like for the person.
#[derive(Debug, Clone, Copy)]
pub struct Right {
    pub role: &'static str,
    pub table: &'static str,
    /// New rows that may be made; empty where none.
    pub insert: &'static str,
    /// Rows that may be changed, before and after.
    pub edit: &'static str,
    /// Rows that may be removed.
    pub delete: &'static str,
    /// Columns that the role shows and may not write.
    pub read_only: &'static [&'static str],
    /// Rows that may be taken out in bulk.
    pub export: &'static str,
    /// Masked columns that the role may write all the same.
    pub in_clear: &'static [&'static str],
    /// What is stored where an INSERT leaves the column out.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Columns that decide scopes, and to whom (over `NEW.`) they may be handed.
    pub transfer: &'static [(&'static str, &'static str)],
}

const NONE: Right = Right {
    role: "",
    table: "",
    insert: "",
    edit: "",
    delete: "",
    read_only: &[],
    export: "",
    in_clear: &[],
    defaults: &[],
    transfer: &[],
};

/// Columns that decide whose a row is.
pub fn deciding(table: &str) -> &'static [&'static str] {
    match table {
        "public.customers" => &["id", "owner_id", "team_id"],
        "public.contacts" => &["customer_id"],
        "public.opportunities" | "public.contracts" | "public.service_records" => {
            &["owner_id", "team_id", "customer_id"]
        }
        "public.activities" => &["owner_id", "customer_id"],
        "public.customer_members" => &["customer_id", "user_id", "team_id"],
        _ => &[],
    }
}

/// The partitions and inheritance children of a table, and itself.
pub fn family(table: &'static str) -> &'static [&'static str] {
    match table {
        "public.service_records" => &[
            "public.service_records",
            "public.service_records_2023",
            "public.service_records_2024",
            "public.service_records_2025",
            "public.service_records_other",
        ],
        "public.activities" => &["public.activities", "public.calls"],
        "public.customers" => &["public.customers"],
        "public.contacts" => &["public.contacts"],
        "public.opportunities" => &["public.opportunities"],
        "public.contracts" => &["public.contracts"],
        "public.customer_members" => &["public.customer_members"],
        "public.products" => &["public.products"],
        "crm.users" => &["crm.users"],
        "crm.teams" => &["crm.teams"],
        other => panic!("no such table: {other}"),
    }
}

const OWN: &str = "ROW.owner_id = :me";
const PARENT_OWN: &str = "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND p.owner_id = :me)";
const OWN_OR_MEMBER: &str = "ROW.owner_id = :me OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = ROW.id \
    AND (m.user_id = :me OR m.team_id = :team))";
const PARENT_OWN_OR_MEMBER: &str = "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.owner_id = :me \
    OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))";
/// Whatever customer a manager sees, their rows are of it.
const MANAGER_PARENT: &str = "EXISTS (SELECT FROM public.customers p WHERE p.id = ROW.customer_id AND (p.team_id = ANY (:tree) \
    OR p.owner_id = ANY (:reports) OR p.owner_id = :me OR p.owner_id IS NULL \
    OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = p.id AND (m.user_id = :me OR m.team_id = :team))))";

const TREE: &str = "ROW.team_id = ANY (:tree)";

// handing over: to colleagues, to people below, never to oneself
const TO_MATE: &str = "NEW.owner_id = ANY (:mates) AND NEW.owner_id <> :me";
const TO_TREE_OR_REPORT: &str = "NEW.owner_id = ANY (:people) AND NEW.owner_id <> :me";
const TO_TEAM: &str = "NEW.team_id = ANY (:tree)";

/// Every right to write in the shipped policy, and of the steward who has what it does not use.
pub const RIGHTS: [Right; 17] = [
    Right {
        role: "sales_rep",
        table: "public.customers",
        insert: OWN,
        edit: OWN,
        read_only: &["level"],
        transfer: &[("owner_id", TO_MATE)],
        ..NONE
    },
    Right {
        role: "sales_rep",
        table: "public.contacts",
        insert: PARENT_OWN,
        edit: PARENT_OWN,
        ..NONE
    },
    Right {
        role: "sales_rep",
        table: "public.opportunities",
        insert: OWN,
        edit: OWN,
        ..NONE
    },
    Right {
        role: "sales_rep",
        table: "public.activities",
        insert: OWN,
        edit: OWN,
        ..NONE
    },
    Right {
        role: "sales_manager",
        table: "public.customers",
        insert: "ROW.team_id = ANY (:tree)",
        edit: "ROW.team_id = ANY (:tree) OR ROW.owner_id = ANY (:reports)",
        export: TREE,
        transfer: &[("owner_id", TO_TREE_OR_REPORT), ("team_id", TO_TEAM)],
        ..NONE
    },
    Right {
        role: "sales_manager",
        table: "public.contacts",
        insert: MANAGER_PARENT,
        edit: MANAGER_PARENT,
        export: MANAGER_PARENT,
        ..NONE
    },
    Right {
        role: "sales_manager",
        table: "public.opportunities",
        insert: "ROW.team_id = ANY (:tree)",
        edit: "ROW.team_id = ANY (:tree) OR ROW.owner_id = ANY (:reports) OR ROW.owner_id = :me",
        delete: OWN,
        export: TREE,
        transfer: &[("owner_id", TO_TREE_OR_REPORT)],
        ..NONE
    },
    Right {
        role: "sales_manager",
        table: "public.customer_members",
        insert: MANAGER_PARENT,
        delete: MANAGER_PARENT,
        ..NONE
    },
    Right {
        role: "finance",
        table: "public.contracts",
        edit: "true",
        read_only: &["amount"],
        ..NONE
    },
    Right {
        role: "finance",
        table: "public.products",
        edit: "true",
        ..NONE
    },
    Right {
        role: "service_agent",
        table: "public.service_records",
        insert: "ROW.owner_id = :me OR ROW.team_id = :team",
        edit: "ROW.owner_id = :me OR ROW.team_id = :team",
        transfer: &[("owner_id", TO_MATE)],
        ..NONE
    },
    Right {
        role: "steward",
        table: "public.customers",
        insert: "ROW.owner_id = :me OR ROW.team_id = :team",
        edit: OWN_OR_MEMBER,
        delete: OWN,
        read_only: &["external_id"],
        in_clear: &["email"],
        defaults: &[("owner_id", ":me"), ("team_id", ":team")],
        transfer: &[
            ("owner_id", "NEW.owner_id = ANY (:mates) OR NEW.owner_id = :me"),
            ("team_id", "NEW.team_id = :team"),
        ],
        ..NONE
    },
    Right {
        role: "steward",
        table: "public.contacts",
        insert: PARENT_OWN,
        edit: PARENT_OWN_OR_MEMBER,
        delete: PARENT_OWN,
        read_only: &["title"],
        in_clear: &["email"],
        ..NONE
    },
    Right {
        role: "steward",
        table: "public.opportunities",
        insert: OWN,
        edit: "ROW.team_id = :team",
        delete: "ROW.team_id = :team",
        defaults: &[("owner_id", ":me")],
        transfer: &[("owner_id", "true")],
        ..NONE
    },
    Right {
        role: "steward",
        table: "public.activities",
        insert: OWN,
        edit: OWN,
        delete: OWN,
        defaults: &[("owner_id", ":me")],
        ..NONE
    },
    Right {
        role: "steward",
        table: "public.customer_members",
        insert: PARENT_OWN,
        delete: PARENT_OWN,
        ..NONE
    },
    Right {
        role: "steward",
        table: "public.products",
        insert: "true",
        edit: "true",
        delete: "true",
        in_clear: &["list_price"],
        ..NONE
    },
];

static MADE: Mutex<Vec<&'static Right>> = Mutex::new(Vec::new());

/// Keeps a right of a role that is made while the tests run.
pub fn keep(right: Right) {
    MADE.lock()
        .expect("no thread panicked")
        .push(Box::leak(Box::new(right)));
}

/// The rights of some roles on one table.
pub fn rights(roles: &[&str], table: &str) -> Vec<&'static Right> {
    let made = MADE.lock().expect("no thread panicked");
    (RIGHTS.iter().chain(made.iter().copied()))
        .filter(|r| r.table == table && roles.contains(&r.role))
        .collect()
}
