//! Would catch a mirror that writes on without the lock that keeps two of them from taking turns.

use mysql_async::prelude::Queryable;

use crate::books::compare;
use crate::lab::{Lab, wait_for};
use crate::mall::{Crowd, Mall};

/// The lock's name, and the connection that holds it.
async fn holder(lab: &Lab) -> Option<u64> {
    let name = &blake3::hash(lab.database.as_bytes()).to_hex()[..32];
    lab.row::<Option<u64>>(&format!("select is_used_lock('stockhold-mirror-{name}')")).await
}

/// Under load that never pauses nothing but writing tells the server that the mirror lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_lives_and_ends_with_the_connection_that_writes() {
    let lab = Lab::own(&[]).await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let crowd = Crowd::at(&mall, 16).await;
    crowd.answered(200).await;
    let mut admin = lab.admin().await;
    for _ in 0..3 {
        let held = holder(&lab).await.expect("the mirror holds the lock");
        let connections: Vec<u64> = lab
            .rows("select id from information_schema.processlist where user = 'stockhold'")
            .await;
        assert_eq!(
            connections,
            [held],
            "there is no other connection that could write on without it"
        );
        admin.query_drop(format!("kill {held}")).await.expect("the connection is there");
        // The server ends a connection some time after it is told to.
        let another = async || holder(&lab).await.filter(|again| *again != held);
        wait_for("the lock to be taken again", another).await;
        crowd.answered(200).await;
    }
    crowd.stop().await;
    compare(&mall, &lab).await;
}

/// Somebody else has the lock: a mirror that comes back stands by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_lost_the_lock_stands_by_until_it_is_free() {
    let lab = Lab::own(&[]).await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let held = holder(&lab).await.expect("the mirror holds the lock");
    let name = blake3::hash(lab.database.as_bytes()).to_hex()[..32].to_owned();
    let mut other = lab.admin().await;
    // The lock is waited for before it is free, so that nobody is faster.
    let waiting = tokio::spawn(async move {
        let got: Option<u8> = other
            .query_first(format!("select get_lock('stockhold-mirror-{name}', 60)"))
            .await
            .expect("the server runs");
        (got, other)
    });
    wait_for("somebody to wait for the lock", async || {
        let waits = "select count(*) from information_schema.processlist where state = 'User lock'";
        (lab.row::<u64>(waits).await == 1).then_some(())
    })
    .await;
    lab.execute(&[&format!("kill {held}")]).await;
    let (got, mut other) = waiting.await.expect("the wait ends");
    assert_eq!(got, Some(1));
    let crowd = Crowd::at(&mall, 17).await;
    mall.until("a mirror that stands by", |status| status["state"] == "standby").await;
    other.query_drop("do release_all_locks()").await.expect("the server runs");
    mall.until("a mirror that follows", |status| status["state"] == "following").await;
    crowd.stop().await;
    compare(&mall, &lab).await;
}
