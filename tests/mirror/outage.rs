//! Would catch a sale that a database in trouble slows down or refuses, and a mirror that does not
//! recover by itself.

use std::time::Duration;

use serde_json::Value;

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};
use crate::proxy::Flow;

/// Requests that must be answered while the database is in trouble.
const MEANWHILE: usize = 300;

/// Sells while the database is in trouble, and waits until the mirror says so.
async fn sell_through(what: &str, mall: &Mall, crowd: &Crowd) {
    crowd.answered(MEANWHILE).await;
    let status = mall.until(what, |status| is_in_trouble(status) && is_behind(status)).await;
    crowd.answered(MEANWHILE).await;
    println!("{what}: {} events behind, {}", status["lagEvents"], status["lastError"]);
}

fn is_in_trouble(status: &Value) -> bool {
    status["state"] == "retrying" || status["state"] == "misconfigured"
}

fn is_behind(status: &Value) -> bool {
    status["lagEvents"].as_u64().is_some_and(|events| events > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sales_go_on_whatever_the_database_does() {
    let mut lab = Lab::own(&[]).await;
    lab.server().kill();
    // Down at the start.
    let mall = Mall::open(&lab.url()).await;
    let crowd = Crowd::at(&mall, 4).await;
    sell_through("down at the start", &mall, &crowd).await;
    lab.server().restart();
    mall.mirrored().await;

    lab.server().hold_up();
    crowd.answered(MEANWHILE).await;
    mall.until("a mirror that is behind a server that does nothing", is_behind).await;
    lab.server().go_on();
    mall.mirrored().await;

    lab.proxy.flows(Flow::Delay(Duration::from_millis(20)));
    crowd.answered(MEANWHILE).await;
    mall.mirrored().await;
    lab.proxy.mend();

    lab.execute(&["set global read_only = 1"]).await;
    sell_through("read-only", &mall, &crowd).await;
    lab.execute(&["set global read_only = 0"]).await;
    mall.mirrored().await;

    lab.execute(&["rename table inventory_records to elsewhere"]).await;
    sell_through("a table is missing", &mall, &crowd).await;
    lab.execute(&["rename table elsewhere to inventory_records"]).await;
    mall.mirrored().await;

    lab.execute(&["alter user stockhold account lock"]).await;
    lab.proxy.cut();
    sell_through("the account is locked", &mall, &crowd).await;
    lab.execute(&["alter user stockhold account unlock"]).await;
    mall.mirrored().await;

    lab.proxy.down();
    sell_through("nobody is let in", &mall, &crowd).await;
    lab.proxy.mend();

    let orders = crowd.stop().await;
    let counts = compare(&mall, &lab).await;
    println!("{} orders, {counts:?}", orders.len());
}

/// Tables in one file that may not grow: no file system has to be mounted for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_is_filled_up_when_it_has_room_again() {
    let mut lab = Lab::own(&[
        "--innodb-file-per-table=0",
        "--innodb-data-file-path=ibdata1:1M:autoextend:max:16M",
    ])
    .await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let crowd = Crowd::at(&mall, 5).await;
    let status = mall
        .until("a full database", |status| status["lastError"].to_string().contains("full"))
        .await;
    println!("full at {}: {}", status["seq"], status["lastError"]);
    crowd.answered(MEANWHILE).await;
    lab.server().restart_with(&[
        "--innodb-file-per-table=0",
        "--innodb-data-file-path=ibdata1:1M:autoextend:max:1G",
    ]);
    crowd.stop().await;
    compare(&mall, &lab).await;
}
