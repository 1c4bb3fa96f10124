//! Would catch a state that says the wrong thing: that the mirror comes back by itself where only
//! an operator can help, or the other way round.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts};
use serde_json::Value;

use crate::db_errors::{MEANINGS, Meaning, meaning};
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};
use crate::on_every_server;

on_every_server!(
    every_number_of_the_table_is_understood_as_a_server_says_it,
    what_a_server_refuses_is_told_apart_by_what_would_help,
);
on_every_server!(
    own: a_state_says_whether_somebody_must_help_and_where,
    a_wrong_password_is_not_tried_again_at_once,
    the_rights_that_are_documented_are_enough_and_fewer_do_once_the_tables_are_made,
);

fn code(error: &Error) -> u16 {
    match error {
        Error::Server(error) => error.code,
        other => panic!("{other}"),
    }
}

async fn fails(conn: &mut Conn, statement: &str) -> Error {
    conn.query_drop(statement).await.expect_err(statement)
}

/// A server says any number that a statement asks it for; it says it as it says its own.
async fn every_number_of_the_table_is_understood_as_a_server_says_it(lab: Lab) {
    let mut conn = lab.admin().await;
    for (number, expected) in MEANINGS {
        let signal = format!(
            "signal sqlstate 'HY000' set mysql_errno = {number}, message_text = 'as asked'"
        );
        let error = fails(&mut conn, &signal).await;
        assert_eq!((code(&error), meaning(&error)), (number, expected), "{error}");
    }
    drop(conn);
    lab.close().await;
}

/// What servers say of their own: a statement each, with the numbers that they may call it by.
const CAUSES: [(&str, &[u16], Meaning); 15] = [
    ("select * from nowhere", &[1146], Meaning::Operator),
    ("select nothing from cause", &[1054], Meaning::Operator),
    ("insert into cause (id) values (1)", &[1364], Meaning::Operator),
    ("insert into cause (id, n) values (1, null)", &[1048], Meaning::Row),
    ("insert into cause (id, n) values (0, 1)", &[1062], Meaning::Row),
    ("insert into cause (id, n) values (1, 1000)", &[1264], Meaning::Row),
    ("insert into cause (id, n, t) values (1, 1, 'too long')", &[1406], Meaning::Row),
    ("insert into cause (id, n, d) values (1, 1, 'no day')", &[1292], Meaning::Row),
    ("insert into cause (id, n) values (1, 100)", &[3819, 4025], Meaning::Row),
    ("insert into child (id, parent) values (1, 7)", &[1452], Meaning::Row),
    ("alter table cause modify id varchar(3)", &[1833, 3780], Meaning::Operator),
    ("alter table seen add column n int", &[1347], Meaning::Operator),
    ("update cause set n = 2", &[1175], Meaning::Operator),
    ("selekt 1", &[1064], Meaning::Operator),
    ("use nowhere", &[1049], Meaning::Operator),
];

async fn what_a_server_refuses_is_told_apart_by_what_would_help(lab: Lab) {
    let mut conn = lab.admin().await;
    for statement in [
        "set sql_safe_updates = 1, sql_mode = 'STRICT_ALL_TABLES'",
        "create table cause (id int primary key, n tinyint not null check (n <> 100), t varchar(2), d date)",
        "create table child (id int primary key, parent int, foreign key (parent) references cause (id))",
        "create view seen as select * from cause",
        "insert into cause (id, n) values (0, 1)",
    ] {
        conn.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    for (statement, numbers, expected) in CAUSES {
        let error = fails(&mut conn, statement).await;
        assert!(numbers.contains(&code(&error)), "{statement}: {error}");
        assert_eq!(meaning(&error), expected, "{statement}: {error}");
    }
    drop(conn);
    lab.close().await;
}

/// What happens to an account or a server, what it takes to undo it, the numbers of servers for it,
/// and the state.
const TROUBLES: [(&str, &str, &[&str], &str); 7] = [
    (
        "revoke all on `stockhold\\_%`.* from stockhold",
        "grant all on `stockhold\\_%`.* to stockhold",
        &["1044"],
        "misconfigured",
    ),
    (
        "alter user stockhold account lock",
        "alter user stockhold account unlock",
        &["4151", "3118"],
        "misconfigured",
    ),
    (
        "alter user stockhold password expire",
        "alter user stockhold identified by 'open/sesame%1:@'",
        &["1820", "1862"],
        "misconfigured",
    ),
    (
        "alter user stockhold identified by 'another'",
        "alter user stockhold identified by 'open/sesame%1:@'",
        &["1045"],
        "misconfigured",
    ),
    (
        "set global require_secure_transport = 1",
        "set global require_secure_transport = 0",
        &["3159", "1045"],
        "misconfigured",
    ),
    ("set global read_only = 1", "set global read_only = 0", &["1290", "1836"], "retrying"),
    (
        "alter user stockhold with max_user_connections 1",
        "alter user stockhold with max_user_connections 0",
        &[],
        "",
    ),
];

async fn a_state_says_whether_somebody_must_help_and_where(lab: Lab) {
    for (trouble, mended, numbers, state) in TROUBLES {
        // One connection is all it takes: the account allows no other.
        let mut admin = lab.admin().await;
        let mut mall = Mall::open(&lab.url()).await;
        mall.mirrored().await;
        admin.query_drop(trouble).await.unwrap_or_else(|error| panic!("{trouble}: {error}"));
        lab.proxy.cut();
        let crowd = Crowd::at(&mall, 70).await;
        if state.is_empty() {
            crowd.answered(50).await;
            mall.mirrored().await;
        } else {
            let is = |status: &Value| {
                let error = status["lastError"].to_string();
                status["state"] == state
                    && numbers.iter().any(|number| error.contains(&format!("ERROR {number} ")))
            };
            let status = mall.until(trouble, is).await;
            let place = format!("on {}", lab.proxy.address);
            assert!(status["lastError"].to_string().contains(&place), "{status}");
        }
        crowd.stop().await;
        admin.query_drop(mended).await.unwrap_or_else(|error| panic!("{mended}: {error}"));
        mall.stop();
        // The next mall is another ledger.
        lab.execute(&[
            &format!("drop database {0}", lab.database),
            &format!("create database {0}", lab.database),
        ])
        .await;
    }
}

/// However long the mirror tries, an account is not blocked for its tries.
async fn a_wrong_password_is_not_tried_again_at_once(lab: Lab) {
    let mut admin = lab.admin().await;
    admin
        .query_drop("alter user stockhold identified by 'another'")
        .await
        .expect("a right of an administrator");
    let before = failed_logins(&lab).await;
    let mut mall = Mall::new();
    mall.serve(&lab.url(), &[]);
    mall.until("a refused login", |status| status["state"] == "misconfigured").await;
    mall.stock_up().await;
    let crowd = Crowd::at(&mall, 71).await;
    crowd.answered(500).await;
    crowd.stop().await;
    assert_eq!(failed_logins(&lab).await - before, 1, "one try so far");
    let log = mall.stop();
    let (_, wait) = log.split_once("next_try_ms=").expect("the log says when it tries again");
    let wait_ms: String = wait.chars().take_while(char::is_ascii_digit).collect();
    assert!(wait_ms.parse::<u64>().expect("a number") >= 42_000, "{log}");
}

async fn failed_logins(lab: &Lab) -> u64 {
    lab.row::<(String, String)>("show global status like 'Aborted_connects'")
        .await
        .1
        .parse()
        .expect("a number")
}

/// A server that does nothing is not one that the mirror follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_moves_and_the_state_says_so_long_before_the_connection_is_given_up() {
    let mut lab = Lab::own(&[]).await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    lab.server().hold_up();
    let crowd = Crowd::at(&mall, 72).await;
    crowd.answered(50).await;
    let stalls = |status: &Value| {
        status["state"] == "retrying" && status["lastError"].to_string().contains("in 5 s yet")
    };
    mall.until("a batch that is not written", stalls).await;
    lab.server().go_on();
    crowd.stop().await;
    mall.mirrored().await;
    assert_eq!(mall.status().await["state"], "following");
}

/// Exactly what docs/mirror.md says a user needs.
async fn the_rights_that_are_documented_are_enough_and_fewer_do_once_the_tables_are_made(lab: Lab) {
    let on = format!("`{}`.*", lab.database);
    lab.execute(&["revoke all on `stockhold\\_%`.* from stockhold"]).await;
    lab.execute(&[&format!(
        "grant select, insert, update, delete, create, alter on {on} to stockhold"
    )])
    .await;
    let mut mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    mall.stop();
    lab.execute(&[&format!("revoke create, alter on {on} from stockhold")]).await;
    mall.serve(&lab.url(), &[]);
    let crowd = Crowd::at(&mall, 73).await;
    crowd.answered(50).await;
    crowd.stop().await;
    mall.mirrored().await;
    // A reload makes tables of its own, and removes them.
    lab.execute(&[&format!("grant create, drop on {on} to stockhold")]).await;
    for command in ["reload", "check", "status"] {
        let (code, printed, log) = mall.mirror(&[command], &lab.url());
        assert_eq!(code, 0, "{command}: {printed}{log}");
    }
    // Without them and DELETE all but a reload works.
    lab.execute(&[&format!("revoke create, drop, delete on {on} from stockhold")]).await;
    lab.proxy.cut();
    let crowd = Crowd::at(&mall, 74).await;
    crowd.answered(50).await;
    crowd.stop().await;
    mall.mirrored().await;
}

/// The user's own connection, as a URL of the mirror has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_blocked_or_a_login_refused_is_about_the_login() {
    let lab = Lab::shared().await;
    let url = lab.direct_url().replace("stockhold:", "nobody:");
    let error =
        Conn::new(Opts::from_url(&url).expect("a valid URL")).await.expect_err("nobody is let in");
    assert_eq!((code(&error), meaning(&error)), (1045, Meaning::Login), "{error}");
    lab.close().await;
}
