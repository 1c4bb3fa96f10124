//! Would catch a record that a filter or a page leaves out or shows twice, a chain of records that does
//! not explain what there is, a page without a bound, and a table that a spreadsheet misreads.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stockhold::command::Command;
use stockhold::{AccountKey, Line, Reserve};

use crate::support::{Client, NOW_MS, Shop};

const ALL: &str = "/api/admin/inventory/records";

/// Every page of a list, one after the other, the newest first; and how many pages there were.
async fn paged(client: &mut Client, query: &str, page_size: usize) -> (Vec<Value>, usize) {
    let (mut all, mut before, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("{ALL}?page_size={page_size}{query}{before}");
        let mut page = client.get(&path).await.data();
        let records = page["records"].as_array_mut().expect("an array");
        assert!(records.len() <= page_size, "{path}");
        all.append(records);
        pages += 1;
        match page["nextBefore"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return (all, pages),
        }
    }
}

async fn exchange(user: &mut Client, product: &str, quantity: u64, confirm: bool) -> String {
    let body = json!({"productId": product, "quantity": quantity, "confirm": confirm});
    let data = user.post("/api/mall/exchange", body).await.data();
    data["orderId"].as_str().expect("a string").to_owned()
}

async fn act(client: &mut Client, product: &str, what: &str, body: Value) {
    client.post(&format!("/api/admin/inventory/{product}/{what}"), body).await.data();
}

/// A day of a shop: sales, lapses, cancellations, refunds, counts, and units that go here and there.
async fn day(shop: &Shop) -> Vec<String> {
    let (mut ops, mut eve) =
        (shop.operator().await, shop.client("eve", stockhold::http::Role::Operator).await);
    let mut ann = shop.user_with("ann", 10_000_000).await;
    let mut bob = shop.user_with("bob", 10_000_000).await;
    let mut orders = Vec::new();
    act(
        &mut ops,
        "prod_movie",
        "receive",
        json!({"quantity": 50, "reason": "到货", "location": "north"}),
    )
    .await;
    for round in 0..4 {
        shop.advance(1_000);
        orders.push(exchange(&mut ann, "prod_movie", 2, true).await);
        orders.push(exchange(&mut bob, "prod_movie", 1, false).await);
        orders.push(exchange(&mut bob, "prod_kfc", 3, true).await);
        let moved = json!({"from": "north", "quantity": 2, "reason": "补货"});
        act(&mut ops, "prod_movie", "transfer", moved).await;
        act(&mut eve, "prod_kfc", "count", json!({"counted": 100 + round, "reason": "盘点"})).await;
        act(
            &mut eve,
            "prod_movie",
            "transfer",
            json!({"to": "south", "quantity": 3, "reason": "调拨"}),
        )
        .await;
    }
    let basket = json!({"items": [{"productId": "prod_movie", "quantity": 2}, {"productId": "prod_kfc", "quantity": 1}], "confirm": true});
    let basket = ann.post("/api/mall/exchange", basket).await.data();
    orders.push(basket["orderId"].as_str().expect("a string").to_owned());
    let path = |order: &str, what: &str| format!("/api/admin/orders/{order}/{what}");
    shop.advance(1_000);
    ops.post(&path(&orders[1], "cancel"), json!({"reason": "缺货"})).await.data();
    let part = json!({"reason": "破损", "quantity": 1, "restock": false});
    ops.post(&path(&orders[0], "refund"), part).await.data();
    ops.post(&path(&orders[0], "refund"), json!({"reason": "退"})).await.data();
    eve.post(&path(&orders[3], "refund"), json!({"reason": "退", "quantity": 1})).await.data();
    let confirm = bob.post_request(&format!("/api/mall/orders/{}/confirm", orders[4]));
    bob.send(confirm, "").await.data();
    // The other two lapse, and one of them is confirmed after all.
    shop.advance(15 * 60 * 1000);
    let confirm = bob.post_request(&format!("/api/mall/orders/{}/confirm", orders[7]));
    bob.send(confirm, json!({"reacquire": true}).to_string()).await.data();
    act(
        &mut eve,
        "prod_movie",
        "write-off",
        json!({"quantity": 4, "location": "south", "reason": "水浸"}),
    )
    .await;
    act(&mut ops, "prod_movie", "adjust", json!({"delta": -7, "reason": "盘亏"})).await;
    act(
        &mut ops,
        "prod_movie",
        "count",
        json!({"counted": 5, "location": "north", "reason": "盘点"}),
    )
    .await;
    orders
}

fn number(record: &Value, field: &str) -> i64 {
    record[field].as_i64().expect("a number")
}

fn text<'a>(record: &'a Value, field: &str) -> Option<&'a str> {
    record[field].as_str()
}

#[tokio::test]
async fn the_records_of_each_place_explain_what_is_there() {
    let shop = Shop::open().await;
    let orders = day(&shop).await;
    let mut ops = shop.operator().await;
    let (records, _) = paged(&mut ops, "", 100).await;
    let mut chains: BTreeMap<(String, Option<String>), i64> = BTreeMap::new();
    for record in records.iter().rev() {
        let owned = |field: &str| text(record, field).map(str::to_owned);
        let place = (owned("productId").expect("a product"), owned("location"));
        let stock = chains.entry(place).or_default();
        assert_eq!(number(record, "stockBefore"), *stock, "{record}");
        *stock += number(record, "quantityChange");
        assert_eq!(number(record, "stockAfter"), *stock, "{record}");
    }
    let kinds: std::collections::BTreeSet<&str> =
        records.iter().filter_map(|it| text(it, "kind")).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [
            "adjusted",
            "bought",
            "confirmed",
            "discarded",
            "expired",
            "received",
            "released",
            "reserved",
            "returned",
            "transferredIn",
            "transferredOut",
            "writtenOff",
        ]
    );
    let mut places = 0;
    for product in ["prod_movie", "prod_kfc", "prod_airpods"] {
        let level = ops.get(&format!("/api/admin/inventory/{product}")).await.data();
        let told =
            |location: Option<&str>| chains[&(product.to_owned(), location.map(str::to_owned))];
        assert_eq!(number(&level, "available"), told(None), "{product}");
        for at in level["locations"].as_array().expect("an array") {
            assert_eq!(number(at, "stockQuantity"), told(text(at, "location")), "{product} {at}");
            places += 1;
        }
    }
    assert_eq!((places, orders.len()), (2, 13));
    // Whoever did it by hand is there, and nobody where an order did.
    for record in &records {
        let by_hand = matches!(
            text(record, "kind"),
            Some("adjusted" | "writtenOff" | "transferredIn" | "transferredOut" | "discarded")
        );
        assert!(!by_hand || text(record, "operator").is_some(), "{record}");
    }
}

#[tokio::test]
async fn every_filter_finds_what_it_names_however_it_is_paged() {
    let shop = Shop::open().await;
    let orders = day(&shop).await;
    let mut ops = shop.operator().await;
    let (all, _) = paged(&mut ops, "", 100).await;
    let ids: Vec<&str> = all.iter().filter_map(|it| text(it, "id")).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "the newest first, each once");
    let (from, to) = (NOW_MS + 2_000, NOW_MS + 4_000);
    let order = |order: &str| {
        let order = order.to_owned();
        move |it: &Value| text(it, "relatedOrderId") == Some(&order)
    };
    type Wanted = Box<dyn Fn(&Value) -> bool>;
    let filters: Vec<(String, Wanted)> = vec![
        (String::new(), Box::new(|_| true)),
        ("&product_id=prod_kfc".into(), Box::new(|it| it["productId"] == "prod_kfc")),
        ("&product_id=nothing".into(), Box::new(|_| false)),
        ("&location=north".into(), Box::new(|it| it["location"] == "north")),
        ("&location=".into(), Box::new(|it| it["location"].is_null())),
        ("&product_id=prod_movie&location=south".into(), Box::new(|it| it["location"] == "south")),
        (
            "&product_id=prod_movie&location=".into(),
            Box::new(|it| it["productId"] == "prod_movie" && it["location"].is_null()),
        ),
        ("&product_id=prod_kfc&location=north".into(), Box::new(|_| false)),
        ("&operator=eve".into(), Box::new(|it| it["operator"] == "eve")),
        ("&operator=ann".into(), Box::new(|_| false)),
        (
            "&operator=ops&product_id=prod_movie".into(),
            Box::new(|it| it["operator"] == "ops" && it["productId"] == "prod_movie"),
        ),
        (
            "&type=returned&operator=ops".into(),
            Box::new(|it| it["operator"] == "ops" && it["kind"] == "returned"),
        ),
        ("&type=reserved&operator=ops".into(), Box::new(|_| false)),
        (format!("&order_id={}", orders[0]), Box::new(order(&orders[0]))),
        (format!("&order_id={}", orders[7]), Box::new(order(&orders[7]))),
        (format!("&order_id={}", orders[12]), Box::new(order(&orders[12]))),
        (format!("&order_id={}&product_id=prod_kfc", orders[12]), {
            let of_order = order(&orders[12]);
            Box::new(move |it| of_order(it) && it["productId"] == "prod_kfc")
        }),
        ("&order_id=ord_0000000000000001".into(), Box::new(|_| false)),
        (
            format!("&from={from}&to={to}"),
            Box::new(move |it| (from..=to).contains(&it["createdAt"].as_u64().expect("a time"))),
        ),
        (
            format!("&from={to}&product_id=prod_movie"),
            Box::new(move |it| {
                it["createdAt"].as_u64() >= Some(to) && it["productId"] == "prod_movie"
            }),
        ),
        (format!("&to={}", NOW_MS - 1), Box::new(|_| false)),
    ];
    for (query, wanted) in &filters {
        let want: Vec<&Value> = all.iter().filter(|it| wanted(it)).collect();
        for page_size in [1, 3, 100] {
            let (found, _) = paged(&mut ops, query, page_size).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), want, "{query}, {page_size} a page");
        }
    }
    for (name, number) in [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5)] {
        let want: Vec<&Value> = all.iter().filter(|it| it["changeType"] == number).collect();
        let (found, _) = paged(&mut ops, &format!("&type={name}"), 4).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), want, "{name}");
        assert!(!want.is_empty(), "{name}");
    }
    // All of it is there after a restart, from the disk.
    let shop = shop.reopen().await;
    let mut ops = shop.operator().await;
    for (query, wanted) in &filters {
        let want: Vec<&Value> = all.iter().filter(|it| wanted(it)).collect();
        let (found, _) = paged(&mut ops, query, 7).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), want, "{query}");
    }
}

/// Twelve thousand sales, and what an operator did before them.
#[tokio::test]
async fn what_is_rare_is_found_among_many_sales_and_no_page_looks_without_end() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    act(&mut ops, "prod_kfc", "receive", json!({"quantity": 20_000, "reason": "旺季"})).await;
    let stock =
        shop.engine.account(&AccountKey::stock("prod_kfc").expect("a name")).expect("it is open");
    let lines = [Line { account: stock, quantity: 1 }];
    for _ in 0..12 {
        shop.advance(1_000);
        let sale = Reserve::new(&lines, 60_000).confirmed();
        let sales = vec![Command::Reserve(sale); 1_000];
        for sold in shop.engine.batch(&sales).expect("a batch").wait().expect("it is durable") {
            sold.expect("there is enough");
        }
    }
    // By its operator it is one of a few.
    let (found, pages) = paged(&mut ops, "&operator=ops", 100).await;
    assert_eq!((found.len(), pages), (1, 1));
    assert_eq!(found[0]["description"], "旺季");
    // By its time it is searched for.
    let (found, pages) = paged(&mut ops, &format!("&product_id=prod_kfc&to={NOW_MS}"), 100).await;
    assert_eq!(found.len(), 2, "it, and what the demo began with");
    assert!(pages <= 4, "{pages} pages");
    // By its product and its operator it is behind all the sales: each page ends somewhere.
    let (found, pages) = paged(&mut ops, "&product_id=prod_kfc&operator=ops", 100).await;
    assert_eq!(found.len(), 1);
    assert!((3..=5).contains(&pages), "{pages} pages");
    // A table goes on as well.
    let table = ops.get(&format!("{ALL}?format=csv&page_size=10000&product_id=prod_kfc")).await;
    let lines = table.body.iter().filter(|byte| **byte == b'\n').count() - 1;
    assert_eq!(lines, 10_000);
    let next = table.header("x-next-before").expect("there is more").to_owned();
    let rest = ops
        .get(&format!("{ALL}?format=csv&page_size=10000&product_id=prod_kfc&before={next}"))
        .await;
    let lines = rest.body.iter().filter(|byte| **byte == b'\n').count() - 1;
    assert_eq!((lines, rest.header("x-next-before")), (2_002, None));
}

#[tokio::test]
async fn records_are_a_table_for_a_spreadsheet() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let body = json!({"quantity": 5, "location": "north", "reason": "=1+1, \"x\""});
    act(&mut ops, "prod_movie", "receive", body).await;
    let accept = ops
        .request(hyper::Method::GET, &format!("{ALL}?location=north"))
        .header("Accept", "text/csv");
    let table = ops.send(accept, "").await;
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let found = ops.get(&format!("{ALL}?location=north")).await.data();
    let id = text(&found["records"][0], "id").expect("an id").to_owned();
    let expected = format!(
        "id,product_id,location,change_type,kind,quantity_change,stock_before,stock_after,quantity,\
         related_order_id,operator_id,description,created_at\r\n\
         {id},prod_movie,north,1,received,5,0,5,5,,ops,\"'=1+1, \"\"x\"\"\",2025-06-15T15:06:40.000Z\r\n"
    );
    assert_eq!(String::from_utf8(table.body.to_vec()).expect("UTF-8"), expected);
}

#[tokio::test]
async fn what_is_no_filter_is_refused_by_its_name() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    for (query, told) in [
        ("type=6", "type"),
        ("type=", "type"),
        ("order_id=7", "order_id"),
        ("product_id=a%2Fb", "product_id"),
        ("operator=", "operator"),
        ("location=a%20b", "location"),
        ("from=-1", "from"),
        ("to=x", "to"),
        ("before=7", "before"),
        ("before=inv_7_7", "before"),
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("format=csv&page_size=10001", "page_size"),
        ("format=xml", "format"),
        ("page=2", "page"),
        ("type=1&type=2", "twice"),
    ] {
        let reply = ops.get(&format!("{ALL}?{query}")).await;
        reply.failure(400, "INVALID_REQUEST");
        let message = reply.json()["message"].as_str().expect("a string").to_owned();
        assert!(message.contains(told), "{query}: {message}");
    }
    shop.user("ann").await.get(ALL).await.failure(403, "FORBIDDEN");
    shop.guest().await.get(ALL).await.failure(401, "UNAUTHORIZED");
}
