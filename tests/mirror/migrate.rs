//! Would catch a database of the mall that the mirror refuses or spoils, and a migration that must
//! not be interrupted.

use crate::lab::Lab;
use crate::mall::{Crowd, Mall};
use crate::proxy::{Trap, Way};

/// The mall's tables and rows from before there was a mirror.
const SEED: &str = include_str!("seed.sql");
const FIRST_RELEASE: &str = include_str!("v1.sql");

/// What the mall's document says must be indexed.
const INDEXES: [(&str, &[&str]); 8] = [
    ("product_categories", &["parent_id", "level", "sort_order", "status"]),
    (
        "products",
        &["category_id", "points_price", "status", "is_hot", "is_new", "sales_count", "sort_order"],
    ),
    (
        "exchange_orders",
        &["order_no", "user_id", "product_id", "status", "expires_at", "created_at"],
    ),
    ("inventory_records", &["product_id", "change_type", "related_order_id", "created_at"]),
    ("user_preferences", &["user_id", "last_updated"]),
    ("points_records", &["exchange_order_id"]),
    ("users", &["mall_level", "last_exchange_at"]),
    ("mirror_rejected", &["seq"]),
];

/// The rows of the seed as text, without what only the mirror knows.
const OLD_ROWS: [&str; 7] = [
    "select concat_ws('|', id, nickname, date_format(created_at, '%Y-%m-%d %T')) from users where nickname <> '' order by id",
    "select concat_ws('|', id, user_id, points, source, description, date_format(created_at, '%Y-%m-%d %T')) from points_records where true",
    "select concat_ws('|', id, name, description, level, sort_order) from product_categories order by id",
    "select concat_ws('|', id, name, category_id, points_price, original_price, stock_quantity) from products
     where id = 'prod_spade'",
    "select concat_ws('|', id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, status,
     date_format(expires_at, '%Y-%m-%d %T'))
     from exchange_orders where true",
    "select concat_ws('|', id, product_id, change_type, quantity_change, stock_before, stock_after, related_order_id)
     from inventory_records where true",
    "select concat_ws('|', id, user_id, price_sensitivity) from user_preferences",
];

async fn seeded() -> Lab {
    let lab = Lab::shared().await;
    // As who writes Chinese into it has it.
    lab.execute(&[&format!("alter database {} default character set utf8mb4", lab.database)]).await;
    let statements = SEED
        .split(";\n")
        .map(|statement| statement.trim())
        .filter(|statement| !statement.is_empty());
    lab.execute(&statements.collect::<Vec<_>>()).await;
    lab
}

async fn rows_before_the_mirror(lab: &Lab) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for query in OLD_ROWS {
        all.push(lab.rows(query).await);
    }
    all
}

/// Every column with its type, but for those that only the seed's tables have.
async fn columns(lab: &Lab) -> Vec<String> {
    lab.rows(&format!(
        "select concat_ws(' ', table_name, column_name, column_type, is_nullable, column_default, collation_name, extra)
         from information_schema.columns where table_schema = '{}' and column_name not in ('nickname')
         order by table_name, column_name",
        lab.database
    ))
    .await
}

async fn assert_indexed(lab: &Lab) {
    for (table, columns) in INDEXES {
        for column in columns {
            let first: u64 = lab
                .row(&format!(
                    "select count(*) from information_schema.statistics where table_schema = '{}'
                     and table_name = '{table}' and column_name = '{column}' and seq_in_index = 1",
                    lab.database
                ))
                .await;
            assert!(first > 0, "{table} is indexed by {column}");
        }
    }
}

fn migrate(mall: &Mall, url: &str) -> (i32, String) {
    let (code, printed, log) = mall.mirror(&["migrate"], url);
    (code, printed + &log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_the_malls_own_tables_keeps_them_beside_the_mirrors() {
    let lab = seeded().await;
    let (before, tables) = (rows_before_the_mirror(&lab).await, columns(&lab).await);
    let mut mall = Mall::new();
    for _ in 0..2 {
        let (code, said) = migrate(&mall, &lab.url());
        assert_eq!(code, 0, "a second time changes nothing: {said}");
        assert_eq!(rows_before_the_mirror(&lab).await, before, "{said}");
    }
    mall.serve(&lab.url(), &[]);
    mall.stock_up().await;
    let crowd = Crowd::at(&mall, 14).await;
    crowd.answered(200).await;
    crowd.stop().await;
    mall.mirrored().await;
    let (code, printed, log) = mall.mirror(&["check"], &lab.url());
    assert!(code == 0 && printed.contains(" 0 differences"), "{printed}{log}");
    assert_eq!(rows_before_the_mirror(&lab).await, before);
    let after = columns(&lab).await;
    let after: Vec<String> =
        after.into_iter().filter(|column| !column.starts_with("stockhold_")).collect();
    assert_eq!(after, tables, "no column of the mall's was touched");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_gets_every_table_with_what_reports_look_up() {
    let lab = Lab::shared().await;
    assert_eq!(migrate(&Mall::new(), &lab.url()).0, 0);
    assert_indexed(&lab).await;
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_interrupted_anywhere_goes_on_where_it_was() {
    let (lab, whole) = (Lab::shared().await, Lab::shared().await);
    let mall = Mall::new();
    assert_eq!(migrate(&mall, &whole.url()).0, 0);
    let mut interrupted = 0;
    loop {
        lab.proxy.set(Trap::After(Way::ToServer, interrupted * 700));
        let (code, said) = migrate(&mall, &lab.url());
        if code == 0 {
            break;
        }
        interrupted += 1;
        assert!(interrupted < 100, "each try gets further: {said}");
    }
    println!("interrupted {interrupted} times");
    assert!(interrupted > 10);
    assert_eq!(columns(&lab).await, columns(&whole).await);
    lab.close().await;
    whole.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_of_the_first_release_are_the_mirrors_and_get_what_they_lack() {
    let lab = Lab::shared().await;
    let statements =
        FIRST_RELEASE.split(";\n").map(str::trim).filter(|statement| !statement.is_empty());
    lab.execute(&statements.collect::<Vec<_>>()).await;
    lab.execute(&[
        "insert into mirror_state (id, ledger_id, phase, epoch, watermark, mark) values (1, 'some', 'following', 3, 5, 7)",
        "insert into users (id, points_balance, seq) values ('ann', 7, 5)",
    ])
    .await;
    let (code, said) = migrate(&Mall::new(), &lab.url());
    assert!(code == 0 && said.contains("made: column users.points_reserved"), "{said}");
    assert!(!said.contains(" to "), "nothing of it is another type now: {said}");
    assert_eq!(
        lab.row::<(String, u64)>("select phase, watermark from mirror_state").await,
        ("following".into(), 5)
    );
    assert_eq!(
        lab.row::<(i64, Option<i64>)>("select points_balance, points_reserved from users").await,
        (7, None)
    );
    lab.close().await;
}
