//! Would catch tables that do not tell what operators did with orders: one that is sent without its
//! tracking number or its times, one that goes elsewhere than it was told, one that stands elsewhere.

use hyper::Method;
use serde_json::{Value, json};

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::{Crowd, Mall};

crate::on_every_server!(what_operators_do_with_orders_is_in_the_tables);

async fn what_operators_do_with_orders_is_in_the_tables(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    let crowd = Crowd::at(&mall, 9).await;
    crowd.answered(200).await;
    let orders = crowd.stop().await;
    mall.mirrored().await;
    let mut root = mall.admin().await;
    let (mut sent, mut taken_back) = (0, 0);
    for (number, order) in orders.iter().enumerate() {
        let path = format!("/api/admin/orders/{order}");
        // Every other batch of the mirror begins between two steps of an order.
        if number % 16 == 0 {
            mall.mirrored().await;
        }
        let elsewhere = json!({"deliveryInfo": {"city": "深圳", "number": number}});
        let request = root.request(Method::PUT, &format!("{path}/delivery"));
        let request = request.header("Content-Type", "application/json");
        let moved = root.send(request, elsewhere.to_string()).await;
        assert!([200, 409].contains(&moved.status), "{:?}", moved.body);
        let body = json!({"trackingNo": format!("SF-{number}"), "carrier": "顺丰"});
        if root.post(&format!("{path}/ship"), body).await.status != 200 {
            continue;
        }
        sent += 1;
        let acts: &[(&str, Value)] = &[
            ("deliver", json!({})),
            ("complete", json!({})),
            ("refund", json!({"reason": "退货", "evenCompleted": true})),
        ];
        for (action, body) in &acts[..number % 4] {
            if number % 3 == 0 {
                mall.mirrored().await;
            }
            root.post(&format!("{path}/{action}"), body.clone()).await.data();
            taken_back += usize::from(*action == "refund");
        }
    }
    assert!(sent > 8 && taken_back > 1, "{sent} were sent, {taken_back} taken back");
    compare(&mall, &lab).await;

    // What the tables lost is written anew, with all of it.
    let damage = "update exchange_orders set tracking_no = 'x', delivered_at = null where shipped_at is not null";
    lab.execute(&[damage]).await;
    let (code, printed, log) = mall.mirror(&["check"], &lab.url());
    assert!(code == 2 && printed.contains("tracking_no"), "{printed}{log}");
    let (code, printed, log) = mall.mirror(&["reload"], &lab.url());
    assert_eq!(code, 0, "{printed}{log}");
    mall.until("the server's mirror to go on", |status| status["state"] == "following").await;
    compare(&mall, &lab).await;
    println!("{sent} orders were sent, {taken_back} of them taken back");
    lab.close().await;
}
