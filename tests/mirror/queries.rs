//! Would catch an example query of `docs/mirror.md` that does not run, or that answers something
//! else than what happened.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::mall::Mall;
use crate::support::Client;

const DOCUMENT: &str = include_str!("../../docs/mirror.md");

/// What is bought: user, products, and how the order ends.
const BOUGHT: [(&str, &[Item], End); 11] = [
    ("ann", &[("prod_movie", 2)], End::Confirmed),
    ("ann", &[("prod_movie", 1)], End::Cancelled),
    ("ann", &[("prod_kfc", 3)], End::Confirmed),
    ("ann", &[("prod_starbucks", 1)], End::Waiting),
    ("ann", &[("prod_starbucks", 2), ("prod_movie", 1)], End::Confirmed),
    ("bob", &[("prod_movie", 5)], End::Confirmed),
    ("bob", &[("prod_kfc", 1)], End::Returned),
    ("bob", &[("prod_starbucks", 4)], End::Confirmed),
    ("bob", &[("prod_kfc", 2), ("prod_movie", 3), ("prod_starbucks", 1)], End::Waiting),
    ("cat", &[("prod_kfc", 1)], End::Confirmed),
    ("cat", &[("prod_movie", 1)], End::Waiting),
];
/// A product, and how many units of it.
type Item = (&'static str, u64);
const POINTS: u64 = 1_000_000;
/// What the demo has of them at first, and what one costs.
const PRODUCTS: [(&str, u64, u64); 3] =
    [("prod_movie", 2000, 4500), ("prod_kfc", 500, 8900), ("prod_starbucks", 1000, 3500)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Waiting,
    Confirmed,
    Cancelled,
    Returned,
}

impl End {
    fn state(self) -> &'static str {
        match self {
            Self::Waiting => "pending",
            Self::Confirmed => "confirmed",
            Self::Cancelled | Self::Returned => "cancelled",
        }
    }
}

/// An order of [`BOUGHT`], as the mall answered it.
struct Order {
    id: String,
    user: &'static str,
    items: &'static [Item],
    end: End,
}

impl Order {
    fn points(&self) -> u64 {
        self.items.iter().map(points_of).sum()
    }

    fn quantity(&self) -> u64 {
        self.items.iter().map(|(_, quantity)| quantity).sum()
    }

    /// How many units of this product; `None` where it has none.
    fn units(&self, product: &str) -> Option<u64> {
        self.items.iter().find(|(id, _)| *id == product).map(|(_, quantity)| *quantity)
    }
}

fn points_of((product, quantity): &Item) -> u64 {
    quantity * PRODUCTS.iter().find(|(id, ..)| id == product).expect("it has a price").2
}

/// The queries of the document by their first line, which is a comment.
fn queries() -> BTreeMap<&'static str, &'static str> {
    let blocks = DOCUMENT.split("```sql\n-- ").skip(1);
    let blocks = blocks.map(|block| block.split_once("```").expect("a block ends").0);
    blocks.map(|block| block.split_once('\n').expect("a query has a name and a text")).collect()
}

async fn buy(mall: &Mall) -> Vec<Order> {
    let mut orders = Vec::new();
    for (user, items, end) in BOUGHT {
        let mut client = mall.user(user).await;
        let item = |(product, quantity): &Item| json!({"productId": product, "quantity": quantity});
        let body = match items {
            [only] => item(only),
            _ => json!({"items": items.iter().map(item).collect::<Vec<_>>()}),
        };
        let made = client.post("/api/mall/exchange", body).await.data();
        let id = made["orderId"].as_str().expect("a string").to_owned();
        let acts: &[&str] = match end {
            End::Waiting => &[],
            End::Confirmed => &["confirm"],
            End::Cancelled => &["cancel"],
            End::Returned => &["confirm", "cancel"],
        };
        for act in acts {
            client.post(&format!("/api/mall/orders/{id}/{act}"), json!({})).await.data();
        }
        orders.push(Order { id, user, items, end });
    }
    orders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documents_queries_answer_what_happened() {
    let lab = Lab::shared().await;
    let mut mall = Mall::new();
    mall.serve(&lab.url(), &["--time-zone", "Asia/Shanghai"]);
    let mut admin = mall.admin().await;
    for user in ["ann", "bob", "cat"] {
        admin
            .post(&format!("/api/admin/points/{user}/award"), json!({"points": POINTS}))
            .await
            .data();
    }
    let orders = buy(&mall).await;
    mall.mirrored().await;

    let operators: Vec<(String, String)> = lab
        .rows("select distinct operator_id, description from points_records where source = 'payment_reward' and operator_id is not null")
        .await;
    assert_eq!(
        operators,
        [("root".to_owned(), String::new())],
        "who gave the points, and the reason as it was sent"
    );
    let orders_of = "select count(*) from points_records where source = 'mall_consumption' and order_id = exchange_order_id";
    assert_eq!(lab.row::<usize>(orders_of).await, orders.len());
    let mut queries = queries();
    let mut take = |name: &str| {
        queries.remove(name).unwrap_or_else(|| panic!("the document has no query -- {name}"))
    };
    what_the_tables_show(&lab, take("what the tables show"), &mut admin).await;
    orders_of_a_user(&lab, take("orders of a user"), &orders).await;
    let (stands, stood) = (
        "exchanges and points of each day",
        "exchanges and points of each day, as it stood when it ended",
    );
    let taken_back = "exchanges that were taken back on a later day, by the day on which they were";
    let (stands, stood, taken_back) = (take(stands), take(stood), take(taken_back));
    lines_of_a_user(&lab, take("products of a user's orders, each on a line"), &orders).await;
    days(&lab, stands, &orders).await;
    days(&lab, stood, &orders).await;
    days_do_not_change(&lab, (stands, stood, taken_back), &orders).await;
    let figures = take("figures of each day's report");
    reports(&lab, figures, &mut admin).await;
    popular(&lab, take("popular products"), &orders).await;
    turnover(
        &lab,
        take("turnover: units sold in 30 days, for each unit that was there on average"),
        &orders,
    )
    .await;
    points(&lab, take("points of a user, as they came and went"), &orders).await;
    listing(&lab, take("products for sale, as the mall lists them"), &mut admin).await;
    assert!(queries.is_empty(), "nobody looks at {:?}", queries.keys());
    // Orders whose points another service keeps have no records of points, and cost as much.
    lab.execute(&["DELETE FROM points_records WHERE exchange_order_id IS NOT NULL"]).await;
    reports(&lab, figures, &mut admin).await;
    lab.close().await;
}

async fn what_the_tables_show(lab: &Lab, query: &str, admin: &mut Client) {
    let rows: Vec<(u64, String, String)> = lab.rows(query).await;
    let status = admin.get("/api/admin/mirror").await.data();
    assert_eq!(json!(rows[0].0), status["seq"], "{status}");
}

async fn orders_of_a_user(lab: &Lab, query: &str, orders: &[Order]) {
    type Shown = (String, String, String, u64, u64, String, String);
    let rows: Vec<Shown> = lab.rows(query).await;
    let rows = rows
        .into_iter()
        .map(|(id, _, product, units, points, state, _)| (id, product, units, points, state));
    let ours = newest_first(orders, "ann").into_iter().map(|o| {
        (o.id.clone(), o.items[0].0.into(), o.quantity(), o.points(), o.end.state().into())
    });
    assert_eq!(rows.collect::<Vec<_>>(), ours.collect::<Vec<_>>(), "newest first");
}

/// The orders of a user. Ids follow the time, and say which of one millisecond comes first.
fn newest_first<'o>(orders: &'o [Order], user: &str) -> Vec<&'o Order> {
    let mut ours: Vec<&Order> = orders.iter().filter(|order| order.user == user).collect();
    ours.sort_by(|a, b| b.id.cmp(&a.id));
    ours
}

async fn lines_of_a_user(lab: &Lab, query: &str, orders: &[Order]) {
    let rows: Vec<(String, String, u64, u64)> = lab.rows(query).await;
    let ours = newest_first(orders, "ann");
    let lines = ours.iter().flat_map(|o| o.items.iter().map(|item| (o.id.clone(), item)));
    let lines = lines.map(|(id, item)| (id, item.0.to_owned(), item.1, points_of(item)));
    assert_eq!(rows, lines.collect::<Vec<_>>(), "newest first, and in the order of the basket");
}

fn standing(orders: &[Order]) -> impl Iterator<Item = &Order> {
    orders.iter().filter(|order| order.end == End::Confirmed)
}

/// All of them happened today, or around midnight on two days.
async fn days(lab: &Lab, query: &str, orders: &[Order]) {
    let rows: Vec<(String, usize, u64, usize)> = lab.rows(query).await;
    assert!(
        (1..=2).contains(&rows.len()) && rows.iter().all(|row| row.0.len() == "2025-06-15".len()),
        "{rows:?}"
    );
    let sums =
        (rows.iter().map(|row| row.1).sum::<usize>(), rows.iter().map(|row| row.2).sum::<u64>());
    assert_eq!(sums, (standing(orders).count(), standing(orders).map(Order::points).sum::<u64>()));
    let users: BTreeSet<_> = standing(orders).map(|order| order.user).collect();
    assert!(rows.iter().map(|row| row.3).max() <= Some(users.len()), "{rows:?}");
    assert!(rows.iter().map(|row| row.3).sum::<usize>() >= users.len(), "{rows:?}");
}

/// An order that was exchanged two days ago and cancelled today is no exchange as things stand, but
/// was one that day.
async fn days_do_not_change(
    lab: &Lab,
    (stands, stood, taken_back): (&str, &str, &str),
    orders: &[Order],
) {
    let returned = orders.iter().find(|order| order.end == End::Returned).expect("one was");
    let shift = |by: &str| {
        format!(
            "update exchange_orders set exchanged_at = exchanged_at {by} where id = '{}'",
            returned.id
        )
    };
    lab.execute(&[&shift("- interval 2 day")]).await;
    type Day = (String, usize, u64, usize);
    let today: Vec<Day> = lab.rows(stands).await;
    let ended: Vec<Day> = lab.rows(stood).await;
    let back: Vec<(String, usize, u64)> = lab.rows(taken_back).await;
    assert_eq!(ended.len(), today.len() + 1, "{ended:?} and {today:?}");
    let then = ended.last().expect("there is one");
    assert_eq!((then.1, then.2, then.3), (1, returned.points(), 1));
    assert_eq!(ended[..today.len()], today[..], "no other day is told differently");
    assert_eq!(back.iter().map(|day| (day.1, day.2)).collect::<Vec<_>>(), [(1, returned.points())]);
    lab.execute(&[&shift("+ interval 2 day")]).await;
}

/// The mall's own reports say the same: of the day on which all of it happened, or of two around
/// midnight.
async fn reports(lab: &Lab, query: &str, admin: &mut Client) {
    let rows: Vec<mysql_async::Row> = lab.rows(query).await;
    assert!((1..=2).contains(&rows.len()), "{rows:?}");
    let mut revenue = 0;
    for mut row in rows {
        let day: String = row.take("day").expect("a day");
        let report = admin.get(&format!("/api/admin/reports/daily?date={day}")).await.data();
        for (column, of, figure) in [
            ("exchanges", "orders", "exchanged"),
            ("refunds", "orders", "refunds"),
            ("points_consumed", "points", "consumed"),
            ("points_returned", "points", "returned"),
            ("units", "units", "exchanged"),
            ("units_returned", "units", "returned"),
            ("users", "users", "exchanging"),
            ("new_users", "users", "new"),
            ("retained", "users", "retained"),
        ] {
            let shown: u64 = row.take(column).expect("a number");
            assert_eq!(json!(shown), report[of][figure], "{day} {column}: {report}");
        }
        for (column, figure) in
            [("revenue", "exchangedCents"), ("revenue_returned", "returnedCents")]
        {
            // A decimal, as in `19.90`.
            let shown: String = row.take(column).expect("a sum");
            let cents: u64 = shown.replace('.', "").parse().expect("a sum");
            assert_eq!(json!(cents), report["revenue"][figure], "{day} {column}: {report}");
            revenue += cents;
        }
    }
    assert!(revenue > 0, "the demo has prices");
}

/// Products with the units that were sold and the orders, in the order of [`PRODUCTS`].
fn sold(orders: &[Order]) -> Vec<(String, u64, usize)> {
    let of = |product| standing(orders).filter_map(move |order| order.units(product));
    let sold = PRODUCTS
        .iter()
        .map(|&(product, ..)| (product.to_owned(), of(product).sum(), of(product).count()));
    sold.collect()
}

async fn popular(lab: &Lab, query: &str, orders: &[Order]) {
    let rows: Vec<(String, String, u64, usize)> = lab.rows(query).await;
    let mut expected = sold(orders);
    expected.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let shown: Vec<_> =
        rows.iter().map(|(id, _, units, exchanges)| (id.clone(), *units, *exchanges)).collect();
    assert_eq!(shown, expected);
    assert!(rows.iter().any(|row| row.1 == "电影票通用券"), "{rows:?}");
}

async fn turnover(lab: &Lab, query: &str, orders: &[Order]) {
    let rows: Vec<(String, u64, f64)> = lab.rows(query).await;
    let shown: BTreeMap<_, _> =
        rows.into_iter().map(|(id, sold, turnover)| (id, (sold, turnover))).collect();
    let sold = sold(orders);
    assert_eq!(shown.len(), sold.len());
    for ((product, sold, _), (_, at_first, _)) in sold.iter().zip(PRODUCTS) {
        let held: u64 =
            orders.iter().filter(|o| o.end == End::Waiting).filter_map(|o| o.units(product)).sum();
        // 30 days ago there was none.
        let average = (at_first - sold - held) as f64 / 2.0;
        let (shown_sold, turnover) = shown[product];
        assert_eq!(shown_sold, *sold, "{product}");
        assert!((turnover - *sold as f64 / average).abs() < 0.0001, "{product}: {turnover}");
    }
}

async fn points(lab: &Lab, query: &str, orders: &[Order]) {
    type Shown = (String, i64, i64, String, String, Option<String>);
    let rows: Vec<Shown> = lab.rows(query).await;
    let held =
        orders.iter().filter(|o| o.user == "ann" && matches!(o.end, End::Waiting | End::Confirmed));
    let balance = POINTS - held.map(Order::points).sum::<u64>();
    assert_eq!(rows[0].2, balance as i64, "the newest");
    let given = rows.last().expect("there is one");
    assert_eq!((given.1, given.2, &given.5), (POINTS as i64, POINTS as i64, &None));
    let paid: Vec<_> = rows.iter().filter(|row| row.3 == "mall_consumption" && row.1 < 0).collect();
    let ours: Vec<_> = orders.iter().rev().filter(|order| order.user == "ann").collect();
    assert_eq!(paid.len(), ours.len());
    for (row, order) in paid.iter().zip(ours) {
        assert_eq!((row.1, row.5.as_deref()), (-(order.points() as i64), Some(order.id.as_str())));
    }
    let back: Vec<_> =
        rows.iter().filter(|row| row.3 == "mall_refund" && row.1 > 0).map(|row| row.1).collect();
    assert_eq!(back, [4500], "the order that was cancelled");
}

async fn listing(lab: &Lab, query: &str, admin: &mut Client) {
    type Shown = (String, String, u64, u64, u64, String, Option<String>);
    let rows: Vec<Shown> = lab.rows(query).await;
    let told = admin.get("/api/mall/products").await.data();
    let told = told["products"].as_array().expect("an array");
    let shown = rows.iter().map(|(id, name, price, stock, sales, category, icon)| {
        json!([id, name, price, stock, sales, category, icon])
    });
    let shown: BTreeSet<String> = shown.map(|row| row.to_string()).collect();
    let told = told.iter().map(|p| {
        let category = &p["category"];
        json!([
            p["id"],
            p["name"],
            p["pointsPrice"],
            p["stockQuantity"],
            p["salesCount"],
            category["name"],
            category["icon"]
        ])
    });
    assert_eq!(shown, told.map(|row: Value| row.to_string()).collect());
    // The mall's own order may be a second old; this one is not.
    assert!(rows.iter().map(|row| row.4).is_sorted_by(|a, b| a >= b), "{rows:?}");
}
