//! Would catch a database of the mall that the mirror refuses or spoils, and a migration that must not be interrupted.

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};
use crate::proxy::{Trap, Way};

/// The mall's tables and rows from before there was a mirror.
const SEED: &str = include_str!("seed.sql");

/// What the mall's document says must be indexed.
const INDEXES: [(&str, &[&str]); 8] = [
    ("product_categories", &["parent_id", "level", "sort_order", "status"]),
    ("products", &["category_id", "points_price", "status", "is_hot", "is_new", "sales_count", "sort_order"]),
    ("exchange_orders", &["order_no", "user_id", "product_id", "status", "expires_at", "created_at"]),
    ("inventory_records", &["product_id", "change_type", "related_order_id", "created_at"]),
    ("user_preferences", &["user_id", "last_updated"]),
    ("points_records", &["exchange_order_id"]),
    ("users", &["mall_level", "last_exchange_at"]),
    ("mirror_rejected", &["seq"]),
];

/// The rows of the seed as text, without what only the mirror knows.
const OLD_ROWS: [&str; 7] = [
    "select concat_ws('|', id, nickname, date_format(created_at, '%Y-%m-%d %T')) from users where nickname <> '' order by id",
    "select concat_ws('|', id, user_id, points, source, description, date_format(created_at, '%Y-%m-%d %T')) from points_records where seq is null",
    "select concat_ws('|', id, name, description, level, sort_order) from product_categories where seq is null order by id",
    "select concat_ws('|', id, name, category_id, points_price, original_price, stock_quantity) from products
     where id = 'prod_spade'",
    "select concat_ws('|', id, order_no, user_id, product_id, product_snapshot, quantity, points_cost, status,
     date_format(expires_at, '%Y-%m-%d %T'))
     from exchange_orders where seq is null",
    "select concat_ws('|', id, product_id, change_type, quantity_change, stock_before, stock_after, related_order_id)
     from inventory_records where seq is null",
    "select concat_ws('|', id, user_id, price_sensitivity) from user_preferences",
];

async fn seeded() -> Lab {
    let lab = Lab::shared().await;
    // As who writes Chinese into it has it.
    lab.execute(&[&format!("alter database {} default character set utf8mb4", lab.database)]).await;
    let statements = SEED.split(";\n").map(|statement| statement.trim()).filter(|statement| !statement.is_empty());
    lab.execute(&statements.collect::<Vec<_>>()).await;
    lab
}

async fn rows_before_the_mirror(lab: &Lab) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for query in OLD_ROWS {
        let query = query.replace("seq is null", "true");
        all.push(lab.rows(&query).await);
    }
    all
}

async fn rows_that_are_not_the_mirrors(lab: &Lab) -> Vec<Vec<String>> {
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
async fn a_database_with_the_malls_own_tables_is_migrated_and_keeps_its_rows() {
    let (lab, empty) = (seeded().await, Lab::shared().await);
    let before = rows_before_the_mirror(&lab).await;
    let mut mall = Mall::new();
    for _ in 0..2 {
        let (code, said) = migrate(&mall, &lab.url());
        assert_eq!(code, 0, "a second time changes nothing: {said}");
        assert_eq!(rows_before_the_mirror(&lab).await, before, "{said}");
    }
    assert_eq!(migrate(&mall, &empty.url()).0, 0);
    assert_eq!(columns(&lab).await, columns(&empty).await, "whatever was there, the tables are the same");
    assert_indexed(&lab).await;
    assert_indexed(&empty).await;

    mall.serve(&lab.url(), &[]);
    mall.stock_up().await;
    let crowd = Crowd::at(&mall, 14).await;
    crowd.answered(200).await;
    crowd.stop().await;
    compare(&mall, &lab).await;
    let after = rows_that_are_not_the_mirrors(&lab).await;
    let count = |rows: &[Vec<String>]| rows.iter().map(Vec::len).sum::<usize>();
    // Of the seed's rows only the category and the product that the mall has as well are the mirror's now.
    for (before, after) in before.iter().zip(&after) {
        assert!(after.iter().all(|row| before.contains(row)), "{after:?} were {before:?}");
    }
    println!("{} rows before, {} of them are still not the mirror's", count(&before), count(&after));
    assert_eq!(count(&before) - count(&after), 1, "{after:?}");
    lab.close().await;
    empty.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_interrupted_anywhere_goes_on_where_it_was() {
    let (lab, whole) = (seeded().await, seeded().await);
    let before = rows_before_the_mirror(&lab).await;
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
    assert_eq!(rows_before_the_mirror(&lab).await, before);
    lab.close().await;
    whole.close().await;
}
