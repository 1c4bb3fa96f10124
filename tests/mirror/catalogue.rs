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
        lab.row::<(Option<u64>, Option<u64>, bool)>(
            "select low_stock_threshold, waiting_places, sale_starts_at is not null \
             from products where id = 'prod_kfc'",
        )
        .await
    };
    for (threshold, places, begins) in [
        (Some(12), Some(3), None),
        (None, Some(0), Some(1_800_000_000_123_u64)),
        (None, None, None),
    ] {
        let patch = json!({
            "lowStockThreshold": threshold, "waitingPlaces": places, "saleStartsAt": begins
        });
        let request = admin.request(Method::PATCH, "/api/admin/products/prod_kfc");
        let request = request.header("If-Match", "*").header("Content-Type", "application/json");
        admin.send(request, patch.to_string()).await.data();
        compare(&mall, &lab).await;
        assert_eq!(said().await, (threshold, places, begins.is_some()));
    }
    lab.close().await;
}
