//! Would catch tables that do not tell what a basket is of: a product that its order lacks, units
//! that went back as another product's, sales that are all the first product's.

use serde_json::{Value, json};

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Mall, PRODUCTS, name};
use crate::support::Client;

crate::on_every_server!(the_tables_tell_each_product_of_a_basket);

/// How many units of each of [`PRODUCTS`] a basket has.
const UNITS: [u64; 3] = [4, 1, 2];

/// What goes back of a basket: of which product, how many units, and whether they can be sold again.
type Back = (usize, u64, bool);

async fn the_tables_tell_each_product_of_a_basket(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    let mut buyer = mall.user(&name(0)).await;
    let some: &[Back] = &[(0, 1, true), (2, 1, false), (0, 2, true)];
    let all: &[Back] = &[(2, 2, false), (1, 1, true), (0, 4, true)];
    let mut orders = Vec::new();
    for (confirm, back) in [(true, some), (true, all), (true, &[]), (false, &[])] {
        let order = buy(&mut buyer, confirm).await;
        for (at, back) in back.iter().enumerate() {
            // Some of it goes back in the batch in which it was made, some later.
            if at != 1 {
                mall.mirrored().await;
            }
            give_back(&mall, &order, back).await;
        }
        orders.push(order);
    }
    let cancelled = buy(&mut buyer, true).await;
    buyer.post(&format!("/api/mall/orders/{cancelled}/cancel"), json!({})).await.data();
    let single = json!({"productId": PRODUCTS[1], "quantity": 3, "confirm": true});
    buyer.post("/api/mall/exchange", single).await.data();
    compare(&mall, &lab).await;

    let column = |column: &str, order: &str| {
        format!("select {column} from exchange_orders where id = '{order}'")
    };
    let returned = |order| column("returned_quantity, returned_points, status", order);
    let prices: Vec<u64> = prices(&lab.row::<String>(&column("items", &orders[0])).await);
    let first = (Some(4), Some(3 * prices[0] + prices[2]), 1);
    assert_eq!(lab.row::<(Option<u64>, Option<u64>, i8)>(&returned(&orders[0])).await, first);
    let cost = prices.iter().zip(UNITS).map(|(price, units)| price * units).sum();
    let second = (Some(7), Some(cost), -1);
    assert_eq!(lab.row::<(Option<u64>, Option<u64>, i8)>(&returned(&orders[1])).await, second);
    let others = lab.rows::<usize>("select 1 from exchange_orders where items is null").await;
    assert_eq!(others.len(), 1, "an order of one product is no basket");

    what_is_wrong_is_found(&mall, &lab, &orders[2]).await;
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    compare(&mall, &lab).await;
    lab.close().await;
}

/// A basket whose products are told wrongly is a difference.
async fn what_is_wrong_is_found(mall: &Mall, lab: &Lab, order: &str) {
    for wrong in ["json_set(items, '$[2].quantity', 3)", "json_remove(items, '$[2]')", "null"] {
        let damage = format!("update exchange_orders set items = {wrong} where id = '{order}'");
        lab.execute(&[&damage]).await;
        let (code, printed, log) = mall.mirror(&["check"], &lab.url());
        let is_told = code == 2 && printed.contains(order) && printed.contains("not made");
        assert!(is_told, "{wrong}: {code} {printed}{log}");
    }
}

async fn buy(buyer: &mut Client, confirm: bool) -> String {
    let items: Value = PRODUCTS
        .iter()
        .zip(UNITS)
        .map(|(id, quantity)| json!({"productId": id, "quantity": quantity}))
        .collect();
    let body = json!({"items": items, "confirm": confirm});
    let made = buyer.post("/api/mall/exchange", body).await.data();
    made["orderId"].as_str().expect("a string").to_owned()
}

async fn give_back(mall: &Mall, order: &str, (product, quantity, restock): &Back) {
    let path = format!("/api/admin/orders/{order}/refund");
    let product = PRODUCTS[*product];
    let body =
        json!({"reason": "退货", "productId": product, "quantity": quantity, "restock": restock});
    mall.admin().await.post(&path, body).await.data();
}

/// What each product of a basket costs, by its row.
fn prices(items: &str) -> Vec<u64> {
    let items: Vec<Value> = serde_json::from_str(items).expect("JSON");
    let price = |item: &Value| item["productSnapshot"]["pointsPrice"].as_u64().expect("a price");
    let told: Vec<_> = items.iter().map(|item| (item["productId"].as_str(), price(item))).collect();
    let products: Vec<_> = told.iter().map(|(id, _)| *id).collect();
    assert_eq!(products, PRODUCTS.map(Some), "in the order in which they were asked for");
    told.into_iter().map(|(_, price)| price).collect()
}
