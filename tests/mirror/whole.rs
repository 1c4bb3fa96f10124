//! Would catch a report that sees half an exchange: an order without its points, a product's stock
//! without its orders.

use crate::books::{compare, look};
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

const LOOKS: usize = 25;

crate::on_every_server!(a_report_never_sees_half_an_exchange);

async fn a_report_never_sees_half_an_exchange(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let crowd = Crowd::at(&mall, 3).await;
    let mut admin = lab.admin().await;
    let mut marks = Vec::new();
    while marks.len() < LOOKS {
        let (watermark, orders) = look(&mut admin).await;
        if marks.last().is_none_or(|&(last, _)| last < watermark) {
            marks.push((watermark, orders));
        }
    }
    crowd.stop().await;
    compare(&mall, &lab).await;
    println!(
        "{LOOKS} looks at different watermarks, from {:?} to {:?} (watermark, orders)",
        marks[0],
        marks[LOOKS - 1]
    );
    assert!(marks[0].1 < marks[LOOKS - 1].1, "orders came in between the looks");
    lab.close().await;
}
