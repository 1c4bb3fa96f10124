//! Would catch balances in the tables that are those of one lot of points and not of all, records that
//! do not follow from one another, and a check or a reload that tells them otherwise.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use stockhold::command::Adjust;
use stockhold::{AccountKey, Engine, Policy, Receive};

use crate::books::compare;
use crate::lab::{Lab, wait_for};
use crate::mall::{Mall, PRODUCTS, name};
use crate::support::Client;

crate::on_every_server!(the_tables_tell_points_over_all_lots);

const DAY_MS: u64 = 86_400_000;
/// A moment that has passed for everybody.
const PAST_MS: u64 = 1_700_000_000_000;

async fn the_tables_tell_points_over_all_lots(lab: Lab) {
    let mut mall = Mall::open(&lab.url()).await;
    let mut admin = mall.admin().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let now = u64::try_from(now.as_millis()).expect("a time that can be counted");
    for (points, days) in [(30, 2), (9, 1), (4_000, 3)] {
        let body = json!({"points": points, "expiresAt": now + days * DAY_MS});
        admin.post(&format!("/api/admin/points/{}/award", name(0)), body).await.data();
    }
    let mut buyer = mall.user(&name(0)).await;
    let kept = buy(&mut buyer).await;
    let cancelled = buy(&mut buyer).await;
    buyer.post(&format!("/api/mall/orders/{cancelled}/cancel"), json!({})).await.data();
    let deduct = json!({"points": 2, "reason": "x"});
    admin.post(&format!("/api/admin/points/{}/deduct", name(0)), deduct).await.data();
    compare(&mall, &lab).await;

    // Of a lot that ended long ago, seven are left over, and five came back after its end.
    mall.stop();
    let engine = Engine::builder(mall.path()).open().expect("the server has ended");
    let key = AccountKey::points_until(&name(0), PAST_MS).expect("a valid name");
    let lot = engine.open_account(&key, Policy::strict()).expect("there is room");
    engine.adjust(Adjust::new(lot, 7)).expect("it is valid").wait().expect("it is durable");
    engine.receive(Receive::new(lot, 5)).expect("it is valid").wait().expect("it is durable");
    engine.close().expect("it closes");
    mall.serve(&lab.url(), &[]);
    let expired = "select points from points_records where source = 'expire_deduct'";
    let is_there = async || (!lab.rows::<i64>(expired).await.is_empty()).then_some(());
    wait_for("the points to expire", is_there).await;
    compare(&mall, &lab).await;
    assert_eq!(lab.rows::<i64>(expired).await, [-7]);
    let moved =
        "select count(*) from points_records where source = 'admin_adjust' and abs(points) = 5";
    assert_eq!(lab.row::<u64>(moved).await, 0, "a move from lot to lot is no change");

    // An order that goes back has its points in several lots.
    let mut admin = mall.admin().await;
    let refund = format!("/api/admin/orders/{kept}/refund");
    admin.post(&refund, json!({"reason": "x", "quantity": 1})).await.data();
    compare(&mall, &lab).await;
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    admin.post(&refund, json!({"reason": "x"})).await.data();
    compare(&mall, &lab).await;
    lab.close().await;
}

async fn buy(buyer: &mut Client) -> String {
    let body = json!({"productId": PRODUCTS[0], "quantity": 2, "confirm": true});
    let made = buyer.post("/api/mall/exchange", body).await.data();
    made["orderId"].as_str().expect("a string").to_owned()
}
