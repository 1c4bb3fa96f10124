//! Would catch a mirror that takes a commit for failed because its answer was lost, or for done
//! because it was sent.

use std::time::Duration;

use crate::books::{compare, look};
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};
use crate::proxy::{Flow, Trap, Way};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_anywhere_counts_nothing_twice_and_loses_nothing() {
    let lab = Lab::shared().await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let crowd = Crowd::at(&mall, 1).await;
    let mut admin = lab.admin().await;
    // In the middle of the work, and then on a connection that begins: statements are sent as text
    // there, once.
    let commits = [Trap::AnswerTo(b"COMMIT"), Trap::Request(b"COMMIT")];
    let statements =
        [Trap::Request(b"INSERT"), Trap::AnswerTo(b"INSERT"), Trap::AnswerTo(b"mirror_state")];
    let bytes =
        [0, 1, 77, 400, 2_000, 9_000, 30_000].map(|bytes| Trap::After(Way::ToServer, bytes));
    let answers = [0, 1, 9, 60, 300, 1_000].map(|bytes| Trap::After(Way::ToClient, bytes));
    let anywhere = [&commits[..], &bytes, &answers].concat();
    let traps = anywhere
        .iter()
        .map(|&trap| (trap, false))
        .chain(anywhere.iter().chain(&statements).map(|&trap| (trap, true)));
    let traps: Vec<_> = traps.collect();
    let mut watermark = 0;
    for (at, &(trap, begins)) in traps.iter().enumerate() {
        if begins {
            lab.proxy.cut();
        }
        lab.proxy.set(trap);
        lab.proxy.until_sprung(at + 1).await;
        mall.mirrored().await;
        let seen = look(&mut admin).await;
        assert!(
            seen.0 > watermark,
            "{trap:?}: the mirror went on, and {seen:?} is not above {watermark}"
        );
        watermark = seen.0;
    }
    let orders = crowd.stop().await;
    let counts = compare(&mall, &lab).await;
    println!("{} traps, {} orders, {counts:?}", traps.len(), orders.len());
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_ends_on_one_side_stalls_or_is_slow_delays_and_loses_nothing() {
    let lab = Lab::shared().await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let crowd = Crowd::at(&mall, 2).await;
    let slow = Flow::Delay(Duration::from_millis(3));
    for flow in [Flow::End, Flow::Stall, slow, Flow::End, Flow::Stall] {
        for way in [Way::ToServer, Way::ToClient] {
            lab.proxy.flow(way, flow);
            // Sales do not notice.
            crowd.answered(100).await;
            lab.proxy.mend();
            mall.mirrored().await;
        }
    }
    let orders = crowd.stop().await;
    let counts = compare(&mall, &lab).await;
    println!("{} orders, {counts:?}", orders.len());
    lab.close().await;
}
