//! Would catch a mirror that goes on as if nothing were missing when a part of its tables is gone,
//! that counts everything once more, or that destroys what is left.

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

crate::on_every_server!(
    what_was_lost_is_made_again_and_filled_by_a_reload,
    a_state_that_is_gone_while_its_rows_are_there_counts_nothing_twice,
    what_others_write_is_no_difference_and_stays_through_a_reload,
);

/// A mall that has sold, is mirrored, and serves no more.
async fn rested(lab: &Lab, seed: u64) -> Mall {
    let mut mall = Mall::open(&lab.url()).await;
    let crowd = Crowd::at(&mall, seed).await;
    crowd.answered(80).await;
    crowd.stop().await;
    mall.mirrored().await;
    mall.stop();
    mall
}

async fn reload(mall: &Mall, lab: &Lab) {
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    compare(mall, lab).await;
}

async fn what_was_lost_is_made_again_and_filled_by_a_reload(lab: Lab) {
    let mut mall = rested(&lab, 61).await;
    let left = "select (select count(*) from inventory_records), (select count(*) from product_categories)";
    for lost in [
        "drop table points_records, products",
        "alter table exchange_orders drop column quantity",
        "alter table users drop column seq",
    ] {
        let before: (u64, u64) = lab.row(left).await;
        lab.execute(&[lost]).await;
        mall.serve(&lab.url(), &[]);
        let status = mall
            .until("a reload to be asked for", |status| status["state"] == "reload-needed")
            .await;
        assert!(status["lastError"].to_string().contains("was lost"), "{lost}: {status}");
        assert_eq!(lab.row::<(u64, u64)>(left).await, before, "{lost}: what is left stays");
        reload(&mall, &lab).await;
        mall.stop();
    }
    // While it runs.
    mall.serve(&lab.url(), &[]);
    mall.until("a mirror that follows", |status| status["state"] == "following").await;
    lab.execute(&["drop table inventory_records"]).await;
    let crowd = Crowd::at(&mall, 62).await;
    mall.until("a reload to be asked for", |status| status["state"] == "reload-needed").await;
    crowd.stop().await;
    reload(&mall, &lab).await;
    lab.close().await;
}

async fn a_state_that_is_gone_while_its_rows_are_there_counts_nothing_twice(lab: Lab) {
    let mut mall = rested(&lab, 63).await;
    let counted =
        "select concat((select sum(sales_count) from products), ' ', (select sum(total_exchanges) from users),
                   ' ', (select count(*) from points_records))";
    let before: String = lab.row(counted).await;
    for lost in [
        "delete from mirror_state",
        "drop table mirror_state",
        "drop table mirror_state, mirror_rejected, mirror_migrations",
    ] {
        lab.execute(&[lost]).await;
        mall.serve(&lab.url(), &[]);
        let status = mall
            .until("a reload to be asked for", |status| status["state"] == "reload-needed")
            .await;
        assert!(status["lastError"].to_string().contains("mirror_state"), "{lost}: {status}");
        assert_eq!(lab.row::<String>(counted).await, before, "{lost}");
        mall.stop();
    }
    mall.serve(&lab.url(), &[]);
    reload(&mall, &lab).await;
    assert_eq!(lab.row::<String>(counted).await, before);
    lab.close().await;
}

async fn what_others_write_is_no_difference_and_stays_through_a_reload(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    let crowd = Crowd::at(&mall, 64).await;
    crowd.answered(120).await;
    crowd.stop().await;
    mall.mirrored().await;
    lab.execute(&[
        "alter table users add column openid varchar(64) unique, add column nickname varchar(50) not null default 'nobody'",
        "create table parcels (id int primary key, order_id varchar(36) character set utf8mb4 collate utf8mb4_bin,
           foreign key (order_id) references exchange_orders (id)) engine = InnoDB",
        "insert into parcels select 1, min(id) from exchange_orders where status = 1",
        "update exchange_orders set tracking_no = concat('SF-', id), status = 2, shipped_at = created_at,
           updated_at = now(3) where status = 1",
        "update products set updated_at = now(3)",
        "update users set nickname = concat('nick ', id), openid = id where id like 'buyer%'",
        "insert into users (id, openid) values ('guest', 'g')",
    ])
    .await;
    let shipped =
        "select count(*) from exchange_orders where status = 2 and tracking_no = concat('SF-', id)";
    let before: u64 = lab.row(shipped).await;
    assert!(before > 0);
    let check = || mall.mirror(&["check"], &lab.url());
    let (code, printed, log) = check();
    assert!(code == 0 && printed.contains(" 0 differences"), "{printed}{log}");

    // A row of nobody's, to which something refers: the reload says so and leaves everything as it
    // was.
    lab.execute(&[
        "insert into exchange_orders (id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, expires_at,
           seq) values ('ghost', 'EXghost', 'ann', 'tea', '{}', 1, 1, '2025-01-01', 1)",
        "insert into parcels values (2, 'ghost')",
    ])
    .await;
    let rows = "select concat(count(*), ' ', sum(points_cost)) from exchange_orders";
    let held: String = lab.row(rows).await;
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert!(code == 1 && log.contains("foreign key"), "{printed}{log}");
    assert_eq!(lab.row::<String>(rows).await, held, "the old rows are there");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    lab.execute(&["delete from parcels where id = 2"]).await;
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert!(code == 0 && printed.starts_with("went on with a reload"), "{printed}{log}");

    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    assert_eq!(lab.row::<u64>(shipped).await, before, "tracking numbers stay");
    let nicks: u64 = lab
        .row("select count(*) from users where nickname = concat('nick ', id) and openid = id")
        .await;
    let guest: (String, Option<u64>) =
        lab.row("select openid, seq from users where id = 'guest'").await;
    assert_eq!((nicks, guest.0.as_str(), guest.1), (4, "g", None));
    assert_eq!(lab.row::<u64>("select count(*) from parcels").await, 1);
    assert_eq!(lab.row::<u64>("select count(*) from exchange_orders where id = 'ghost'").await, 0);
    let (code, printed, log) = check();
    assert!(code == 0 && printed.contains(" 0 differences"), "{printed}{log}");
    lab.close().await;
}
