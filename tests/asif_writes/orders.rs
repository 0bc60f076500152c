//! Rows in another order: a constraint that is looked at row by row may fail in one and hold in another.

use crate::dprime::run;
use crate::wire::Client;

/// How many orders are tried for an error that one did not give.
pub const ORDERS: usize = 12;

/// Moves about half of the rows of every table behind the others; which ones, `seed` says.
pub fn shuffle(superuser: &mut Client, seed: usize) {
    let sql = format!(
        "SET session_replication_role = replica;
         DO $$ DECLARE t regclass; c name; BEGIN
           FOR t, c IN SELECT r.oid, (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0
               AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a' LIMIT 1)
             FROM pg_class r WHERE r.relkind = 'r' AND r.relnamespace = 'public'::regnamespace LOOP
             EXECUTE format('UPDATE %s SET %I = %I WHERE hashtext(concat(ctid, ''/{seed}'')) & 1 = 0', t, c, c);
           END LOOP; END $$;"
    );
    run(superuser, &sql);
}
