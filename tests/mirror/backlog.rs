//! Would catch a journal that grows without bound for a mirror that is away, and one that forgets
//! what the tables miss without saying so.

use std::fs;

use crate::books::{compare, orders_in};
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

/// Whenever a segment is sealed the bound is passed.
const BOUND: [&str; 3] = ["--mirror-backlog-max", "1", "--mirror-backlog-policy"];
/// Both generations of the checkpoint are newer than the first of these lives then.
const LIVES: u64 = 4;

async fn sell(mall: &Mall, seed: u64) -> Vec<String> {
    let crowd = Crowd::at(mall, seed).await;
    crowd.answered(100).await;
    crowd.stop().await
}

/// A mall that sells through several lives without its database, each of which seals a segment.
async fn behind(lab: &Lab, policy: &str) -> Mall {
    let mut mall = Mall::open(&lab.url()).await;
    sell(&mall, 16).await;
    mall.mirrored().await;
    lab.proxy.down();
    for life in 0..LIVES {
        sell(&mall, 17 + life).await;
        mall.stop();
        mall.serve(&lab.url(), &[&BOUND[..], &[policy]].concat());
    }
    mall.until("a backlog that is over its bound", |status| status["backlogFull"] == true).await;
    sell(&mall, 99).await;
    mall
}

/// Removes what left the journal, as an operator may who needs the room; how many files.
fn clear_archive(mall: &Mall) -> usize {
    let Ok(files) = fs::read_dir(mall.path().join("archive")) else {
        return 0;
    };
    files
        .map(|file| fs::remove_file(file.expect("it reads").path()).expect("it may be deleted"))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_over_its_bound_that_is_kept_is_carried_over_in_full() {
    let lab = Lab::shared().await;
    let mut mall = behind(&lab, "keep").await;
    let status = mall.status().await;
    assert!(status["heldBytes"].as_u64() > Some(1), "{status}");
    let log = mall.stop();
    assert!(log.contains("the mirror is behind"), "an alarm: {log}");
    println!("kept {} bytes; {} archived files", status["heldBytes"], clear_archive(&mall));
    lab.proxy.mend();
    mall.serve(&lab.url(), &[]);
    compare(&mall, &lab).await;
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_over_its_bound_that_is_dropped_demands_a_reload() {
    let lab = Lab::shared().await;
    let mut mall = behind(&lab, "drop").await;
    let log = mall.stop();
    assert!(log.contains("the mirror is behind"), "an alarm: {log}");
    mall.serve(&lab.url(), &[&BOUND[..], &["drop"]].concat());
    mall.stop();
    let cleared = clear_archive(&mall);
    println!("{cleared} archived files");
    assert!(cleared > 0, "the journal has let go");

    lab.proxy.mend();
    mall.serve(&lab.url(), &[]);
    let status =
        mall.until("a reload to be asked for", |status| status["state"] == "reload-needed").await;
    assert!(status["lastError"].to_string().contains("stockhold mirror reload"), "{status}");
    sell(&mall, 100).await;
    mall.stop();
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.serve(&lab.url(), &[]);
    let sold = sell(&mall, 101).await;
    mall.mirrored().await;
    // What is gone is gone from the tables too; everything since is there, and how everything
    // stands.
    let shown = orders_in(&lab).await;
    assert!(
        sold.iter().all(|order| shown.contains(order)),
        "{} of {} orders",
        shown.len(),
        sold.len()
    );
    let (code, printed, log) = mall.mirror(&["check"], &lab.direct_url());
    assert_eq!(code, 0, "{printed}{log}");
    lab.close().await;
}
