//! Would catch two mirrors that write side by side, and one that writes on after another has taken
//! over.

use std::process::Command;

use crate::books::{compare, orders_in};
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};
use crate::proxy::Proxy;

/// A second mall on a copy of what the first has, which rests and is mirrored: both have the same
/// ledger.
async fn twin(mall: &Mall) -> Mall {
    mall.mirrored().await;
    let twin = Mall::new();
    let copied = Command::new("cp").arg("-a").arg(mall.path().join(".")).arg(twin.path()).status();
    assert!(copied.expect("cp runs").success());
    twin
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_directory_waits_and_never_takes_turns_with_the_first() {
    let lab = Lab::shared().await;
    let mut first = Mall::open(&lab.url()).await;
    let mut second = twin(&first).await;
    second.serve(&lab.direct_url(), &[]);
    second.until("a mirror that stands by", |status| status["state"] == "standby").await;

    // It stands by, though its mall sells.
    sell(&second, 8).await;
    assert_eq!(second.status().await["state"], "standby");
    assert!(orders_in(&lab).await.is_empty(), "the first has sold nothing");
    assert_eq!(first.status().await["state"], "following");

    // The end of the first, or of its connection, makes no room for it.
    lab.proxy.down();
    first.kill();
    second
        .until("the second to see whose the tables are", |status| {
            status["state"] == "misconfigured"
        })
        .await;
    assert!(orders_in(&lab).await.is_empty(), "it has written nothing");
    lab.proxy.mend();
    first.serve(&lab.url(), &[]);
    let sold = sell(&first, 9).await;
    let counts = compare(&first, &lab).await;
    assert_eq!(counts.orders, sold.len());
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_mirror_cannot_write_after_another_has_taken_over() {
    let lab = Lab::shared().await;
    let first = Mall::open(&lab.url()).await;
    let mut second = twin(&first).await;
    let way = Proxy::before(lab.address()).await;
    second.serve(&lab.url_by(&way), &[]);
    second.until("a mirror that stands by", |status| status["state"] == "standby").await;

    // The first cannot reach the database for a while, and sells what it cannot mirror. An operator
    // gives it to the second.
    lab.proxy.down();
    let (code, printed, log) = second.mirror(&["reload", "--adopt"], &lab.direct_url());
    assert_eq!(code, 0, "{printed}{log}");
    second.until("the second to take over", |status| status["state"] == "following").await;
    sell(&first, 9).await;
    let sold = sell(&second, 10).await;
    second.mirrored().await;
    let shown = orders_in(&lab).await;
    assert_eq!(shown.len(), sold.len());

    // Then it comes back, and the second is away: the tables are another's than its own.
    lab.proxy.mend();
    first.until("the first to stand by", |status| status["state"] == "standby").await;
    way.down();
    first
        .until("the first to see that it is stale", |status| status["state"] == "misconfigured")
        .await;
    assert_eq!(orders_in(&lab).await, shown, "it has written nothing");
    let (code, printed, log) = first.mirror(&["check"], &lab.direct_url());
    assert_ne!(code, 0, "its ledger and the tables differ: {printed}{log}");

    way.mend();
    second.until("the second to go on", |status| status["state"] == "following").await;
    sell(&second, 11).await;
    compare(&second, &lab).await;
    lab.close().await;
}

/// The copy is older than the tables: what they show is not in its journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_whose_journal_ends_before_the_tables_do_writes_nothing() {
    let lab = Lab::shared().await;
    let mut first = Mall::open(&lab.url()).await;
    let mut second = twin(&first).await;
    sell(&first, 12).await;
    first.mirrored().await;
    first.kill();
    let shown = orders_in(&lab).await;
    second.serve(&lab.direct_url(), &[]);
    second
        .until("the second to see that it is another", |status| status["state"] == "misconfigured")
        .await;
    sell(&second, 13).await;
    assert_eq!(orders_in(&lab).await, shown, "it has written nothing");
    assert_eq!(second.status().await["state"], "misconfigured");
    lab.close().await;
}

/// Sells some; the orders.
async fn sell(mall: &Mall, seed: u64) -> Vec<String> {
    let crowd = Crowd::at(mall, seed).await;
    crowd.answered(100).await;
    crowd.stop().await
}
