//! Would catch tables that do not add up for orders of which some went back: units that broke and are
//! in stock again, sales that were none, an order that is over too early or never.

use stockhold::engine::RefundTicket;
use stockhold::history::{ReservationRecord, ReservationState};
use stockhold::{AccountId, AccountKind, Engine, Line, Refund, RefundOutcome, ReservationId};

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

crate::on_every_server!(orders_that_went_back_in_parts_add_up);

async fn orders_that_went_back_in_parts_add_up(lab: Lab) {
    let mut mall = Mall::open(&lab.url()).await;
    let crowd = Crowd::at(&mall, 11).await;
    crowd.answered(150).await;
    let orders = crowd.stop().await;
    let mut refunds = 0;
    for round in 0..3 {
        mall.stop();
        refunds += give_some_back(&mall, &orders, round);
        mall.serve(&lab.url(), &[]);
        compare(&mall, &lab).await;
    }
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    compare(&mall, &lab).await;
    let in_parts = |status: &str| {
        format!(
            "select count(*) from exchange_orders where returned_points > 0 and status = {status}"
        )
    };
    let standing: u64 = lab.row(&in_parts("1")).await;
    let over: u64 = lab.row(&in_parts("-1")).await;
    assert!(standing > 3 && over > 3, "{standing} stand still, {over} are over");
    println!("{refunds} refunds, {standing} orders stand still, {over} are over");
    lab.close().await;
}

/// Of every second order that is confirmed: half of what is left, and the goods are broken; half of
/// the points, and again; half of the points and then everything else.
fn give_some_back(mall: &Mall, orders: &[String], round: usize) -> usize {
    let engine = Engine::builder(mall.path()).open().expect("the server has ended");
    let mut refunds = 0;
    for (number, order) in orders.iter().enumerate() {
        let digits = order.strip_prefix("ord_").expect("an order's id");
        let id = u64::from_str_radix(digits, 16).expect("a number");
        let record = engine.history().reservation(ReservationId::from_number(id));
        let Some(record) = record.expect("history reads").filter(is_standing) else {
            continue;
        };
        let kind = |line: &Line| engine.level(line.account).expect("it is open").key.kind();
        let all = half(&record);
        let points: Vec<Line> =
            all.iter().copied().filter(|line| kind(line) == AccountKind::Points).collect();
        let goods = all.iter().filter(|line| kind(line) == AccountKind::Stock);
        let goods: Vec<AccountId> = goods.map(|line| line.account).collect();
        let refund = Refund::new(record.reservation).note("退货");
        let refund = match (number % 6, round) {
            (0, _) => refund.part(&all).written_off(&goods),
            (2, _) | (4, 0) => refund.part(&points),
            (4, _) => refund,
            _ => continue,
        };
        let refunded = engine.refund(refund).and_then(RefundTicket::wait).expect("it is durable");
        assert!(
            matches!(
                refunded,
                RefundOutcome::Returned { .. } | RefundOutcome::ReturnedInPart { .. }
            ),
            "{refunded:?}"
        );
        refunds += 1;
    }
    engine.close().expect("it closes");
    refunds
}

fn is_standing(record: &ReservationRecord) -> bool {
    record.state == ReservationState::Confirmed
}

/// Half of what is left of each line, rounded up.
fn half(record: &ReservationRecord) -> Vec<Line> {
    let lines = record.lines.iter().map(|line| Line {
        account: line.account,
        quantity: (line.consumed - line.returned).div_ceil(2),
    });
    lines.filter(|line| line.quantity > 0).collect()
}
