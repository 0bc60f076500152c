//! `rowgate init`, `migrate`, and the commands of temporary rights as an operator runs them.

use crate::support::{Database, one};
use std::path::Path;
use std::process::Command;

fn rowgate(place: &Path, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_rowgate"))
        .current_dir(place)
        .args(arguments)
        .env("USER", "dora")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (done.status.success(), said.concat())
}

#[tokio::test]
async fn from_no_schema_to_a_list_of_rights() {
    let database = Database::new().await;
    let place = tempfile::tempdir().unwrap();
    let text = format!(
        "[upstream]\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"{}\"\nuser = \"rowgate\"\npassword = \"rowgate-demo\"\n\
         [policies]\ndirectory = \"{}/policies\"\n",
        database.cluster.port(),
        database.name,
        env!("CARGO_MANIFEST_DIR")
    );
    let configuration = place.path().join("rowgate.toml");
    std::fs::write(&configuration, &text).unwrap();
    let run = |arguments: &[&str]| rowgate(place.path(), arguments);
    let (good, said) = run(&["init"]);
    assert!(!good && said.contains("no section [rights]"), "{said}");
    let (good, said) = run(&["rights"]);
    assert!(!good && said.contains("no section [rights]"), "{said}");

    std::fs::write(&configuration, format!("{text}[rights]\n")).unwrap();
    let (good, said) = run(&["rights"]);
    assert!(!good && said.contains("run rowgate init"), "{said}");
    let (good, said) = run(&["migrate"]);
    assert!(!good && said.contains("run rowgate init"), "{said}");
    let (good, said) = run(&["init"]);
    assert!(!good && said.contains("may not own the schema"), "{said}");
    let config = database.cluster.superuser(&database.name);
    let host = match &config.get_hosts()[0] {
        tokio_postgres::config::Host::Tcp(host) => host.clone(),
        tokio_postgres::config::Host::Unix(path) => path.to_string_lossy().into_owned(),
    };
    let owner = format!(
        "host={host} port={} user={} dbname={}",
        database.cluster.port(),
        config.get_user().unwrap(),
        database.name
    );
    let init = ["init", "--database", owner.as_str()];
    assert_eq!(
        run(&init),
        (true, "the schema rowgate is made (version 4)\n".to_owned())
    );
    assert_eq!(
        run(&init),
        (
            true,
            "the schema rowgate is there and up to date (version 4)\n".to_owned()
        )
    );
    // what --print tells is the same, for psql
    let (good, script) = run(&["init", "--print"]);
    assert!(good, "{script}");
    let admin = database.superuser().await;
    admin.batch_execute("DROP TABLE rowgate.state, rowgate.rights, rowgate.requests, rowgate.history, rowgate.policies, rowgate.passwords, rowgate.second_factors; DROP FUNCTION rowgate.keep_history, rowgate.tell, rowgate.only_append, rowgate.keep_policy, rowgate.passwords_of, rowgate.set_password, rowgate.second_factor_of, rowgate.take_code, rowgate.set_second_factor, rowgate.remove_second_factor").await.unwrap();
    admin.batch_execute(&script).await.unwrap();
    assert!(run(&["migrate", "--database", owner.as_str()]).0);

    let (good, said) = run(&[
        "grant",
        "view",
        "on",
        "customers(phone, email)",
        "to",
        "alice",
        "for",
        "2 hours",
        "reason",
        "it's a campaign\u{1b}[2J",
    ]);
    assert!(
        good && said.starts_with("right 1: view ON customers(phone, email) to alice until "),
        "{said}"
    );
    // what a shell would take apart stands between quotes
    let (good, said) = run(&["grant", "view on contacts(phone)", "to", "bob", "for", "1h"]);
    assert!(
        good && said.starts_with("right 2: view ON contacts(phone) to bob until "),
        "{said}"
    );
    assert_eq!(run(&["revoke", "2"]), (true, "right 2 is ended\n".to_owned()));
    // the role that serves clients is told that there is nothing to do
    let (good, said) = run(&["migrate"]);
    assert!(good && said.contains("up to date"), "{said}");
    let (good, said) = run(&["delegate", "hao", "to", "alise", "until", "18:00"]);
    assert!(!good);
    assert_eq!(
        said,
        "no such person: \"alise\"\n  delegate hao to alise until 18:00\n                  ^\ndid you mean \"alice\"?\n"
    );
    let (good, said) = run(&["rights", "of", "alice"]);
    assert!(
        good && said.contains("grant\talice\tview ON customers(phone, email)")
            && said.contains("it's a campaign\\u{1b}[2J\toperator dora"),
        "{said}"
    );
    let (good, said) = run(&["revoke", "1", "--by", "x"]);
    assert!(!good, "what comes behind the first word belongs to the command: {said}");
    assert!(run(&["revoke", "--by", "bea", "1"]).0);
    let (good, said) = run(&["rights", "history", "of", "alice"]);
    assert!(good && said.contains("operator bea\tended\talice\tcustomers"), "{said}");
    assert_eq!(one(&admin, "SELECT count(*) FROM rowgate.rights").await, "0");
    // commands beside a rowgate that serves keep no record of policies
    let listed = run(&["rights", "policy", "changes"]);
    assert_eq!(listed, (true, "at\thash\tauthor\tchange\n".to_owned()));
    let (good, script) = run(&["migrate", "--print"]);
    assert!(
        good && !script.contains("CREATE TABLE") && script.contains("GRANT"),
        "{script}"
    );
}
