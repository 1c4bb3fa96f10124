//! Would catch a list of orders that leaves one out or shows one that was not asked for, a page that
//! has no end, a user who sees another's orders, and a table that a spreadsheet misreads.

use hyper::Method;
use serde_json::{Value, json};
use stockhold::{AccountKey, Engine, Line, Reserve};

use crate::support::{Client, NOW_MS, Reply, Shop};

async fn exchange(user: &mut Client, product: &str, confirm: bool) -> String {
    let body = json!({"productId": product, "quantity": 1, "confirm": confirm});
    let data = user.post("/api/mall/exchange", body).await.data();
    data["orderId"].as_str().expect("a string").to_owned()
}

fn ids(page: &Value) -> Vec<String> {
    let orders = page["orders"].as_array().expect("an array").iter();
    orders.map(|order| order["orderId"].as_str().expect("a string").to_owned()).collect()
}

async fn found(client: &mut Client, path: &str) -> Vec<String> {
    ids(&client.get(path).await.data())
}

/// Every page, one after the other.
async fn paged(client: &mut Client, path: &str) -> Vec<String> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{before}")).await.data();
        all.extend(ids(&page));
        match page["nextBefore"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}

/// Something else reserves, too: it is no order.
fn reserve_beside(engine: &Engine) {
    let account = engine.account(&AccountKey::stock("prod_airpods").expect("a valid name"));
    let account = account.expect("the demo has it");
    let lines = [Line { account, quantity: 1 }];
    drop(engine.reserve(Reserve::new(&lines, 60_000)).expect("there is enough"));
}

#[tokio::test]
async fn operators_find_orders_by_what_they_are_about() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let mut bob = shop.user_with("bob", 1_000_000).await;
    let mut made = Vec::new();
    for round in 0..4 {
        for (user, client) in [("ann", &mut ann), ("bob", &mut bob)] {
            for product in ["prod_movie", "prod_kfc"] {
                shop.advance(1_000);
                reserve_beside(&shop.engine);
                let id = exchange(client, product, round > 0).await;
                made.push((id, user, product, NOW_MS + 1_000 * (made.len() as u64 + 1)));
            }
        }
    }
    for (id, ..) in &made[8..12] {
        let path = format!("/api/admin/orders/{id}/ship");
        ops.post(&path, json!({"trackingNo": "1"})).await.data();
    }
    for (id, ..) in &made[12..14] {
        let path = format!("/api/admin/orders/{id}/refund");
        ops.post(&path, json!({"reason": "x"})).await.data();
    }
    let status = |place: usize| -> i64 {
        match place {
            0..4 => 0,
            8..12 => 2,
            12..14 => -1,
            _ => 1,
        }
    };
    made.reverse();
    let newest = |wanted: &dyn Fn(i64, &str, &str, u64) -> bool| -> Vec<String> {
        let places = made.iter().enumerate().filter(|(place, (_, user, product, at))| {
            wanted(status(15 - place), user, product, *at)
        });
        places.map(|(_, (id, ..))| id.clone()).collect()
    };
    let (from, to) = (made[12].3, made[4].3);
    let all = "/api/admin/orders?page_size=100";
    for (query, wanted) in [
        ("", Box::new(|_, _: &str, _: &str, _| true) as Box<dyn Fn(i64, &str, &str, u64) -> bool>),
        ("&user_id=bob", Box::new(|_, user, _, _| user == "bob")),
        ("&product_id=prod_kfc", Box::new(|_, _, product, _| product == "prod_kfc")),
        ("&status=2", Box::new(|status, _, _, _| status == 2)),
        ("&status=-1", Box::new(|status, _, _, _| status == -1)),
        ("&status=confirmed", Box::new(|status, _, _, _| status == 1)),
        ("&status=expired", Box::new(|_, _, _, _| false)),
        (&format!("&from={from}&to={to}"), Box::new(move |_, _, _, at| from <= at && at <= to)),
        (&format!("&from={to}"), Box::new(move |_, _, _, at| at >= to)),
        ("&status=1&user_id=ann&product_id=prod_movie", {
            Box::new(|status, user, product, _| (status, user, product) == (1, "ann", "prod_movie"))
        }),
        ("&user_id=nobody", Box::new(|_, _, _, _| false)),
    ] {
        let want = newest(&|status, user, product, at| wanted(status, user, product, at));
        assert_eq!(found(&mut ops, &format!("{all}{query}")).await, want, "{query}");
        let small = format!("/api/admin/orders?page_size=3{query}");
        assert_eq!(paged(&mut ops, &small).await, want, "page by page: {query}");
    }
    // Users see their own, by the same filters.
    let mine = newest(&|status, user, _, _| status == 2 && user == "ann");
    assert_eq!(found(&mut ann, "/api/mall/orders?status=2").await, mine);
    ann.get("/api/mall/orders?user_id=bob").await.failure(400, "INVALID_REQUEST");
    ann.get("/api/admin/orders").await.failure(403, "FORBIDDEN");

    let (id, user, ..) = &made[5];
    let whole = ops.get(&format!("/api/admin/orders/{id}")).await.data();
    let number = whole["orderNo"].as_str().expect("a number").to_owned();
    let numbered = |text: &str| format!("/api/admin/orders?order_no={text}");
    for text in [&number, id, &number["EX".len()..].to_owned()] {
        assert_eq!(found(&mut ops, &numbered(text)).await, std::slice::from_ref(id), "{text}");
    }
    let listed = ops.get(&numbered(&number)).await.data();
    assert_eq!(listed["orders"][0]["userId"], json!(user));
    let every = found(&mut ops, all).await;
    assert_eq!(found(&mut ops, &numbered(&number[..8])).await, every, "they all begin so");
    assert!(found(&mut ops, &numbered("EX0000")).await.is_empty());
    for wrong in [
        "status=4",
        "status=",
        "status=Pending",
        "from=x",
        "to=-1",
        "order_no=",
        "order_no=EX99",
        "user_id=a%20b",
        "product_id=",
        "page_size=101",
        "format=xml",
        "page=1",
    ] {
        ops.get(&format!("/api/admin/orders?{wrong}")).await.failure(400, "INVALID_REQUEST");
    }
}

async fn table(client: &mut Client, path: &str) -> Reply {
    let request = client.request(Method::GET, path).header("Accept", "text/csv");
    client.send(request, "").await
}

#[tokio::test]
async fn a_table_has_a_line_for_each_order_and_says_how_it_goes_on() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let mut ann = shop.user_with("ann", 1_000_000).await;
    let info = json!({"name": "=HYPERLINK(\"x\")", "note": "a,\nb"});
    let body =
        json!({"productId": "prod_movie", "quantity": 2, "confirm": true, "deliveryInfo": info});
    let id = ann.post("/api/mall/exchange", body).await.data()["orderId"].clone();
    let id = id.as_str().expect("a string");
    shop.advance(1_000);
    let ship = json!({"trackingNo": "=1+1", "carrier": "顺丰, 北京"});
    ops.post(&format!("/api/admin/orders/{id}/ship"), ship).await.data();
    let number = ops.get(&format!("/api/admin/orders/{id}")).await.data()["orderNo"].clone();
    let whole = table(&mut ops, "/api/admin/orders").await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(whole.header("x-next-before"), None);
    let text = String::from_utf8(whole.body.to_vec()).expect("UTF-8");
    let number = number.as_str().expect("a string");
    let wanted = format!(
        "order_id,order_no,status,state,user_id,product_id,product_name,quantity,points_cost,returned_quantity,returned_points,delivery_info,\
         delivery_status,tracking_no,carrier,created_at,expires_at,exchanged_at,shipped_at,delivered_at,completed_at,\
         cancelled_at\r\n\
         {id},{number},2,shipped,ann,prod_movie,电影票通用券,2,9000,0,0,\
         \"{{\"\"name\"\":\"\"=HYPERLINK(\\\"\"x\\\"\")\"\",\"\"note\"\":\"\"a,\\nb\"\"}}\",1,\"'=1+1\",\"顺丰, 北京\",\
         2025-06-15T15:06:40.000Z,2025-06-15T15:21:40.000Z,2025-06-15T15:06:40.000Z,2025-06-15T15:06:41.000Z,,,\r\n"
    );
    assert_eq!(text, wanted);
    let mine = ann.get("/api/mall/orders?format=csv").await;
    assert_eq!(String::from_utf8(mine.body.to_vec()).expect("UTF-8"), wanted);

    for _ in 0..4 {
        exchange(&mut ann, "prod_movie", true).await;
    }
    let lines = |reply: &Reply| reply.body.iter().filter(|byte| **byte == b'\n').count() - 1;
    let first = table(&mut ops, "/api/admin/orders?page_size=3").await;
    let next = first.header("x-next-before").expect("there is more").to_owned();
    let second = table(&mut ops, &format!("/api/admin/orders?page_size=3&before={next}")).await;
    assert_eq!((lines(&first), lines(&second), second.header("x-next-before")), (3, 2, None));
    let json = ops.get("/api/admin/orders?format=json").await.data();
    assert_eq!(ids(&json).len(), 5);
    // What went wrong is JSON; where there is no table there is none.
    table(&mut ops, "/api/admin/orders?status=9").await.failure(400, "INVALID_REQUEST");
    table(&mut ann, "/api/admin/orders").await.failure(403, "FORBIDDEN");
    table(&mut ops, "/api/mall/products").await.failure(406, "NOT_ACCEPTABLE");
}

/// Orders of 16 KiB each: a table ends where it would be too long, and goes on.
#[tokio::test]
async fn a_table_is_bounded_in_bytes() {
    let shop = Shop::open().await;
    let mut ops = shop.operator().await;
    let mut ann = shop.user_with("ann", 1_000_000_000).await;
    let info = json!({"note": "x".repeat(15_000)});
    let mut left = 300;
    for _ in 0..left {
        let body = json!({"productId": "prod_movie", "quantity": 1, "confirm": true, "deliveryInfo": info});
        ann.post("/api/mall/exchange", body).await.data();
    }
    let mut path = "/api/admin/orders?page_size=10000&format=csv".to_owned();
    let mut tables = 0;
    loop {
        let reply = ops.get(&path).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.len() < 5 << 20, "{} bytes", reply.body.len());
        tables += 1;
        left -= reply.body.iter().filter(|byte| **byte == b'\n').count() - 1;
        let Some(next) = reply.header("x-next-before") else { break };
        path = format!("/api/admin/orders?page_size=10000&format=csv&before={next}");
    }
    assert_eq!((left, tables), (0, 2), "each order is in one of them");
}
