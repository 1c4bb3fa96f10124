//! Would catch preferences, favourites and views that the tables do not show, or still show when they
//! are erased, a check that does not see it, and columns of others that a row of the mirror's loses.

use hyper::Method;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::mall::Mall;
use crate::support::Client;

const PREFERENCES: &str = "/api/mall/preferences";
/// What somebody else keeps in the same row.
const BRANDS: &str = r#"["apple"]"#;

crate::on_every_server!(the_tables_show_what_users_like_until_it_is_erased);

async fn send(client: &mut Client, method: Method, path: &str, body: Value) {
    let request = client.request(method, path).header("Content-Type", "application/json");
    client.send(request, body.to_string()).await.data();
}

/// The tables show all of it, and a check finds nothing wrong.
async fn agreed(mall: &Mall, lab: &Lab) {
    mall.mirrored().await;
    let (code, printed, log) = mall.mirror(&["check"], &lab.direct_url());
    assert_eq!(code, 0, "{printed}{log}");
}

/// What stands of ann: weights, sensitivity, favourites, and what it looked at.
async fn stands(lab: &Lab) -> Value {
    let row: (Option<String>, Option<String>, Option<String>, Option<String>) = lab
        .row(
            "select category_preferences, cast(price_sensitivity as char), favourites, browsing_history
             from user_preferences where user_id = 'ann' and seq is not null",
        )
        .await;
    let parsed = |text: Option<String>| -> Value {
        text.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"))
    };
    let ids = |list: Value| -> Value {
        let all = list.as_array().map(|all| all.iter().map(|it| it["productId"].clone()).collect());
        all.map_or(Value::Null, Value::Array)
    };
    json!([parsed(row.0), row.1, ids(parsed(row.2)), ids(parsed(row.3))])
}

async fn the_tables_show_what_users_like_until_it_is_erased(lab: Lab) {
    let mut mall = Mall::open(&lab.url()).await;
    let mut ann = mall.user("ann").await;
    let said =
        json!({"categoryWeights": {"cat_food": 0.8, "cat_travel": 0}, "priceSensitivity": 0.35});
    send(&mut ann, Method::PUT, PREFERENCES, said).await;
    for product in ["prod_kfc", "prod_movie"] {
        send(&mut ann, Method::PUT, &format!("/api/mall/favourites/{product}"), json!({})).await;
    }
    agreed(&mall, &lab).await;
    let weights = json!({"cat_food": 0.8, "cat_travel": 0.0});
    let favourites = json!(["prod_movie", "prod_kfc"]);
    assert_eq!(stands(&lab).await, json!([weights, "0.35", favourites, null]));
    let by_others = format!("update user_preferences set brand_preferences = '{BRANDS}'");
    lab.execute(&[&by_others]).await;

    // A server that stops writes what was looked at.
    for product in ["prod_starbucks", "prod_kfc"] {
        ann.get(&format!("/api/mall/products/{product}")).await.data();
    }
    drop(ann);
    mall.stop();
    mall.serve(&lab.url(), &[]);
    agreed(&mall, &lab).await;
    let looked = json!(["prod_kfc", "prod_starbucks"]);
    assert_eq!(stands(&lab).await, json!([weights, "0.35", favourites, looked]));

    let check = |mall: &Mall| mall.mirror(&["check"], &lab.direct_url());
    let spoil = "update user_preferences set browsing_history = '[]' where user_id = 'ann'";
    lab.execute(&[spoil]).await;
    let (code, printed, log) = check(&mall);
    assert!(code == 2 && printed.contains("browsing_history"), "{printed}{log}");
    let (code, printed, log) = mall.mirror(&["reload"], &lab.direct_url());
    assert_eq!(code, 0, "{printed}{log}");
    agreed(&mall, &lab).await;
    assert_eq!(stands(&lab).await, json!([weights, "0.35", favourites, looked]));

    let mut ann = mall.user("ann").await;
    send(&mut ann, Method::DELETE, PREFERENCES, json!({})).await;
    agreed(&mall, &lab).await;
    assert_eq!(stands(&lab).await, json!([null, null, null, null]));
    let spoil = "update user_preferences set favourites = '[]' where user_id = 'ann'";
    lab.execute(&[spoil]).await;
    assert_eq!(check(&mall).0, 2, "what was erased is shown again");
    let kept: Option<String> =
        lab.row("select json_extract(brand_preferences, '$[0]') from user_preferences").await;
    assert_eq!(kept.as_deref(), Some("\"apple\""), "others keep what is theirs");
    lab.close().await;
}
