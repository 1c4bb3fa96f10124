//! Would catch a reload that leaves the tables half full, loses what is not the mirror's, or needs
//! events that are gone; and a check that does not see what differs.

use std::path::Path;

use serde_json::json;
use stockhold::command::Command;
use stockhold::reader::DirectoryReader;
use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve};

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};
use crate::proxy::Trap;

/// More than one batch holds.
const ANSWERS: usize = 400;

/// A mall that has sold and is mirrored.
async fn sold(lab: &Lab, seed: u64) -> Mall {
    let mall = Mall::open(&lab.url()).await;
    let crowd = Crowd::at(&mall, seed).await;
    crowd.answered(ANSWERS).await;
    crowd.stop().await;
    mall.mirrored().await;
    mall
}

/// What `mirror check` finds: its exit code and what it prints.
fn check(mall: &Mall, lab: &Lab) -> (i32, String) {
    let (code, printed, log) = mall.mirror(&["check"], &lab.url());
    assert!(code == 0 || code == 2, "{log}");
    (code, printed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_what_differs_and_a_reload_beside_the_server_mends_it() {
    let lab = Lab::shared().await;
    let mall = sold(&lab, 31).await;
    let (code, printed) = check(&mall, &lab);
    assert!(code == 0 && printed.contains(" 0 differences"), "{printed}");

    let ids = async |query| lab.row::<String>(query).await;
    let order = ids("select max(id) from exchange_orders").await;
    let stock = ids("select min(id) from inventory_records where change_type = 3").await;
    let points = ids("select max(id) from points_records").await;
    lab.execute(&[
        &format!("update exchange_orders set quantity = quantity + 1, updated_at = updated_at where id = '{order}'"),
        &format!("update inventory_records set stock_after = stock_after + 1 where id = '{stock}'"),
        &format!("delete from points_records where id = '{points}'"),
        "update products set sales_count = sales_count + 1, updated_at = updated_at where id = 'prod_kfc'",
        "update users set points_balance = 7 where id = 'buyer-1'",
        "insert into users (id, points_balance, seq) values ('nobody', 1, 1)",
        // Not the mirror's: nobody minds it.
        "insert into users (id, mall_level) values ('guest', 5)",
    ])
    .await;
    let (code, printed) = check(&mall, &lab);
    assert_eq!(code, 2, "{printed}");
    let lines: Vec<&str> = printed.lines().collect();
    for told in [
        format!("exchange_orders {order}: "),
        format!("inventory_records {stock}: stock_after"),
        format!("points_records {points}: the row is missing"),
        "products prod_kfc: sales_count".to_owned(),
        "users buyer-1: points_balance is 7".to_owned(),
        "users nobody: the ledger has no such row".to_owned(),
    ] {
        assert!(lines.iter().any(|line| line.starts_with(&told)), "{told}: {printed}");
    }
    assert!(printed.contains(" 6 differences"), "{printed}");

    // Sales go on while the tables are made anew, and the server's mirror afterwards.
    let crowd = Crowd::at(&mall, 32).await;
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{log}");
    assert!(printed.starts_with("reloaded: events 1 to "), "{printed}");
    crowd.answered(50).await;
    crowd.stop().await;
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    compare(&mall, &lab).await;
    let (code, printed) = check(&mall, &lab);
    assert_eq!(code, 0, "{printed}");
    let guest: (u8, Option<u64>) =
        lab.row("select mall_level, seq from users where id = 'guest'").await;
    assert_eq!(guest, (5, None), "what is not the mirror's is left alone");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_that_was_cut_short_leaves_the_old_rows_and_goes_on() {
    let lab = Lab::shared().await;
    let mut mall = sold(&lab, 33).await;
    mall.kill();
    let orders: u64 = lab.row("select count(*) from exchange_orders").await;
    // In the middle of the first rows.
    lab.proxy.set(Trap::Request(b"INSERT INTO reload_exchange_orders (id,"));
    let (code, _, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 1, "{log}");
    let (phase, left): (String, u64) =
        lab.row("select phase, (select count(*) from exchange_orders) from mirror_state").await;
    assert_eq!((phase.as_str(), left), ("following", orders));
    assert_eq!(check(&mall, &lab).0, 0, "the old rows are the right ones still");

    // A server goes on with them, and the reload with its own.
    mall.serve(&lab.url(), &[]);
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    lab.execute(&["update users set points_balance = 7 where id = 'buyer-1'"]).await;
    // In the middle of what is brought over.
    lab.proxy.set(Trap::Request(b"UPDATE points_records o"));
    let (code, _, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 1, "{log}");
    let balance = "select points_balance from users where id = 'buyer-1'";
    assert_eq!(lab.row::<u64>(balance).await, 7, "all of it or nothing");
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{log}");
    assert!(printed.starts_with("went on with a reload"), "{printed}");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    compare(&mall, &lab).await;
    let beside = format!(
        "select count(*) from information_schema.tables where table_schema = '{}' and table_name like 'reload%'",
        lab.database
    );
    assert_eq!(lab.row::<u64>(&beside).await, 0, "nothing is left behind");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_ledgers_mirror_is_taken_only_when_asked() {
    let lab = Lab::shared().await;
    let mut first = sold(&lab, 34).await;
    first.kill();
    let second = Mall::open(&lab.url()).await;
    let status = second.until("a refusal", |status| status["state"] == "misconfigured").await;
    assert!(status["lastError"].to_string().contains("another ledger"), "{status}");
    let (code, _, log) = second.mirror(&["reload"], &lab.url());
    assert!(code == 1 && log.contains("--adopt"), "{log}");
    let (code, printed, log) = second.mirror(&["reload", "--adopt"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    second.until("the second to follow", |status| status["state"] == "following").await;
    let mut ann = second.user("buyer-2").await;
    ann.post(
        "/api/mall/exchange",
        json!({"productId": "prod_kfc", "quantity": 1, "confirm": true}),
    )
    .await
    .data();
    compare(&second, &lab).await;
    lab.close().await;
}

/// A ledger whose beginning is gone: small segments, no archive, and checkpoints that need nothing
/// old.
fn trimmed(dir: &Path) {
    let open = || {
        let builder =
            Engine::builder(dir).segment_bytes(128 << 10).archive_bytes_max(None).history(false);
        builder.open().expect("the directory opens")
    };
    let engine = open();
    let account =
        |key: AccountKey| engine.open_account(&key, Policy::strict()).expect("there is room");
    let tea = account(AccountKey::stock("tea").expect("a valid key"));
    let ann = account(AccountKey::points("ann").expect("a valid key"));
    let wait = |command: &Command<'_>| {
        engine.execute(command).expect("it is decided").wait().expect("it is durable");
    };
    wait(&Command::Receive(Receive::new(tea, 100_000).note("到货")));
    wait(&Command::Receive(Receive::new(ann, 1_000_000).note("支付奖励")));
    let lines = [Line { account: ann, quantity: 5 }, Line { account: tea, quantity: 1 }];
    let reserve = Reserve::new(&lines, 3_600_000);
    // One waits through everything that follows.
    wait(&Command::Reserve(reserve));
    for _ in 0..6 {
        let orders = vec![Command::Reserve(reserve.confirmed()); 1_000];
        drop(engine.batch(&orders).expect("there is room").wait().expect("it is durable"));
        engine.checkpoint().expect("the disk works");
    }
    engine.close().expect("it closes");
    // The next opening lets go of what nobody needs any more.
    let engine = open();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while engine.status().oldest_seq == 1 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    engine.close().expect("it closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_whose_beginning_is_gone_is_reloaded_from_what_it_has() {
    let lab = Lab::shared().await;
    let mut mall = Mall::new();
    trimmed(mall.path());
    let oldest = DirectoryReader::open(mall.path()).expect("a data directory").oldest_seq();
    assert!(oldest > 5, "the accounts and the order that waits are older than event {oldest}");

    mall.serve(&lab.url(), &[]);
    let status =
        mall.until("a reload to be asked for", |status| status["state"] == "reload-needed").await;
    assert!(status["lastError"].to_string().contains("no longer in the journal"), "{status}");
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{log}");
    assert!(printed.contains(&format!("events {oldest} to ")), "{printed}");
    mall.until("the mirror to follow", |status| status["state"] == "following").await;

    let tea: (i64, i64) =
        lab.row("select stock_quantity, sales_count from products where id = 'tea'").await;
    assert_eq!(tea, (100_000 - 6_001, 6_000));
    let points: i64 = lab.row("select points_balance from users where id = 'ann'").await;
    assert_eq!(points, 1_000_000 - 5 * 6_001);
    let waiting: (u64, i64) =
        lab.row("select count(*), max(points_cost) from exchange_orders where status = 0").await;
    assert_eq!(waiting, (1, 5), "an order that waits is known by its reservation");
    let (code, printed) = check(&mall, &lab);
    assert!(code == 0 && printed.contains("older events are not kept"), "{printed}");
    lab.close().await;
}
