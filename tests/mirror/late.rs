//! Would catch tables in which an order whose payment came late is over still, never was confirmed, or
//! has its units and points twice.

use stockhold::engine::DeferredTicket;
use stockhold::history::{ReservationRecord, ReservationState};
use stockhold::{Engine, Line, Reacquire, ReacquireOutcome, ReservationId, Reserve};

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

crate::on_every_server!(orders_that_are_paid_late_are_confirmed);

async fn orders_that_are_paid_late_are_confirmed(lab: Lab) {
    let mut mall = Mall::open(&lab.url()).await;
    let crowd = Crowd::at(&mall, 12).await;
    crowd.answered(150).await;
    let orders = crowd.stop().await;
    // Those that lapse are shown first; of others the tables hear at once that they lapsed and that
    // they are confirmed.
    mall.stop();
    let lapsed = with_engine(&mall, |engine| lapse(engine, &orders, 24));
    assert!(lapsed.len() > 6, "{lapsed:?}");
    mall.serve(&lab.url(), &[]);
    compare(&mall, &lab).await;
    mall.stop();
    let revived = with_engine(&mall, |engine| {
        let more = lapse(engine, &orders, 6);
        let paid = lapsed.iter().step_by(2).chain(&more);
        paid.filter(|order| is_revived(engine, **order)).count()
    });
    assert!(revived > 3, "{revived} were paid late");
    mall.serve(&lab.url(), &[]);
    compare(&mall, &lab).await;
    let paid_late = "select count(*) from exchange_orders where status = 1 and state = 'confirmed'
        and exchanged_at >= expires_at and cancelled_at is null";
    assert_eq!(lab.row::<u64>(paid_late).await, revived as u64);
    for task in ["check", "reload"] {
        let (code, printed, log) = mall.mirror(&[task], &lab.url());
        assert_eq!(code, 0, "{task}: {printed}{log}");
    }
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    compare(&mall, &lab).await;
    assert_eq!(lab.row::<u64>(paid_late).await, revived as u64);
    println!("{} lapsed, {revived} were paid late", lapsed.len());
    lab.close().await;
}

fn with_engine<T>(mall: &Mall, act: impl FnOnce(&Engine) -> T) -> T {
    let engine = Engine::builder(mall.path()).open().expect("the server has ended");
    let done = act(&engine);
    engine.close().expect("it closes");
    done
}

/// As many orders like these as there is enough for, that nobody pays in time.
fn lapse(engine: &Engine, orders: &[String], most: usize) -> Vec<ReservationId> {
    let like = orders.iter().filter_map(|order| {
        let digits = order.strip_prefix("ord_").expect("an order's id");
        let id = ReservationId::from_number(u64::from_str_radix(digits, 16).expect("a number"));
        let record = engine.history().reservation(id).expect("history reads")?;
        (record.state == ReservationState::Confirmed).then(|| again(engine, &record)).flatten()
    });
    let made: Vec<ReservationId> = like.take(most).collect();
    while made.iter().any(|order| engine.pending(*order).is_some()) {
        engine.expire_due().expect("the disk works");
    }
    made
}

fn again(engine: &Engine, record: &ReservationRecord) -> Option<ReservationId> {
    let lines = record.lines.iter();
    let lines: Vec<Line> =
        lines.map(|line| Line { account: line.account, quantity: line.quantity }).collect();
    let reserve = Reserve::new(&lines, 1).owner(record.owner).details(&record.details);
    let reserved = engine.reserve(reserve).and_then(|ticket| ticket.wait());
    Some(reserved.expect("it is durable").reserved().ok()?.reservation)
}

fn is_revived(engine: &Engine, order: ReservationId) -> bool {
    let told = engine.reacquire(Reacquire::new(order)).and_then(DeferredTicket::wait);
    matches!(told.expect("it is decided"), ReacquireOutcome::Revived { .. })
}
