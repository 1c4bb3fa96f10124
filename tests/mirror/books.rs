//! Whether the tables tell what the mall does: read with our own SQL, and compared with what the
//! API answers.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::mall::{BUYERS, Mall, PRODUCTS, name};
use crate::support::Client;

/// What must hold of the tables by themselves at any moment: each query answers what is wrong.
pub const WRONG: [(&str, &str); 15] = [
    (
        "a change of stock does not begin where the one before it ended",
        "select id, stock_before, before_it from (select id, stock_before,
           coalesce(lag(stock_after) over (partition by product_id, location order by seq), 0) before_it
         from inventory_records where seq is not null) chain where stock_before <> before_it",
    ),
    (
        "a change of points does not begin where the one before it ended",
        "select id, balance_before, before_it from (select id, balance_before,
           coalesce(lag(balance_after) over (partition by user_id order by seq, id), 0) before_it
         from points_records where seq is not null) chain where balance_before <> before_it",
    ),
    (
        "a change of stock does not add up",
        "select id, stock_before, stock_after from inventory_records
         where seq is not null and stock_before + quantity_change <> stock_after",
    ),
    (
        "a change of points does not add up",
        "select id, balance_before, balance_after from points_records
         where seq is not null and balance_before + points <> balance_after",
    ),
    (
        "a product's stock is not the sum of its changes",
        "select p.id, p.stock_quantity, r.total from products p left join
           (select product_id, sum(quantity_change) total from inventory_records where seq is not null and location is null group by product_id) r
         on r.product_id = p.id where p.seq is not null and p.stock_quantity <> coalesce(r.total, 0)",
    ),
    (
        "a user's points are not the sum of their changes",
        "select u.id, u.points_balance, r.total from users u left join
           (select user_id, sum(points) total from points_records where seq is not null group by user_id) r
         on r.user_id = u.id where u.seq is not null and u.points_balance <> coalesce(r.total, 0)",
    ),
    (
        "a user's reserved points are not those that waiting orders hold",
        "select u.id, u.points_reserved, o.total from users u left join
           (select user_id, sum(points_cost) total from exchange_orders where status = 0 and seq is not null group by user_id) o
         on o.user_id = u.id where u.seq is not null and not u.points_reserved <=> coalesce(o.total, 0)",
    ),
    (
        "a product's sales are not those of its orders",
        "select p.id, p.sales_count, o.total from products p left join
           (select r.product_id, sum(-r.quantity_change - if(r.change_type = 4 and r.quantity_change = 0, r.quantity, 0)) total
            from exchange_orders o join inventory_records r on r.related_order_id = o.id
            where o.status > 0 and o.seq is not null and r.seq is not null group by r.product_id) o
         on o.product_id = p.id where p.seq is not null and p.sales_count <> coalesce(o.total, 0)",
    ),
    (
        // Once, and what was paid late once more.
        "an order did not take its units of each of its products",
        "select o.id, l.product_id, l.quantity, r.taken from exchange_orders o join json_table(
             coalesce(o.items, json_array(json_object('productId', o.product_id, 'quantity', o.quantity))),
             '$[*]' columns (product_id varchar(64) character set utf8mb4 path '$.productId', quantity bigint path '$.quantity')) l
         left join (select related_order_id, product_id, sum(-least(quantity_change, 0)) taken
                    from inventory_records where seq is not null group by related_order_id, product_id) r
         on r.related_order_id = o.id and r.product_id = l.product_id
         where o.seq is not null
           and not l.quantity * if(o.exchanged_at >= o.expires_at, 2, 1) <=> r.taken",
    ),
    (
        "the products of a basket are not the whole order",
        "select o.id, o.quantity, o.points_cost, sum(l.quantity), sum(l.points_cost) from exchange_orders o join json_table(
             coalesce(o.items, json_array()), '$[*]' columns (quantity bigint path '$.quantity', points_cost bigint path '$.pointsCost')) l
         where o.seq is not null group by o.id, o.quantity, o.points_cost
         having o.quantity <> sum(l.quantity) or o.points_cost <> sum(l.points_cost)",
    ),
    (
        "an order did not take its units, or not those that it holds",
        "select o.id, o.status, r.total from exchange_orders o left join
           (select related_order_id, sum(quantity_change) total, sum(if(change_type = 4 and quantity_change = 0, quantity, 0)) broken
            from inventory_records where seq is not null group by related_order_id) r
         on r.related_order_id = o.id
         where o.seq is not null and -coalesce(r.total, 0) <>
           if(o.status = -1, 0, o.quantity - coalesce(o.returned_quantity, 0)) + coalesce(r.broken, 0)",
    ),
    (
        "an order did not take its points, or not those that it holds",
        "select o.id, o.status, r.total from exchange_orders o left join
           (select exchange_order_id, sum(points) total from points_records where seq is not null group by exchange_order_id) r
         on r.exchange_order_id = o.id
         where o.seq is not null and -coalesce(r.total, 0) <>
           if(o.status = -1, 0, o.points_cost - coalesce(o.returned_points, 0))",
    ),
    (
        "units were taken for an order that is not there",
        "select r.id, r.related_order_id from inventory_records r left join exchange_orders o on o.id = r.related_order_id
         where r.seq is not null and r.related_order_id is not null and o.id is null",
    ),
    (
        "points were taken for an order that is not there",
        "select r.id, r.exchange_order_id from points_records r left join exchange_orders o on o.id = r.exchange_order_id
         where r.seq is not null and r.exchange_order_id is not null and o.id is null",
    ),
    (
        "something is newer than what the tables are said to show",
        "select t.seq, s.watermark from mirror_state s join (
           select max(seq) seq from exchange_orders union all select max(seq) from inventory_records
           union all select max(seq) from points_records union all select max(seq) from products
           union all select max(seq) from users) t where t.seq > s.watermark",
    ),
];

/// An order as the API shows it.
const ORDERS: &str = "select json_object(
    'orderId', id, 'orderNo', order_no, 'status', status, 'state', state, 'productId', product_id,
    'productSnapshot', json_extract(product_snapshot, '$'), 'quantity', quantity, 'pointsCost', points_cost,
    'items', json_extract(items, '$'), 'deliveryInfo', json_extract(delivery_info, '$'),
    'createdAt', timestampdiff(microsecond, '1970-01-01', created_at) div 1000,
    'expiresAt', timestampdiff(microsecond, '1970-01-01', expires_at) div 1000,
    'exchangedAt', timestampdiff(microsecond, '1970-01-01', exchanged_at) div 1000,
    'cancelledAt', timestampdiff(microsecond, '1970-01-01', cancelled_at) div 1000,
    'returnedQuantity', if(status = -1 and exchanged_at is not null, quantity, coalesce(returned_quantity, 0)),
    'returnedPoints', if(status = -1 and exchanged_at is not null, points_cost, coalesce(returned_points, 0)),
    'deliveryStatus', coalesce(delivery_status, 0), 'trackingNo', tracking_no, 'carrier', carrier,
    'shippedAt', timestampdiff(microsecond, '1970-01-01', shipped_at) div 1000,
    'deliveredAt', timestampdiff(microsecond, '1970-01-01', delivered_at) div 1000,
    'completedAt', timestampdiff(microsecond, '1970-01-01', completed_at) div 1000)
  from exchange_orders where seq is not null and user_id = ";

/// Every change of a product's stock, newest first, as the API shows the newest of them.
const CHANGES: &str = "select json_object(
    'seq', seq, 'changeType', change_type, 'quantityChange', quantity_change, 'stockBefore', stock_before,
    'stockAfter', stock_after, 'quantity', quantity, 'relatedOrderId', related_order_id,
    'description', coalesce(description, ''), 'operator', operator_id,
    'createdAt', timestampdiff(microsecond, '1970-01-01', created_at) div 1000)
  from inventory_records where product_id = ";

/// How much was compared: a comparison of nothing would look the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub orders: usize,
    pub changes: usize,
}

/// Looks at the tables in one transaction; the watermark that it shows, and how many orders.
pub async fn look(connection: &mut Conn) -> (u64, u64) {
    connection
        .query_drop("start transaction with consistent snapshot")
        .await
        .expect("the server answers");
    let mark = "select watermark, (select count(*) from exchange_orders where seq is not null) from mirror_state";
    let seen = connection
        .query_first(mark)
        .await
        .expect("the server answers")
        .expect("the mirror has a state");
    for (what, query) in WRONG {
        let wrong: Vec<Row> =
            connection.query(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(
            wrong.is_empty(),
            "{what}, at {seen:?}, {} times: {:?}",
            wrong.len(),
            wrong.first()
        );
    }
    connection.query_drop("commit").await.expect("the server answers");
    seen
}

/// Waits until the tables show everything that was acknowledged, and compares them with what the
/// API answers.
pub async fn compare(mall: &Mall, lab: &Lab) -> Counts {
    mall.mirrored().await;
    look(&mut lab.admin().await).await;
    let mut counts = Counts::default();
    for buyer in (0..BUYERS).map(name) {
        counts.orders += compare_buyer(mall, lab, &buyer).await;
    }
    for product in PRODUCTS {
        counts.changes += compare_product(mall, lab, product).await;
    }
    let (code, printed, log) = mall.mirror(&["check"], &lab.direct_url());
    assert_eq!(code, 0, "{printed}{log}");
    println!("compared {counts:?}");
    counts
}

async fn compare_buyer(mall: &Mall, lab: &Lab, buyer: &str) -> usize {
    let mut client = mall.user(buyer).await;
    let told = orders(&mut client).await;
    let rows: Vec<String> = lab.rows(&format!("{ORDERS}'{buyer}'")).await;
    let rows = rows.iter().map(|row| as_told(serde_json::from_str(row).expect("JSON")));
    let shown: BTreeMap<String, Value> = rows.map(|order| (id(&order), order)).collect();
    for (id, order) in &told {
        assert_eq!(shown.get(id), Some(order), "the order as the mall tells it");
    }
    assert_eq!(shown.len(), told.len(), "orders of {buyer}");
    let balance: i64 =
        lab.row(&format!("select points_balance from users where id = '{buyer}'")).await;
    assert_eq!(balance, client.balance().await, "points of {buyer}");
    told.len()
}

/// An order of the tables as the API shows it: items where it is a basket, without what each of them cost.
fn as_told(mut order: Value) -> Value {
    let fields = order.as_object_mut().expect("an object");
    if fields["items"].is_null() {
        fields.remove("items");
    } else {
        for item in fields["items"].as_array_mut().expect("an array") {
            item.as_object_mut().expect("an object").remove("pointsCost");
        }
    }
    order
}

async fn compare_product(mall: &Mall, lab: &Lab, product: &str) -> usize {
    let told =
        mall.admin().await.get(&format!("/api/admin/inventory/{product}?limit=100")).await.data();
    let rows: Vec<String> = lab.rows(&format!("{CHANGES}'{product}' order by seq desc")).await;
    let newest = told["records"].as_array().expect("an array");
    for (row, record) in rows.iter().zip(newest) {
        let mut record = record.clone();
        // The tables have no name for what the type is about.
        record.as_object_mut().expect("an object").remove("kind");
        assert_eq!(
            serde_json::from_str::<Value>(row).expect("JSON"),
            record,
            "the change as the mall tells it"
        );
    }
    assert!(rows.len() >= newest.len(), "{} of {product}'s newest changes are there", rows.len());
    let shown: (i64, u64) = lab
        .row(&format!("select stock_quantity, sales_count from products where id = '{product}'"))
        .await;
    assert_eq!(
        json!([shown.0, shown.1]),
        json!([told["available"], told["sold"]]),
        "stock and sales of {product}"
    );
    rows.len()
}

/// Everything that this client ever ordered.
async fn orders(client: &mut Client) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut before = String::new();
    loop {
        let page = client.get(&format!("/api/mall/orders?page_size=100{before}")).await.data();
        all.extend(
            page["orders"]
                .as_array()
                .expect("an array")
                .iter()
                .map(|order| (id(order), order.clone())),
        );
        match page["nextBefore"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}

fn id(order: &Value) -> String {
    order["orderId"].as_str().expect("a string").to_owned()
}

/// The orders that the tables show.
pub async fn orders_in(lab: &Lab) -> BTreeSet<String> {
    lab.rows("select id from exchange_orders where seq is not null").await.into_iter().collect()
}
