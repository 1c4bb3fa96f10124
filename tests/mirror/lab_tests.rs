//! Would catch a fault of the laboratory that does not happen, and lets every other test pass.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::lab::{Lab, wait_for};
use crate::proxy::{Flow, Trap, Way};

async fn connect(lab: &Lab) -> Result<Conn, mysql_async::Error> {
    // Not by the server's socket, past the proxy.
    let opts = OptsBuilder::from_opts(Opts::from_url(&lab.url()).expect("a valid URL"))
        .prefer_socket(false);
    Conn::new(opts).await
}

async fn numbers(lab: &Lab) -> Vec<u32> {
    lab.rows("select number from numbers order by number").await
}

crate::on_every_server!(a_lost_answer_leaves_the_commit_and_a_lost_request_does_not);

async fn a_lost_answer_leaves_the_commit_and_a_lost_request_does_not(lab: Lab) {
    lab.execute(&["create table numbers (number int primary key)"]).await;
    let insert = async |number: u32| {
        let mut connection = connect(&lab).await?;
        connection.query_drop("start transaction").await?;
        connection.query_drop(format!("insert into numbers values ({number})")).await?;
        connection.query_drop("COMMIT").await
    };
    insert(1).await.expect("nothing is in the way");
    lab.proxy.set(Trap::AnswerTo(b"COMMIT"));
    insert(2).await.expect_err("the answer is lost");
    lab.proxy.set(Trap::Request(b"commit"));
    insert(3).await.expect_err("the request is lost");
    lab.proxy.until_sprung(2).await;
    assert_eq!(numbers(&lab).await, [1, 2]);
    for bytes in [0, 10, 100, 150] {
        lab.proxy.set(Trap::After(Way::ToClient, bytes));
        insert(4).await.expect_err("the greeting alone is longer, or the answers are");
        lab.proxy.set(Trap::After(Way::ToServer, bytes));
        insert(4).await.expect_err("a login and an insert are longer");
    }
    lab.proxy.until_sprung(10).await;
    assert_eq!((lab.proxy.accepted(), numbers(&lab).await), (11, vec![1, 2]));
    lab.close().await;
}

#[tokio::test]
async fn what_stalls_goes_on_and_what_is_cut_does_not() {
    let lab = Lab::shared().await;
    lab.execute(&["create table numbers (number int primary key)"]).await;
    let mut connection = connect(&lab).await.expect("nothing is in the way");
    lab.proxy.flow(Way::ToClient, Flow::Stall);
    let (answer, ()) =
        tokio::join!(connection.query_drop("insert into numbers values (7)"), async {
            wait_for("the request, whose way is open", async || {
                (numbers(&lab).await == [7]).then_some(())
            })
            .await;
            lab.proxy.flow(Way::ToClient, Flow::Delay(Duration::from_millis(1)));
        });
    answer.expect("it only came later");

    lab.proxy.down();
    connection.query_drop("select 1").await.expect_err("it was cut");
    connect(&lab).await.expect_err("nobody is let in");
    lab.proxy.mend();
    let mut connection = connect(&lab).await.expect("the way is open again");
    lab.proxy.flow(Way::ToClient, Flow::End);
    connection.query_drop("select 1").await.expect_err("there is no answer");
    lab.close().await;
}

#[tokio::test]
async fn a_server_that_is_killed_keeps_what_was_committed() {
    let mut lab = Lab::own(&[]).await;
    lab.execute(&[
        "create table numbers (number int primary key)",
        "insert into numbers values (1)",
    ])
    .await;
    let mut connection = connect(&lab).await.expect("the server runs");
    lab.server().kill();
    connection.query_drop("select 1").await.expect_err("the server is gone");
    connect(&lab).await.expect_err("the server is gone");
    lab.server().restart();
    assert_eq!(numbers(&lab).await, [1]);
    lab.server().hold_up();
    let held = tokio::time::timeout(Duration::from_millis(50), connect(&lab)).await;
    assert!(held.is_err(), "who connects waits");
    lab.server().go_on();
    connect(&lab).await.expect("it goes on");
    lab.close().await;
}

#[tokio::test]
async fn the_mirrors_user_reaches_nothing_but_its_database() {
    let lab = Lab::own(&[]).await;
    assert_eq!(lab.row::<String>("select database()").await, lab.database);
    let mut connection = connect(&lab).await.expect("it may connect");
    for statement in
        ["create database elsewhere", "set global read_only = 0", "select * from mysql.global_priv"]
    {
        connection.query_drop(statement).await.expect_err(statement);
    }
    lab.close().await;
}
