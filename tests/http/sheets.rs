//! Would catch a table that is carried out twice, or not at all for one wrong row; a catalogue that does
//! not come back from its own file; and lines and experiments that operators cannot see.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::mall::Product;

use crate::pages::{Browser, between, text};
use crate::support::{Client, Shop, product};

async fn desk(shop: &Shop) -> Browser {
    Browser::signed_in(shop, "olga", Role::Operator, "/").await
}

async fn order(user: &mut Client) -> String {
    let wanted = json!({"productId": "prod_kfc", "quantity": 1, "confirm": true});
    let made = user.post("/api/mall/exchange", wanted).await.data();
    made["orderId"].as_str().expect("an id").to_owned()
}

fn form(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| {
        format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
    };
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn many_orders_are_carried_on_by_a_table_each_row_once() {
    let shop = Shop::open().await;
    let mut demo = shop.user("demo").await;
    let (one, two, waits) = (order(&mut demo).await, order(&mut demo).await, {
        let wanted = json!({"productId": "prod_kfc", "quantity": 1});
        let made = demo.post("/api/mall/exchange", wanted).await.data();
        made["orderId"].as_str().expect("an id").to_owned()
    });
    let mut olga = desk(&shop).await;
    let page = text(&olga.see("/console/dispatch").await);
    let key = between(&page, "name=\"key\" value=\"", "\"").to_owned();
    let table = format!(
        "order,do,trackingNo,carrier\n{one},ship,SF1,顺丰\n{two},ship,\"SF,2\",\n{one},complete,,\n\
         {waits},ship,SF3,\nord_nix,ship,SF4,\n{two},burn,,\n{two},ship,,\n"
    );
    let send = form(&[("key", &key), ("rows", &table)]);
    let told = text(&olga.send("/console/dispatch", &send).await);
    assert!(told.contains("data-done=\"3\""), "{told}");
    assert!(told.contains("There is no such order.") && told.contains("pending"), "{told}");
    assert!(told.contains("do is ship, deliver or complete"), "{told}");
    assert!(told.contains("the cell trackingNo is empty"), "{told}");
    assert!(told.contains("SF,2"), "what was sent can be corrected: {told}");
    let state = async |order: &str| {
        let path = format!("/api/admin/orders/{order}");
        shop.operator().await.get(&path).await.data()
    };
    let shipped = state(&one).await;
    assert_eq!(
        (&shipped["state"], &shipped["trackingNo"], &shipped["carrier"]),
        (&json!("completed"), &json!("SF1"), &json!("顺丰"))
    );
    assert_eq!(shipped["records"][0]["operator"], "olga");
    assert_eq!(state(&two).await["trackingNo"], "SF,2");

    // Sent again it says the same, and changes nothing.
    let before = shop.engine.status().durable_seq;
    let again = text(&olga.send("/console/dispatch", &send).await);
    assert!(again.contains("data-done=\"3\""), "{again}");
    assert_eq!(shop.engine.status().durable_seq, before);
    // What is corrected is done, and what was done stays as it was.
    demo.post(&format!("/api/mall/orders/{waits}/confirm"), json!({})).await.data();
    let corrected = table.replace("SF1", "SF9");
    let send = form(&[("key", &key), ("rows", &corrected)]);
    let told = text(&olga.send("/console/dispatch", &send).await);
    assert!(told.contains("data-done=\"3\"") && told.contains("sent before"), "{told}");
    assert_eq!(state(&waits).await["trackingNo"], "SF3");
    assert_eq!(state(&one).await["trackingNo"], "SF1");
}

#[tokio::test]
async fn a_table_has_bounds_and_is_for_operators() {
    let shop = Shop::open().await;
    let mut olga = desk(&shop).await;
    for (rows, says) in
        [("order,do\n", "a table has 1 to 500 rows"), ("order,colour\nx,y\n", "there is no column")]
    {
        let refused = olga.send("/console/dispatch", &form(&[("key", "k"), ("rows", rows)])).await;
        assert!(refused.status == 400 && text(&refused).contains(says), "{}", text(&refused));
    }
    let many = format!("order,do\n{}", "x,ship\n".repeat(501));
    let refused = olga.send("/console/dispatch", &form(&[("key", "k"), ("rows", &many)])).await;
    assert_eq!(refused.status, 400);
    let mut demo = Browser::of(&shop, "demo").await;
    for path in ["/console/dispatch", "/console/catalogue"] {
        assert_eq!(demo.send(path, &form(&[("key", "k"), ("rows", &many)])).await.status, 403);
    }
    assert_eq!(demo.see("/console/catalogue.csv").await.status, 403);
}

#[tokio::test]
async fn the_catalogue_goes_into_a_file_and_comes_back() {
    let shop = Shop::open().await;
    let mut olga = desk(&shop).await;
    let file = olga.see("/console/catalogue.csv").await;
    assert!(file.header("content-type").expect("it").starts_with("text/csv"));
    assert!(file.header("content-disposition").expect("it").contains("catalogue.csv"));
    let file = text(&file);
    assert!(file.starts_with("kind,id,name,") && file.contains("product,prod_kfc,KFC"), "{file}");
    let send = async |olga: &mut Browser, act: &str, rows: &str| {
        let told = olga.send("/console/catalogue", &form(&[("do", act), ("rows", rows)])).await;
        assert_eq!(told.status, 200, "{}", text(&told));
        text(&told)
    };
    let before = shop.engine.status().durable_seq;
    let told = send(&mut olga, "write", &file).await;
    assert!(told.contains("data-written=\"0\""), "it is as it was: {told}");
    let more = "kind,id,name,categoryId,pointsPrice,saleStartsAt\n\
                product,tea,Tea,cat_food,90,1800000000000\n";
    let told = send(&mut olga, "look", more).await;
    assert!(told.contains("data-written=\"1\"") && told.contains("Would be written"), "{told}");
    let wrong = format!("{more}product,cup,Cup,nowhere,5,\n");
    let told = send(&mut olga, "write", &wrong).await;
    assert!(told.contains("data-written=\"0\"") && told.contains("Line 3"), "{told}");
    assert!(told.contains("Nothing was changed."), "{told}");
    assert_eq!(shop.engine.status().durable_seq, before, "nothing of all that was written");
    send(&mut olga, "write", more).await;
    let tea = shop.guest().await.get("/api/mall/products/tea").await.data();
    assert_eq!(
        (&tea["name"], &tea["saleStartsAt"]),
        (&json!("Tea"), &json!(1_800_000_000_000_u64))
    );
    let kept = shop.operator().await.get("/api/admin/products/tea").await.data();
    assert_eq!(kept["updatedBy"], "olga");
    // It is longer than another body may be.
    let note = "x".repeat(3_000);
    let row = |number| format!("product,p{number},P,cat_food,5,{note}\n");
    let rows: String = (0..60).map(row).collect();
    let long = format!("kind,id,name,categoryId,pointsPrice,description\n{rows}");
    assert!(send(&mut olga, "write", &long).await.contains("data-written=\"60\""));
}

#[tokio::test]
async fn a_report_has_plots_and_says_what_the_api_says() {
    let shop = Shop::open().await;
    let mut demo = shop.user("demo").await;
    order(&mut demo).await;
    let mut olga = desk(&shop).await;
    let page = text(&olga.see("/console/reports").await);
    assert!(page.contains("Report of 2025-06-15") && page.contains("· UTC"), "{page}");
    assert_eq!(page.matches("<svg role=\"img\"").count(), 2, "{page}");
    assert!(!page.contains(" style="), "the policy forbids it: {page}");
    let told = shop.operator().await.get("/api/admin/reports/daily?date=2025-06-15").await.data();
    assert_eq!(told["orders"]["exchanged"], 1);
    assert!(page.contains("<dt>Exchanges</dt><dd>1</dd>"), "{page}");
    assert!(page.contains("<th scope=\"row\">15:00</th><td class=\"number\">1</td>"), "{page}");
    let week = text(&olga.see("/console/reports?week=2025-W24&date=").await);
    assert!(week.contains("Report of 2025-W24"), "{week}");
    for wrong in ["date=tomorrow", "week=2025-99", "day=1"] {
        assert_eq!(olga.see(&format!("/console/reports?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn operators_see_who_waits_for_what_and_what_came_of_experiments() {
    let shop = Shop::open().await;
    let tea = Product { waiting_places: Some(5), ..product("tea", 10) };
    shop.mall.put_product(&tea).expect("it is written");
    let mut ann = shop.user_with("ann", 100).await;
    let mut olga = desk(&shop).await;
    let page = text(&olga.see("/console/lines").await);
    assert!(page.contains("There is nothing here yet."), "{page}");
    ann.post("/api/mall/products/tea/waiting-list", json!({})).await.data();
    let page = text(&olga.see("/console/lines").await);
    assert!(page.contains("/console/lines?product_id=tea"), "{page}");
    let page = text(&olga.see("/console/lines?product_id=tea").await);
    assert!(page.contains("/console/users?user_id=ann"), "{page}");
    assert_eq!(olga.see("/console/lines?product_id=nix").await.status, 404);
    let page = text(&olga.see("/console/experiments").await);
    assert!(page.contains("There is nothing here yet."), "{page}");
    let none: Value = shop.operator().await.get("/api/admin/experiments").await.data();
    assert_eq!(none["experiments"], json!([]), "the page says what the API says");
}
