//! Would catch a mirror that gives up, or counts something twice, when the database makes it wait
//! or undoes its work for somebody else's locks.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::Value;

use crate::books::compare;
use crate::lab::{Lab, wait_for};
use crate::mall::{Crowd, Mall};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_given_in_time_delays_and_loses_nothing() {
    let lab = Lab::own(&[]).await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let crowd = Crowd::at(&mall, 6).await;
    for table in ["mirror_state", "exchange_orders"] {
        let mut holder = lab.admin().await;
        lock_all(&mut holder, table).await;
        let waited = |status: &Value| {
            status["state"] == "retrying" && status["lastError"].to_string().contains("1205")
        };
        mall.until("a lock that was not given", waited).await;
        crowd.answered(100).await;
        holder.query_drop("rollback").await.expect("the server runs");
        mall.mirrored().await;
    }
    crowd.stop().await;
    compare(&mall, &lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_undoes_the_mirrors_transaction_and_it_is_done_again() {
    let lab = Lab::own(&[]).await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    lab.execute(&["create table ballast (number int auto_increment primary key, what text)"]).await;
    let mut other = lab.admin().await;
    let crowd = Crowd::at(&mall, 7).await;
    const DEADLOCKS: u64 = 3;
    let mut won = 0;
    for _ in 0..20 {
        // The one that changed less is undone: not this one.
        let ballast = "insert into ballast (what) select 'x' from seq_1_to_20000";
        other.query_drop("start transaction").await.expect("the server runs");
        other.query_drop(ballast).await.expect("nobody is in the way");
        won += u64::from(cross(&lab, &mut other).await);
        other.query_drop("rollback").await.expect("the server runs");
        if won == DEADLOCKS {
            break;
        }
    }
    crowd.stop().await;
    println!(
        "{} deadlocks, {won} of them at the mirror's cost",
        status(&lab, "Innodb_deadlocks").await
    );
    assert_eq!(won, DEADLOCKS, "the mirror was in a deadlock and lost");
    compare(&mall, &lab).await;
}

/// Begins a transaction that has every row, and every place where rows would go.
async fn lock_all(holder: &mut Conn, table: &str) {
    loop {
        holder.query_drop("start transaction").await.expect("the server runs");
        match holder.query_drop(format!("select * from {table} for update")).await {
            Ok(()) => return,
            // The mirror had some of them, and wanted others.
            Err(mysql_async::Error::Server(error)) if error.code == 1213 => {}
            Err(error) => panic!("{table}: {error}"),
        }
    }
}

/// Locks the products, waits until the mirror waits for them, and then asks for what the mirror
/// has; whether it got it.
async fn cross(lab: &Lab, other: &mut Conn) -> bool {
    other.query_drop("select * from products for update").await.expect("the server runs");
    wait_for("the mirror to wait", async || {
        (status(lab, "Innodb_row_lock_current_waits").await > 0).then_some(())
    })
    .await;
    let before = status(lab, "Innodb_deadlocks").await;
    let got = other.query_drop("select * from mirror_state for update").await.is_ok();
    got && status(lab, "Innodb_deadlocks").await > before
}

async fn status(lab: &Lab, name: &str) -> u64 {
    lab.row::<(String, u64)>(&format!("show global status like '{name}'")).await.1
}
