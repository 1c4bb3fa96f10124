//! Would catch what operators say of a product that the tables do not show, or do not let go.

use hyper::Method;
use serde_json::json;

use crate::books::compare;
use crate::lab::Lab;
use crate::mall::Mall;

crate::on_every_server!(the_tables_show_when_a_product_is_low_and_who_may_wait_for_it);

async fn the_tables_show_when_a_product_is_low_and_who_may_wait_for_it(lab: Lab) {
    let mall = Mall::open(&lab.url()).await;
    let mut admin = mall.admin().await;
    let said = async || {
        lab.row::<(Option<u64>, Option<u64>)>(
            "select low_stock_threshold, waiting_places from products where id = 'prod_kfc'",
        )
        .await
    };
    for (threshold, places) in [(Some(12), Some(3)), (None, Some(0)), (None, None)] {
        let patch = json!({"lowStockThreshold": threshold, "waitingPlaces": places});
        let request = admin.request(Method::PATCH, "/api/admin/products/prod_kfc");
        let request = request.header("If-Match", "*").header("Content-Type", "application/json");
        admin.send(request, patch.to_string()).await.data();
        compare(&mall, &lab).await;
        assert_eq!(said().await, (threshold, places));
    }
    lab.close().await;
}
