//! The commands of temporary rights: who may give what to whom, requests, raises, and errors that help.

use crate::support::{Database, one};
use rowgate::keeper::{Keeper, Source};
use rowgate::refusal::Refusal;
use rowgate::rights::desk::{Answer, Desk};
use rowgate::rights::may::Teller;
use std::time::{Duration, SystemTime};
use tokio_postgres::Client;
use tokio_util::task::AbortOnDropHandle;

const REP: &str = "[customers]\nview = [\"own\", \"member\", \"delegated\"]\n\
    [customers.columns]\nphone = { mask = \"null\", except = [\"own\"] }\ncredit_limit = \"hidden\"\nid = \"clear\"\n\
    [rights.temporary]\ndelegate = [\"own\"]\nto = [\"team\"]\nshare = [\"customers\"]\n\
    request = [\"view ON customers(credit_limit)\", \"ROLE auditor\"]\napprove = [\"manager\", \"ROLE data_owner\"]\nraise = [\"auditor\"]\nraise_for = \"10 min\"\n";
const MANAGER: &str = "[customers]\nview = [\"all\"]\n\
    [rights.temporary]\ngive = [\"view ON customers SCOPE team\", \"view ON customers(phone)\", \"ROLE auditor\"]\nto = [\"reports\"]\n\
    delegate = [\"own\", \"reports\"]\nshare = [\"customers\"]\nsuspend = [\"reports\"]\nsuspend_tables = [\"customers\"]\nlongest = \"2 days\"\n";

struct Stage {
    _database: Database,
    owner: Client,
    desk: Desk,
    _keeping: AbortOnDropHandle<()>,
    _files: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let database = Database::new().await;
        let owner = crate::support::rights::prepared(&database).await;
        let files = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "tables.toml",
                "[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n",
            ),
            (
                "directory.toml",
                "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, roles::text[] AS role, team_id, manager_id, active FROM crm.users UNION ALL SELECT login || '_too', user_id, '{data_owner}'::text[], NULL, NULL, true FROM crm.users WHERE login IN ('alice', 'jun')\"\n",
            ),
            ("roles/data_owner.toml", "[customers]\nview = [\"own\"]\n"),
            ("roles/sales_rep.toml", REP),
            ("roles/sales_manager.toml", MANAGER),
            ("roles/auditor.toml", "[customers]\nview = [\"all\"]\n"),
        ] {
            let path = files.path().join("policies").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let config = crate::support::gate::config(&database, files.path(), "[rights]\n");
        let keeper = Keeper::begin(Source::from_config(&config).unwrap())
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        let desk = keeper.desk().unwrap();
        Self {
            _database: database,
            owner,
            desk,
            _keeping: AbortOnDropHandle::new(tokio::spawn(keeper.run())),
            _files: files,
        }
    }

    async fn says(&self, who: &str, text: &str) -> Result<Answer, Refusal> {
        let teller = match who {
            "" => Teller::Operator("root".to_owned()),
            login => Teller::Person(login.to_owned()),
        };
        self.desk.carry_out(&teller, text).await
    }

    async fn may(&self, who: &str, text: &str) -> String {
        let answer = self
            .says(who, text)
            .await
            .unwrap_or_else(|e| panic!("{who}: {text}: {e:?}"));
        answer.notes.join("; ")
    }

    async fn may_not(&self, who: &str, text: &str) {
        match self.says(who, text).await {
            Ok(answer) => panic!("{who}: {text}: {answer:?}"),
            Err(refusal) => assert_eq!(refusal.sqlstate.code(), "42501", "{who}: {text}: {refusal:?}"),
        }
    }

    fn roles(&self, login: &str) -> Vec<String> {
        let world = self.desk.world.current();
        world.directory.principal(login).unwrap().roles.clone()
    }
}

#[tokio::test]
async fn a_manager_gives_what_the_policy_lets_them_and_nothing_else() {
    let stage = Stage::new().await;
    stage
        .may(
            "yun",
            "GRANT view ON customers SCOPE team TO alice FOR '2 hours' REASON 'audit'",
        )
        .await;
    let held = stage
        .desk
        .world
        .current()
        .directory
        .principal("alice")
        .unwrap()
        .held
        .clone();
    assert_eq!(held.grants.len(), 1, "in force when the answer comes");
    stage.may("bob", "GRANT ROLE auditor TO alice FOR '2 days'").await;
    assert_eq!(stage.roles("alice"), ["sales_rep", "auditor"]);
    for no in [
        // too much, too long, to others, to oneself, above
        "GRANT view ON customers SCOPE all TO alice FOR '1 h'",
        "GRANT view, edit ON customers SCOPE team TO alice FOR '1 h'",
        "GRANT view ON customers(credit_limit) TO alice FOR '1 h'",
        "GRANT view ON customers(phone, credit_limit) TO alice FOR '1 h'",
        "GRANT ROLE sales_manager TO alice FOR '1 h'",
        "GRANT ROLE auditor TO alice FOR '3 days'",
        "GRANT ROLE auditor TO yan FOR '1 h'",
        "GRANT ROLE auditor TO yun FOR '1 h'",
        "GRANT ROLE auditor TO bob FOR '1 h'",
        "SUSPEND PERSON bob",
        "SUSPEND PERSON yun",
        "SUSPEND ROLE sales_rep",
        "DELEGATE bob TO alice FOR '1 h'",
        "DELEGATE alice TO yun FOR '1 h'",
        "DELEGATE yun TO yan FOR '1 h'",
        "RAISE FOR '1 min' REASON 'x'",
        "REQUEST ROLE auditor FOR '1 h' REASON 'x'",
    ] {
        stage.may_not("yun", no).await;
    }
    // what somebody holds for a time lets them give nothing
    stage.may("", "GRANT ROLE sales_manager TO alice FOR '1 h'").await;
    stage.may_not("alice", "SUSPEND TABLE customers").await;
    stage.may("yun", "SUSPEND TABLE customers REASON 'leak'").await;
    stage.may_not("alice", "RESUME TABLE customers").await;
    stage.may("bob", "RESUME TABLE customers").await;
    stage
        .may_not("nobody_at_all", "GRANT ROLE auditor TO alice FOR '1 h'")
        .await;
}

#[tokio::test]
async fn whoever_is_away_has_a_colleague_stand_in() {
    let stage = Stage::new().await;
    stage.may("alice", "DELEGATE alice TO hao FOR '5 days'").await;
    let refusal = stage.says("alice", "DELEGATE alice TO hao").await.unwrap_err();
    assert_eq!(refusal.message, "it has to end some time");
}

#[tokio::test]
async fn ending_rights() {
    let stage = Stage::new().await;
    let number = |note: String| note.split([' ', ':']).nth(1).unwrap().to_owned();
    // whoever gave it, holds it, or may give it
    for who in ["yun", "alice", "bob", ""] {
        let right = number(stage.may("yun", "GRANT ROLE auditor TO alice FOR '1 h'").await);
        stage.may_not("hao", &format!("REVOKE {right}")).await;
        stage.may(who, &format!("REVOKE {right}")).await;
        assert_eq!(stage.roles("alice"), ["sales_rep"]);
    }
    let brake = number(stage.may("bob", "SUSPEND PERSON yun REASON 'x'").await);
    stage.may_not("yun", &format!("REVOKE {brake}")).await;
    stage.may_not("alice", &format!("REVOKE {brake}")).await;
    stage.may("david", "RESUME PERSON yun").await;
    let gone = stage.says("", &format!("REVOKE {brake}")).await.unwrap_err();
    assert_eq!(gone.message, "there is no such right");
    assert_eq!(
        one(&stage.owner, "SELECT string_agg(who || ' ' || what || ' ' || login, ', ' ORDER BY id) FROM rowgate.history WHERE login = 'yun'").await,
        "bob given yun, david ended yun"
    );
}

#[tokio::test]
async fn records_are_shared_by_whoever_sees_them() {
    let stage = Stage::new().await;
    let own = one(&stage.owner, "SELECT id FROM customers WHERE owner_id = 36 LIMIT 1").await;
    let other = one(&stage.owner, "SELECT id FROM customers WHERE owner_id = 40 LIMIT 1").await;
    stage
        .may("alice", &format!("SHARE customers {own} WITH hao REASON 'together'"))
        .await;
    stage
        .may("alice", &format!("SHARE customers ({own}) WITH TEAM 14 FOR '1 h'"))
        .await;
    let held = stage
        .desk
        .world
        .current()
        .directory
        .principal("hao")
        .unwrap()
        .held
        .clone();
    assert_eq!(held.records["customers"].len(), 1);
    for (no, why) in [
        (format!("SHARE customers {other} WITH hao"), "there is no such record"),
        (
            "SHARE customers 99999999 WITH hao".to_owned(),
            "there is no such record",
        ),
        ("SHARE customers abc WITH hao".to_owned(), "there is no such record"),
        (
            format!("SHARE customers ({own}, 2) WITH hao"),
            "the key of table customers is (id)",
        ),
        (format!("SHARE custmers {own} WITH hao"), "no such table: \"custmers\""),
    ] {
        assert_eq!(stage.says("alice", &no).await.unwrap_err().message, why, "{no}");
    }
    stage.may_not("alice", &format!("SHARE customers {own} WITH yan")).await;
    stage
        .may_not("alice", &format!("SHARE customers {own} WITH alice"))
        .await;
    stage.may_not("yan", &format!("UNSHARE customers {own} WITH hao")).await;
    stage.may("alice", &format!("UNSHARE customers {own} WITH hao")).await;
    stage.may("", &format!("SHARE customers {other} WITH alice")).await;
}

#[tokio::test]
async fn somebody_asks_and_the_manager_decides() {
    let stage = Stage::new().await;
    let ask = "REQUEST view ON customers(credit_limit) FOR '1 h' REASON 'a dispute'";
    assert!(
        stage
            .may("alice", ask)
            .await
            .starts_with("request 1: view ON customers(credit_limit)")
    );
    assert_eq!(
        stage
            .says("alice", "REQUEST ROLE auditor FOR '1 h'")
            .await
            .unwrap_err()
            .message,
        "a request needs a reason"
    );
    stage
        .may_not("alice", "REQUEST view ON customers SCOPE all FOR '1 h' REASON 'x'")
        .await;
    stage
        .may_not("alice", "REQUEST ROLE auditor FOR '8 days' REASON 'x'")
        .await;
    let held = || {
        stage
            .desk
            .world
            .current()
            .directory
            .principal("alice")
            .unwrap()
            .held
            .grants
            .len()
    };
    assert_eq!(held(), 0);
    for who in ["alice", "hao", "jun"] {
        stage.may_not(who, "APPROVE 1").await;
    }
    let open = async |who: &str| stage.says(who, "SHOW REQUESTS").await.unwrap().rows.len();
    assert_eq!((open("alice").await, open("yun").await, open("hao").await), (1, 1, 0));
    stage.may("yun", "APPROVE 1 REASON 'yes'").await;
    assert_eq!(held(), 1);
    for who in ["yun", "bob"] {
        assert_eq!(
            stage.says(who, "APPROVE 1").await.unwrap_err().message,
            "there is no such open request"
        );
    }
    stage.may("hao", "REQUEST ROLE auditor FOR '1 h' REASON 'x'").await;
    stage.may("bob", "REJECT 2").await;
    assert_eq!(stage.roles("hao"), ["sales_rep"]);
    // what was asked for is over by the time that it is decided on
    stage.may("hao", "REQUEST ROLE auditor FOR '1 s' REASON 'x'").await;
    let mut world = stage.desk.world.watch();
    let over = SystemTime::now() + Duration::from_secs(1);
    let _ = tokio::time::timeout(
        Duration::from_millis(1_100),
        world.wait_for(|_| SystemTime::now() > over),
    )
    .await;
    assert_eq!(
        stage.says("yun", "APPROVE 3").await.unwrap_err().message,
        "the time that was asked for is over"
    );
}

#[tokio::test]
async fn what_is_seen_for_a_time_is_not_passed_on() {
    let stage = Stage::new().await;
    let own = one(&stage.owner, "SELECT id FROM customers WHERE owner_id = 36 LIMIT 1").await;
    let share = format!("SHARE customers {own} WITH chloe");
    for (given, by) in [
        (format!("SHARE customers {own} WITH hao FOR '1 h'"), "alice"),
        ("DELEGATE alice TO hao FOR '1 h'".to_owned(), "alice"),
        ("GRANT view ON customers SCOPE team TO hao FOR '1 h'".to_owned(), "yun"),
        ("RAISE REASON 'x'".to_owned(), "hao"),
    ] {
        stage.may(by, &given).await;
        let refusal = stage.says("hao", &share).await.unwrap_err();
        assert_eq!(refusal.message, "there is no such record", "{given}");
        stage.owner.batch_execute("DELETE FROM rowgate.rights").await.unwrap();
    }
    stage.may_not("hao", "DELEGATE alice TO chloe FOR '1 h'").await;
    stage.may("alice", &share).await;
}

#[tokio::test]
async fn two_decide_at_once_and_nobody_on_their_own() {
    let stage = Stage::new().await;
    for number in 1..=8 {
        stage.may("alice", "REQUEST ROLE auditor FOR '1 h' REASON 'x'").await;
        stage.may_not("alice_too", &format!("APPROVE {number}")).await;
        let approve = format!("APPROVE {number}");
        let (one, two, three) = tokio::join!(
            stage.says("yun", &approve),
            stage.says("bob", &approve),
            stage.says("jun_too", &approve)
        );
        let done = [one, two, three].into_iter().filter(Result::is_ok).count();
        assert_eq!(done, 1);
    }
    assert_eq!(one(&stage.owner, "SELECT count(*) FROM rowgate.rights").await, "8");
    // the policy has become stricter meanwhile
    stage.may("alice", "REQUEST ROLE auditor FOR '6 days' REASON 'x'").await;
    let mut world = stage.desk.world.watch();
    let stricter = REP.replace("raise = ", "longest = \"1 day\"\nraise = ");
    std::fs::write(stage._files.path().join("policies/roles/sales_rep.toml"), stricter).unwrap();
    let longest = || {
        stage.desk.world.current().policies.written().roles["sales_rep"]
            .temporary
            .longest
    };
    let day = Duration::from_secs(86_400);
    let taken = world.wait_for(|_| longest() == day);
    tokio::time::timeout(Duration::from_secs(10), taken)
        .await
        .unwrap()
        .unwrap();
    stage.may_not("yun", "APPROVE 9").await;
    stage.may("yun", "REJECT 9").await;
    // and nobody fills the table
    let many = "INSERT INTO rowgate.requests (login, wanted, until, reason) SELECT 'hao', 'ROLE auditor', now() + '1 h', '' FROM generate_series(1, 100)";
    stage.owner.batch_execute(many).await.unwrap();
    let refusal = stage.says("hao", "REQUEST ROLE auditor FOR '1 h' REASON 'x'").await;
    assert_eq!(
        refusal.unwrap_err().message,
        "too many of your requests wait for a decision"
    );
}

#[tokio::test]
async fn breaking_the_glass() {
    let stage = Stage::new().await;
    for no in ["RAISE", "RAISE ROLE auditor"] {
        assert_eq!(
            stage.says("alice", no).await.unwrap_err().message,
            "whoever raises themselves says why"
        );
    }
    for no in [
        "RAISE FOR '11 min' REASON 'x'",
        "RAISE ROLE sales_manager REASON 'x'",
        "GRANT ROLE auditor TO alice FOR '1 min'",
    ] {
        stage.may_not("alice", no).await;
    }
    stage.may_not("", "RAISE REASON 'x'").await;
    stage.may("alice", "RAISE REASON 'the customer is on the phone'").await;
    assert_eq!(stage.roles("alice"), ["sales_rep", "auditor"]);
    let rows = stage.says("yun", "SHOW RIGHTS OF alice").await.unwrap().rows;
    assert_eq!(rows[0][1].as_deref(), Some("raise"));
    assert_eq!(rows[0][5].as_deref(), Some("the customer is on the phone"));
    assert_eq!(stage.says("jun", "SHOW RIGHTS OF alice").await.unwrap().rows.len(), 0);
}

#[tokio::test]
async fn errors_say_what_may_have_been_meant() {
    let stage = Stage::new().await;
    for (text, message, hint, at) in [
        (
            "GRANT ROLE auditr TO alice FOR '1 h'",
            "no such role: \"auditr\"",
            "did you mean \"auditor\"?",
            11,
        ),
        (
            "GRANT ROLE auditor TO alce FOR '1 h'",
            "no such person: \"alce\"",
            "did you mean \"alice\"?",
            22,
        ),
        (
            "GRANT view ON customers SCOPE taem TO alice FOR '1 h'",
            "no such scope of table customers: \"taem\"",
            "did you mean \"team\"?",
            30,
        ),
        (
            "GRANT view ON customers(phne) TO alice FOR '1 h'",
            "no such column: \"phne\"",
            "did you mean \"phone\"?",
            24,
        ),
        (
            "GRANT veiw ON customers",
            "view, insert, edit, delete or export should stand here, not \"veiw\"",
            "did you mean \"view\"?",
            6,
        ),
        (
            "SHOW RIGHTS OF alcie",
            "no such person: \"alcie\"",
            "did you mean \"alice\"?",
            15,
        ),
        (
            "SHOW RIGHTS; SHOW PEOPLE",
            "one command is said at a time",
            "Send the next one by itself.",
            13,
        ),
        (
            "SHARE customers (1, 2) WITH alice",
            "the key of table customers is (id)",
            "Write it as customers ('…').",
            17,
        ),
        (
            "SUSPEND PERSON alice UNTIL '2001-01-01'",
            "\"2001-01-01\" is over",
            "SHOW HELP lists the commands.",
            27,
        ),
    ] {
        let refusal = stage.says("", text).await.unwrap_err();
        assert_eq!(refusal.message, message);
        assert_eq!(refusal.hint.as_deref(), Some(hint), "{text}");
        assert_eq!(refusal.offset, Some(at), "{text}");
    }
}

/// What was done is told, and what is not allowed says which part of it is not.
#[tokio::test]
async fn answers_say_what_was_done_and_refusals_what_is_too_much() {
    let stage = Stage::new().await;
    let said = stage.may("", "SUSPEND PERSON hao REASON 'lost laptop'").await;
    assert_eq!(said, "right 1: hao is suspended");
    assert_eq!(
        stage.may("", "SUSPEND ROLE auditor").await,
        "right 2: role auditor is suspended"
    );
    let said = stage.may("", "SUSPEND TABLE customers FOR '1 h'").await;
    assert!(
        said.starts_with("right 3: table customers is suspended until 2"),
        "{said}"
    );
    assert_eq!(stage.may("", "RESUME PERSON hao").await, "right 1 is ended");
    let said = stage.says("", "RESUME PERSON hao").await.unwrap_err().message.clone();
    assert_eq!(said, "hao is not suspended");
    assert_eq!(stage.may("", "REVOKE 3;").await, "right 3 is ended");
    let said = stage.may("", "SHARE customers 1 WITH TEAM 14").await;
    assert_eq!(said, "right 4: customers (1) is shared with team 14");
    stage.may("", "SHARE customers 1 WITH TEAM 14").await;
    assert_eq!(
        stage.may("", "UNSHARE customers 1 WITH TEAM 14").await,
        "right 5 is ended"
    );
    for (text, denied) in [
        (
            "DELEGATE alice TO hao FOR '90 days'",
            "have somebody stand in for so long",
        ),
        (
            "DELEGATE hao TO chloe FOR '1 h'",
            "have anybody stand in for this person",
        ),
        ("DELEGATE alice TO fiona FOR '1 h'", "have this person stand in"),
        (
            "REQUEST ROLE auditor FOR '90 days' REASON 'x'",
            "ask for this for so long",
        ),
        ("REQUEST ROLE sales_manager FOR '1 h' REASON 'x'", "ask for this"),
    ] {
        let said = stage.says("alice", text).await.unwrap_err().message.clone();
        assert_eq!(
            said,
            format!("permission denied: the policy does not let you {denied}"),
            "{text}"
        );
    }
    // why something was given is not why it has ended
    let history = stage.says("", "SHOW HISTORY OF hao").await.unwrap().rows;
    let whys: Vec<_> = history.iter().map(|row| row[6].clone().unwrap_or_default()).collect();
    assert_eq!(whys, ["lost laptop", ""]);
    // the history reads in the same words
    stage.may("", "DELEGATE alice TO hao FOR '1 h'").await;
    let history = stage.says("", "SHOW HISTORY OF hao").await.unwrap().rows;
    let words: Vec<String> = history
        .iter()
        .map(|row| row[7].clone().or_else(|| row[8].clone()).unwrap())
        .collect();
    assert_eq!(
        words[..2],
        ["right 1, suspension: PERSON hao", "right 1, suspension: PERSON hao"]
    );
    assert!(
        words[2].starts_with("right 6, delegation: rows of alice to hao until 2"),
        "{words:?}"
    );
}

#[tokio::test]
async fn nobody_is_told_of_people_whom_they_may_not_see() {
    let stage = Stage::new().await;
    let text = "DELEGATE alice TO FOR '1 h'";
    for (who, written, hint) in [
        ("alice", "haoo", Some("did you mean \"hao\"?")),
        ("alice", "xiulen", None),
        ("", "xiulen", Some("did you mean \"xiulan\"?")),
    ] {
        let refusal = stage
            .says(who, &text.replace("TO", &format!("TO {written}")))
            .await
            .unwrap_err();
        assert_eq!(refusal.message, format!("no such person: \"{written}\""));
        assert_eq!(refusal.hint.as_deref(), hint, "{who}");
    }
    let listed = stage.says("alice", "SHOW PEOPLE").await.unwrap().rows;
    let listed: Vec<_> = listed.iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(listed, ["alice", "chloe", "dong", "hao", "yun"]);
}

#[tokio::test]
async fn what_policies_say_of_temporary_rights_is_checked() {
    let database = Database::new().await;
    crate::support::rights::prepared(&database).await;
    let people =
        "[directory]\nusers = \"SELECT login, user_id, roles::text[] AS role, team_id, active FROM crm.users\"\n";
    let problems = async |tables: &str, role: &str| {
        let files = [
            ("tables.toml", tables),
            ("directory.toml", people),
            ("roles/sales_rep.toml", role),
        ];
        crate::support::policies::refused(&database, &files).await.join("\n")
    };
    let customers = "[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\n";
    let said = problems(
        customers,
        "[rights.temporary]\ngive = [\"veiw ON customers SCOPE own\", \"view ON custmers SCOPE own\", \"view ON customers SCOPE team\", \"view ON customers(phne)\", \"ROLE x\"]\n\
         to = [\"teem\"]\nshare = [\"x\"]\nlongest = \"1 fortnight\"\nrequest = [\"ROLE sales_rep\"]\napprove = []\nraise = [\"y\"]\nfoo = 1\n",
    )
    .await;
    for part in [
        "\"veiw ON customers SCOPE own\" is nothing that can be given",
        "there is no table \"custmers\" in the policies\n  hint: did you mean \"customers\"?",
        "scope \"team\" needs the team of table \"customers\"",
        "phne",
        "there is no role \"x\"",
        "\"teem\" does not say which people\n  hint: did you mean \"team\"?",
        "there is no table \"x\"",
        "\"1 fortnight\" is not a length of time",
        "\"request\" has no effect without \"approve\"",
        "there is no role \"y\"",
        "unknown key \"foo\"",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let own = "[rights]\nrelation = \"rowgate.rights\"\nkey = \"id\"\n";
    let said = problems(own, "[rights]\nfunctions = [\"rowgate.verifier\"]\n").await;
    for what in ["rights", "verifier"] {
        let message = format!("rowgate.{what} is rowgate's own: no policy opens it");
        assert!(said.contains(&message), "{said}");
    }
}

#[tokio::test]
async fn a_person_is_suspended_with_all_their_logins() {
    let stage = Stage::new().await;
    let is_in = |login: &str| stage.desk.world.current().directory.principal(login).is_some();
    let said = stage.may("yun", "SUSPEND PERSON alice REASON 'lost laptop'").await;
    assert!(
        said.ends_with("alice is suspended; so are their other logins: alice_too"),
        "{said}"
    );
    assert!(!is_in("alice") && !is_in("alice_too") && is_in("hao"));
    stage.may("bob", "RESUME PERSON alice_too").await;
    assert!(is_in("alice") && is_in("alice_too"));
}

#[tokio::test]
async fn rights_that_end_while_a_change_is_waited_for_are_in_nobodys_way() {
    let stage = Stage::new().await;
    // every other millisecond another world begins, and whoever looks first makes it
    let ends = "INSERT INTO rowgate.rights (kind, login, table_name, record, until) SELECT 'share', 'hao', 'customers', ARRAY['1'], \
        clock_timestamp() + '500 ms'::interval + n * '2 ms'::interval FROM generate_series(1, 1500) AS n";
    stage.owner.batch_execute(ends).await.unwrap();
    for _ in 0..60 {
        stage.may("yun", "GRANT ROLE auditor TO alice FOR '1 h'").await;
    }
}

#[tokio::test]
async fn what_others_do_takes_no_room_in_ones_own_history() {
    let stage = Stage::new().await;
    stage.may("alice", "REQUEST ROLE auditor FOR '1 h' REASON 'x'").await;
    let others = "INSERT INTO rowgate.rights (kind, login, role, until) \
        SELECT 'role', 'david', 'auditor', now() + '1 h'::interval FROM generate_series(1, 1100)";
    stage.owner.batch_execute(others).await.unwrap();
    for (who, lines) in [("alice", 1), ("yun", 1), ("david", 1000), ("", 1000)] {
        let rows = stage.says(who, "SHOW HISTORY").await.unwrap().rows;
        assert_eq!(rows.len(), lines, "{who}");
    }
    let all = stage.says("", "SHOW HISTORY OF david").await.unwrap().rows;
    assert_eq!(all.len(), 1100);
}

#[tokio::test]
async fn nobody_is_given_rights_without_end() {
    let stage = Stage::new().await;
    let many = "INSERT INTO rowgate.rights (kind, login, role, until, given_by) \
        SELECT 'role', 'alice', 'auditor', now() + '1 h'::interval, 'yun' FROM generate_series(1, 199)";
    stage.owner.batch_execute(many).await.unwrap();
    let give = "GRANT ROLE auditor TO alice FOR '1 h'";
    stage.may("yun", give).await;
    let refusal = stage.says("yun", give).await.unwrap_err();
    assert_eq!(
        refusal.message,
        "too many rights that you gave to this person last still"
    );
    stage.may("bob", give).await;
    stage.may("yun", "SUSPEND PERSON alice").await;
}

#[tokio::test]
async fn what_is_shared_with_ones_team_is_listed() {
    let stage = Stage::new().await;
    stage.may("", "SHARE customers 1 WITH TEAM 14").await;
    let listed = async |who: &str| stage.says(who, "SHOW RIGHTS").await.unwrap().rows.len();
    assert_eq!((listed("alice").await, listed("david").await), (1, 0));
}
