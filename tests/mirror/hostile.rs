//! Would catch a mirror that means something else under the defaults that an operator chose for an
//! application.

use mysql_async::prelude::Queryable;
use serde_json::json;

use crate::books::{compare, look};
use crate::lab::{Lab, Release};
use crate::mall::{Crowd, Mall, PRODUCTS, name};
use crate::on_every_server;

on_every_server!(own: whatever_the_defaults_are_the_tables_are_filled_reloaded_and_compared);

/// Defaults that change what statements mean, or end them; each with what they are set to on a
/// server that knows them.
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
    ("max_statement_time", "0.001"),
    ("max_execution_time", "1"),
];

async fn whatever_the_defaults_are_the_tables_are_filled_reloaded_and_compared(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    mall.mirrored().await;
    let mut tried = Vec::new();
    for (number, (variable, value)) in DEFAULTS.into_iter().enumerate() {
        let shown = format!("show global variables like '{variable}'");
        let Some((_, before)) = lab.rows::<(String, String)>(&shown).await.pop() else {
            continue;
        };
        // The connection that sets it back was there before.
        let mut admin = lab.admin().await;
        admin.query_drop(format!("set global {variable} = {value}")).await.expect(variable);
        lab.proxy.cut();
        let crowd = Crowd::at(&mall, 40 + number as u64).await;
        crowd.answered(40).await;
        crowd.stop().await;
        mall.mirrored().await;
        for command in ["reload", "check"] {
            let (code, printed, log) = mall.mirror(&[command], &lab.url());
            assert_eq!(code, 0, "{variable} = {value}: {printed}{log}");
        }
        mall.mirrored().await;
        let before = if before.parse::<f64>().is_ok() { before } else { format!("'{before}'") };
        admin.query_drop(format!("set global {variable} = {before}")).await.expect(variable);
        // What was said to be done is seen by others.
        look(&mut lab.admin().await).await;
        tried.push(variable);
    }
    println!("tried {tried:?}");
    assert!(tried.len() > 10, "{tried:?}");
    compare(&mall, &lab).await;
}

/// Whoever logs statements cannot log what reads only what is committed; and where a row must not
/// have changed since it was read, the whole transaction is lost with the one that has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_logs_statements_is_written_while_others_change_the_same_rows() {
    let log = ["--log-bin=log", "--binlog-format=STATEMENT", "--server-id=1"];
    let strict = [&log[..], &["--innodb-snapshot-isolation=ON"]].concat();
    for (release, arguments) in [
        (Release::Installed, &log[..]),
        (Release::MariaDbTrixie, &strict),
        (Release::MySqlSid, &log),
    ] {
        let Some(lab) = Lab::own_with(release, arguments).await else {
            continue;
        };
        let mall = Mall::open(&lab.url()).await;
        mall.mirrored().await;
        let crowd = Crowd::at(&mall, 60).await;
        let mut other = lab.admin().await;
        for _ in 0..200 {
            other
                .query_drop("update users set mall_level = mod(mall_level + 1, 100)")
                .await
                .unwrap_or_else(|error| {
                    assert!(error.to_string().contains("try restarting"), "{error}");
                });
        }
        crowd.answered(50).await;
        crowd.stop().await;
        compare(&mall, &lab).await;
    }
}

/// 150 orders of 12 KiB each are more than such a server takes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_little_at_once_is_told_little_at_once() {
    let lab = Lab::own(&["--max-allowed-packet=512K"]).await;
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
    assert_eq!(
        (&status["state"], &status["rejectedRows"]),
        (&json!("following"), &json!(0)),
        "{status}"
    );
}
