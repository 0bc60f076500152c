//! Hash masks: their values cannot be computed without the key, so they are taken from rowgate, tried for what the policy says of them, and put into D′.

use crate::dprime::run;
use crate::schema::texts;
use crate::stage::{Server, Stage, WHOLE};
use crate::wire::{Address, Client};
use crate::world::World;
use std::collections::HashSet;
use std::fmt::Write;

/// Who sees which column hashed.
const HASHED: [(&str, &str, &str, &str); 2] = [
    ("grace", "public.customers", "external_id", "uuid"),
    ("grace", "public.contacts", "email", "text"),
];

/// Takes every hash from rowgate into the person's D′.
pub fn carry_over(world: &World, stage: &Stage, server: &Server) {
    for (login, table, column, kind) in HASHED {
        let seat = world
            .seats
            .iter()
            .find(|s| s.person.login == login)
            .expect("a person of the oracle");
        let mut gate = server.connect(login).expect("rowgate");
        let shown = texts(&mut gate, &format!("SELECT id, {column} FROM {table} ORDER BY id"));
        let d = Address {
            database: WHOLE.into(),
            ..stage.superuser.clone()
        };
        let mut whole = Client::connect(&d).expect("D");
        let real = texts(&mut whole, &format!("SELECT id, {column} FROM {table} ORDER BY id"));
        assert_eq!(shown.len(), real.len(), "{table}");
        let mut seen = HashSet::new();
        let mut lengths = HashSet::new();
        let mut update = String::from("SET session_replication_role = replica;");
        for (shown, real) in shown.iter().zip(&real) {
            assert_eq!(shown[0], real[0]);
            assert_eq!(shown[1].is_none(), real[1].is_none(), "NULL stays NULL");
            if let (Some(hash), Some(value)) = (&shown[1], &real[1]) {
                assert_ne!(hash, value);
                assert!(seen.insert(hash.clone()), "two values, one hash: {hash}");
                lengths.insert(hash.len());
                let id = shown[0].as_deref().unwrap_or_default();
                let _ = write!(
                    update,
                    "UPDATE {table} SET {column} = '{hash}'::{kind} WHERE id = {id};"
                );
            }
        }
        assert_eq!(lengths.len(), 1, "of one length");
        let prime = Address {
            database: seat.prime.database.clone(),
            ..stage.superuser.clone()
        };
        run(&mut Client::connect(&prime).expect("D′"), &update);
    }
}
