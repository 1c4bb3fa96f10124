//! Would catch one row that the database refuses and that stops all the others, or that is dropped
//! without a word.

use crate::books::{compare, orders_in};
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

/// Somebody's rule that the ledger knows nothing of.
const RULE: &str = "create trigger no_twos before insert on exchange_orders for each row
  if new.quantity = 2 then signal sqlstate '45000' set message_text = 'no twos here'; end if";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_refused_is_set_aside_with_its_reason_and_the_rest_goes_on() {
    let lab = Lab::shared().await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    lab.execute(&[RULE]).await;
    let crowd = Crowd::at(&mall, 15).await;
    crowd.answered(400).await;
    let sold = crowd.stop().await;
    mall.mirrored().await;

    let shown = orders_in(&lab).await;
    let refused: Vec<(String, String, String)> = lab
        .rows("select distinct row_id, content, reason from mirror_rejected where table_name = 'exchange_orders'")
        .await;
    for (id, content, reason) in &refused {
        assert!(
            reason.contains("no twos here") && content.contains(id) && !shown.contains(id),
            "{id}: {reason}"
        );
    }
    let missing = sold.iter().filter(|id| !shown.contains(*id)).count();
    println!("{} orders, {missing} of them refused", sold.len());
    assert!(missing > 0 && missing < sold.len());
    assert!(
        sold.iter()
            .all(|id| shown.contains(id) || refused.iter().any(|(refused, ..)| refused == id))
    );
    let twos: u64 = lab.row("select count(*) from exchange_orders where quantity = 2").await;
    assert_eq!(twos, 0);
    let status = mall.status().await;
    assert_eq!(status["rejectedRows"], refused_count(&lab).await, "{status}");
    let (code, printed, log) = mall.mirror(&["check"], &lab.direct_url());
    let named = refused.iter().find(|(id, ..)| printed.contains(id.as_str()));
    assert!(code == 2 && named.is_some(), "the check tells what is missing: {printed}{log}");

    // The rule goes, and a reload mends it, while the mall sells.
    lab.execute(&["drop trigger no_twos"]).await;
    let crowd = Crowd::at(&mall, 115).await;
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    let more = crowd.stop().await;
    let counts = compare(&mall, &lab).await;
    assert_eq!(counts.orders, sold.len() + more.len());
    lab.close().await;
}

async fn refused_count(lab: &Lab) -> u64 {
    lab.row("select count(*) from mirror_rejected").await
}
