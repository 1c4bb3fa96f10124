//! Would catch an event that counts twice or not at all because one side died in the middle of
//! something.

use crate::books::{compare, orders_in};
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

const ROUNDS: u64 = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_side_dies_over_and_over_and_the_tables_equal_the_journal() {
    let mut lab = Lab::own(&[]).await;
    let mut mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let (mut answered, mut behind) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let crowd = Crowd::at(&mall, round).await;
        crowd.answered(200).await;
        match round % 3 {
            // The mall, in the middle of a batch or between two.
            0 => {
                mall.kill();
                answered.extend(crowd.stop().await);
                mall.serve(&lab.url(), &[]);
            }
            // The database, while the mall goes on.
            1 => {
                lab.server().kill();
                crowd.answered(200).await;
                lab.server().restart();
                crowd.answered(200).await;
                answered.extend(crowd.stop().await);
            }
            // Both, and the mall comes back before the database.
            _ => {
                lab.server().kill();
                crowd.answered(200).await;
                mall.kill();
                answered.extend(crowd.stop().await);
                mall.serve(&lab.url(), &[]);
                let crowd = Crowd::at(&mall, ROUNDS + round).await;
                crowd.answered(200).await;
                lab.server().restart();
                answered.extend(crowd.stop().await);
            }
        }
        behind += usize::from(orders_in(&lab).await.len() < answered.len());
    }
    let counts = compare(&mall, &lab).await;
    let shown = orders_in(&lab).await;
    let lost: Vec<_> = answered.iter().filter(|order| !shown.contains(*order)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} answered orders are not there: {:?}",
        lost.len(),
        answered.len(),
        lost[0]
    );
    println!(
        "{ROUNDS} rounds, behind after {behind} of them, {} orders answered, {counts:?}",
        answered.len()
    );
    assert!(behind > 0, "a mirror that was never behind was never in the middle of anything");
}
