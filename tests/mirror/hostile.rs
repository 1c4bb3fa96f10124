//! Would catch a mirror that means something else under the defaults that an operator chose for an application.

use serde_json::json;

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall, PRODUCTS, name};

/// Defaults that change what statements mean, or end them; each with what they are set to on a server that knows them.
const DEFAULTS: [(&str, &str); 17] = [
    ("autocommit", "0"),
    ("completion_type", "'CHAIN'"),
    ("completion_type", "'RELEASE'"),
    ("sql_safe_updates", "1"),
    ("sql_select_limit", "1"),
    ("sql_select_limit", "0"),
    ("sql_mode", "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION'"),
    ("sql_auto_is_null", "1"),
    ("max_join_size", "1"),
    ("lock_wait_timeout", "1"),
    ("wait_timeout", "1"),
    ("transaction_isolation", "'SERIALIZABLE'"),
    ("tx_isolation", "'READ-UNCOMMITTED'"),
    ("transaction_read_only", "1"),
    ("tx_read_only", "1"),
    ("max_statement_time", "0.000001"),
    ("max_execution_time", "1"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_defaults_are_the_tables_are_filled_reloaded_and_compared() {
    let lab = Lab::own(&[]).await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let mut tried = Vec::new();
    for (number, (variable, value)) in DEFAULTS.into_iter().enumerate() {
        let known: u64 =
            lab.rows::<(String, String)>(&format!("show global variables like '{variable}'")).await.len() as u64;
        if known == 0 {
            continue;
        }
        let (_, before) = lab.row::<(String, String)>(&format!("show global variables like '{variable}'")).await;
        // The connection that sets it back was there before.
        let mut admin = lab.admin().await;
        use mysql_async::prelude::Queryable;
        admin.query_drop(format!("set global {variable} = {value}")).await.expect(variable);
        lab.proxy.cut();
        let crowd = Crowd::at(&mall, 40 + number as u64).await;
        crowd.answered(60).await;
        crowd.stop().await;
        mall.mirrored().await;
        let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
        assert_eq!(code, 0, "{variable} = {value}: {printed}{log}");
        let (code, printed, log) = mall.mirror(&["check"], &lab.url());
        assert_eq!(code, 0, "{variable} = {value}: {printed}{log}");
        mall.mirrored().await;
        let before = if before.parse::<f64>().is_ok() { before } else { format!("'{before}'") };
        admin.query_drop(format!("set global {variable} = {before}")).await.expect(variable);
        // What was said to be done is done, and seen by others.
        compare(&mall, &lab).await;
        tried.push(variable);
    }
    println!("tried {tried:?}");
    assert!(tried.len() > 10, "{tried:?}");
}

/// 150 orders of 12 KiB each are more than such a server takes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_little_at_once_is_told_little_at_once() {
    let lab = Lab::own(&["--max-allowed-packet=1M"]).await;
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    lab.proxy.down();
    let mut ann = mall.user(&name(0)).await;
    for _ in 0..150 {
        let body = json!({
            "productId": PRODUCTS[0], "quantity": 1, "deliveryInfo": {"name": "安", "note": "x".repeat(12 << 10)},
        });
        ann.post("/api/mall/exchange", body).await.data();
    }
    lab.proxy.mend();
    compare(&mall, &lab).await;
    let status = mall.status().await;
    assert_eq!((&status["state"], &status["rejectedRows"]), (&json!("following"), &json!(0)), "{status}");
}
