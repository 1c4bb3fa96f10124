//! Would catch a mirror that writes into somebody else's row, because a key that it knows nothing
//! of took it there.

use serde_json::json;

use crate::books::orders_in;
use crate::lab::Lab;
use crate::mall::{BUYERS, Mall, PRODUCTS, name};
use crate::on_every_server;

on_every_server!(
    no_balance_is_written_into_the_row_that_another_key_of_users_names,
    a_user_that_the_application_made_keeps_what_the_application_wrote,
    an_order_of_somebody_else_stays_theirs_through_the_ends_of_ours_and_a_reload,
);

/// What somebody else's rows hold, and what says that they are nobody's but theirs.
const STRANGER: &str = "select concat_ws('|', id, points_balance, openid, ifnull(seq, 'theirs')) from users where id = 'stranger'";
const FOREIGN: &str = "select concat_ws('|', id, order_no, user_id, quantity, points_cost, status, ifnull(state, ''), \
                       ifnull(seq, 'theirs')) from exchange_orders where id like 'foreign-%' or user_id = 'stranger' order by id";

async fn reasons(lab: &Lab, table: &str) -> Vec<(String, String)> {
    let query = "select row_id, reason from mirror_rejected where table_name = ";
    lab.rows(&format!("{query}'{table}' order by id")).await
}

async fn no_balance_is_written_into_the_row_that_another_key_of_users_names(lab: Lab) {
    let mut mall = Mall::new();
    let (code, printed, log) = mall.mirror(&["migrate"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    lab.execute(&[
        "alter table users add column openid varchar(64) not null default '', add unique key uk_openid (openid)",
        "insert into users (id, points_balance, openid) values ('stranger', 77, '')",
    ])
    .await;
    mall.serve(&lab.url(), &[]);
    mall.stock_up().await;
    mall.mirrored().await;

    let stranger: String = lab.row(STRANGER).await;
    assert_eq!(stranger, "stranger|77||theirs", "nobody's points but the stranger's");
    let refused = reasons(&lab, "users").await;
    for buyer in (0..BUYERS).map(name) {
        let reason = refused.iter().find(|(id, _)| *id == buyer);
        assert!(
            reason.is_some_and(|(_, reason)| reason.contains("uk_openid")),
            "{buyer}: {refused:?}"
        );
    }
    let status = mall.status().await;
    assert_eq!(status["state"], "following", "{status}");
    assert_eq!(status["rejectedRows"], refused.len(), "{status}");
    let shown: u64 = lab
        .row("select count(*) from points_records where seq is not null and user_id like 'buyer-%'")
        .await;
    assert_eq!(shown, BUYERS as u64, "the rest is written");

    // With keys of their own they have rows of their own, which a reload makes.
    lab.execute(&["alter table users drop index uk_openid, add key by_openid (openid)"]).await;
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.mirrored().await;
    let balance: u64 =
        lab.row("select points_balance from users where id = 'buyer-0' and seq is not null").await;
    assert_eq!(balance, 1 << 40);
    assert_eq!(lab.row::<String>(STRANGER).await, stranger);
    lab.close().await;
}

/// A row of an application's sign-up that comes between is taken, as one that came before is.
async fn a_user_that_the_application_made_keeps_what_the_application_wrote(lab: Lab) {
    let mut mall = Mall::new();
    assert_eq!(mall.mirror(&["migrate"], &lab.url()).0, 0);
    lab.execute(&[
        "alter table users add column nickname varchar(20) not null default ''",
        "insert into users (id, nickname, points_balance) values ('buyer-0', '安', 5)",
    ])
    .await;
    mall.serve(&lab.url(), &[]);
    mall.stock_up().await;
    mall.mirrored().await;
    let users: Vec<(String, String, u64)> = lab
        .rows("select id, nickname, points_balance from users where id like 'buyer-%' and seq is not null order by id")
        .await;
    assert_eq!(users.len(), BUYERS);
    assert_eq!(users[0], ("buyer-0".to_owned(), "安".to_owned(), 1 << 40));
    lab.close().await;
}

async fn an_order_of_somebody_else_stays_theirs_through_the_ends_of_ours_and_a_reload(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;

    // While the tables cannot be reached two orders are made, of which somebody else has the
    // number, or the id.
    lab.proxy.down();
    let mut ann = mall.user(&name(0)).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let order = ann
            .post("/api/mall/exchange", json!({"productId": PRODUCTS[0], "quantity": 1}))
            .await
            .data();
        let text = |field: &str| order[field].as_str().expect("a string").to_owned();
        made.push((text("orderId"), text("orderNo")));
    }
    let foreign = |id: &str, number: &str| {
        format!(
            "insert into exchange_orders (id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, \
             status, expires_at) values ('{id}', '{number}', 'stranger', 'theirs', '{{}}', 9, 99, 2, '2030-01-01')"
        )
    };
    lab.execute(&[&foreign("foreign-1", &made[0].1), &foreign(&made[1].0, "THEIR-NUMBER")]).await;
    let theirs: Vec<String> = lab.rows(FOREIGN).await;
    assert_eq!(theirs.len(), 2, "{theirs:?}");
    lab.proxy.mend();
    mall.mirrored().await;
    assert_eq!(lab.rows::<String>(FOREIGN).await, theirs, "their orders are as they were");

    // Neither the end of ours nor a reload touches them.
    for (id, _) in &made {
        ann.post(&format!("/api/mall/orders/{id}/cancel"), json!({})).await.data();
    }
    mall.mirrored().await;
    assert_eq!(lab.rows::<String>(FOREIGN).await, theirs, "their orders are as they were");
    let refused = reasons(&lab, "exchange_orders").await;
    for (id, _) in &made[..2] {
        let count = refused.iter().filter(|(refused, _)| refused == id).count();
        assert_eq!(count, 2, "its beginning and its end are set aside: {refused:?}");
    }
    assert_eq!(orders_in(&lab).await.into_iter().collect::<Vec<_>>(), [made[2].0.clone()]);

    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.mirrored().await;
    assert_eq!(lab.rows::<String>(FOREIGN).await, theirs, "their orders are as they were");
    assert_eq!(orders_in(&lab).await.into_iter().collect::<Vec<_>>(), [made[2].0.clone()]);
    lab.close().await;
}
