//! What newer servers can do to a table that is protected; on an older one each is PostgreSQL's own error.
use crate::support::raw::{Raw, startup};
use crate::support::{Database, failure, one, policies, rows};

const DIRECTORY: &str = "[directory]\nusers = \"SELECT login, user_id, ARRAY['reader'] AS role FROM crm.users\"\n";

const TABLES: &str = "[defaults]\nunprotected = \"denied\"\ncolumns = \"clear\"\n\
    [deals]\nrelation = \"public.deals\"\nkey = \"id\"\nowner = \"owner_id\"\n";

/// Alice is number 36.
const READER: &str = "title = \"Reader\"\n[deals]\nview = [\"own\"]\nedit = [\"own\"]\n[deals.columns]\n\
    secret = { mask = \"fixed\", value = \"-1\" }\nhidden = \"hidden\"\n";

async fn major(database: &Database) -> u32 {
    let number = one(&database.superuser().await, "SHOW server_version_num").await;
    number.parse::<u32>().unwrap() / 10_000
}

/// A virtual column raises when it is read, and it is not computed before that.
#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_column_is_computed_on_rows_in_scope() {
    let database = Database::new().await;
    let made = "CREATE TABLE deals (id int PRIMARY KEY, owner_id int, amount int, secret int, hidden int,
            share int GENERATED ALWAYS AS (100 / amount) VIRTUAL,
            twice int GENERATED ALWAYS AS (secret * 2) VIRTUAL,
            shown int GENERATED ALWAYS AS (hidden + 1) VIRTUAL,
            stored int GENERATED ALWAYS AS (amount + 1) STORED);
        INSERT INTO deals VALUES (1, 36, 4, 77001, 88001), (2, 37, 0, 77002, 88002), (3, 37, 5, 77003, 88003), (4, NULL, 0, 1, 2);
        GRANT ALL ON deals TO rowgate";
    let superuser = database.superuser().await;
    let answer = superuser.batch_execute(made).await;
    if major(&database).await < 18 {
        assert_eq!(answer.unwrap_err().code().unwrap().code(), "42601");
        return;
    }
    answer.unwrap();
    let place = policies::directory(&[
        ("tables.toml", TABLES),
        ("roles/reader.toml", READER),
        ("directory.toml", DIRECTORY),
    ]);
    let front = database.rowgate_with(place.path()).await;
    let alice = database.through(&front, "alice").await;
    assert_eq!(
        rows(&alice, "SELECT id, share, stored FROM deals").await,
        [[Some("1".to_owned()), Some("25".to_owned()), Some("5".to_owned())]]
    );
    for sql in [
        "SELECT count(*) FROM deals WHERE share > 3",
        "SELECT count(*) FROM deals WHERE id = 2 OR share = 25",
        "SELECT count(*) FROM deals AS d JOIN generate_series(1, 30) AS g ON d.share = g",
        "SELECT count(*) FROM deals AS a JOIN deals AS b USING (share)",
        "SELECT count(*) FROM (SELECT * FROM deals) AS s WHERE s.share + 1 > 3",
        "SELECT count(*) FROM generate_series(1, 30) AS g WHERE g IN (SELECT share FROM deals)",
        "SELECT count(*) FROM (SELECT DISTINCT share FROM deals UNION SELECT share FROM deals) AS s",
        "SELECT max(x.n) FROM (SELECT count(*) OVER (PARTITION BY share) AS n FROM deals) AS x WHERE x.n > 0",
        "SELECT count(*) FROM deals WHERE (deals).share IS NOT NULL AND share(deals) > 0",
        "SELECT count(*) FROM deals AS d WHERE row_to_json(d)::text LIKE '%25%'",
    ] {
        assert_eq!(rows(&alice, sql).await, [[Some("1".to_owned())]], "{sql}");
    }
    // it follows the mask of what it is computed from, and is hidden with it
    assert_eq!(
        one(
            &alice,
            "SELECT max(secret + twice) FROM deals WHERE twice < 0 OR twice IS NULL"
        )
        .await,
        ""
    );
    let seen = rows(&alice, "SELECT * FROM deals").await;
    assert!(
        !format!("{seen:?}").contains("7700") && !format!("{seen:?}").contains("154002"),
        "{seen:?}"
    );
    assert_eq!(failure(&alice, "SELECT shown FROM deals").await.0, "42703");
    assert_eq!(failure(&alice, "SELECT hidden FROM deals").await.0, "42703");
    // the condition of a write reads no other rows either
    let written = "UPDATE deals SET amount = 20 WHERE share > 0 RETURNING share, shown";
    assert_eq!(failure(&alice, written).await.0, "42703");
    assert_eq!(
        rows(&alice, "UPDATE deals SET amount = 20 WHERE share > 0 RETURNING share").await,
        [[Some("5".to_owned())]]
    );
    assert_eq!(
        one(
            &superuser,
            "SELECT string_agg(amount::text, ' ' ORDER BY id) FROM deals"
        )
        .await,
        "20 0 5 0"
    );
    front.stop().await;
}

/// Protocol 3.2, which libpq 18 can ask for, is spoken; what is newer or unknown is negotiated down.
#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_version_is_negotiated() {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let name = database.name.as_str();
    let plain = [("user", "alice"), ("database", name)];
    let with_option = [("user", "alice"), ("database", name), ("_pq_.unheard_of", "1")];
    for (minor, parameters, answer) in [
        (0_u16, &plain[..], None),
        (2, &plain[..], None),
        (9999, &plain[..], Some("v 0003 0002 00000000")),
        (0, &with_option[..], Some("v 0003 0000 00000001 _pq_.unheard_of")),
        (2, &with_option[..], Some("v 0003 0002 00000001 _pq_.unheard_of")),
    ] {
        let mut packet = startup(parameters);
        packet[6..8].copy_from_slice(&minor.to_be_bytes());
        let mut raw = Raw::open(front.port()).await;
        raw.send(&packet).await;
        let (mut tag, mut body) = raw.message().await.unwrap();
        if let Some(answer) = answer {
            let hex =
                |range: std::ops::Range<usize>| body[range].iter().map(|b| format!("{b:02x}")).collect::<String>();
            let option = String::from_utf8_lossy(&body[8..]).replace('\0', "");
            let said = format!("{} {} {} {} {option}", tag as char, hex(0..2), hex(2..4), hex(4..8));
            assert_eq!(said.trim_end(), answer);
            (tag, body) = raw.message().await.unwrap();
        }
        assert_eq!((tag, body[3]), (b'R', 10), "authentication by SCRAM follows");
    }
    front.stop().await;
}
