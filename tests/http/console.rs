//! Would catch a page of operators or administrators that somebody else sees, that shows a message of a
//! webhook as lost and cannot send it again, or that does not say who changed the stock.

use serde_json::json;
use stockhold::http::Role;

use crate::pages::{Browser, between, text};
use crate::support::{Answer, Hook, Setup, Shop};
use crate::webhooks::{buy, make, tea_shop, until};

const OF_OPERATORS: [&str; 3] = ["/console/records", "/console/sagas", "/console/webhooks"];
const OF_ADMINS: [&str; 2] = ["/console/copies", "/console/settings"];

#[tokio::test]
async fn roles_decide_at_the_server_and_nobody_is_led_where_they_may_not_go() {
    let shop = Shop::open().await;
    let mut ann = Browser::of(&shop, "ann").await;
    let mut olga = Browser::signed_in(&shop, "olga", Role::Operator, "/").await;
    let mut root = Browser::signed_in(&shop, "root", Role::Admin, "/").await;
    for (paths, of_olga) in [(&OF_OPERATORS[..], 200), (&OF_ADMINS, 403)] {
        for path in paths {
            assert_eq!(ann.see(path).await.status, 403, "{path}");
            assert_eq!(olga.see(path).await.status, of_olga, "{path}");
            let page = root.see(path).await;
            assert_eq!(page.status, 200, "{path}");
            assert!(
                text(&page).contains(&format!("href=\"{path}\" aria-current=\"page\"")),
                "{path}"
            );
        }
    }
    let console = text(&olga.see("/console").await);
    assert!(OF_OPERATORS.iter().all(|path| console.contains(&format!("href=\"{path}\""))));
    assert!(!OF_ADMINS.iter().any(|path| console.contains(path)), "{console}");
    for (path, form) in [
        ("/console/sagas", "do=retry&order_id=ord_0000000000000001&reason=x"),
        ("/console/webhooks", "receiver_id=till"),
    ] {
        assert_eq!(ann.send(path, form).await.status, 403, "{path}");
        assert_eq!(olga.send(path, form).await.status, 404, "there is no such thing: {path}");
    }
    // What there is not is said so.
    let copies = text(&root.see("/console/copies").await);
    assert_eq!(copies.matches("<p>None</p>").count(), 3, "{copies}");
    assert!(copies.contains("<li><code>alerts</code></li>"), "the journal's followers: {copies}");
    let sagas = text(&olga.see("/console/sagas").await);
    assert!(sagas.contains("None: points are kept here"), "{sagas}");
}

#[tokio::test]
async fn who_did_what_is_found_by_operator_and_product() {
    let shop = Shop::open().await;
    let receive = json!({"quantity": 5, "reason": "a <delivery>"});
    let mut olga = shop.client("olga", Role::Operator).await;
    olga.post("/api/admin/inventory/prod_kfc/receive", receive.clone()).await.data();
    let mut otto = shop.client("otto", Role::Operator).await;
    otto.post("/api/admin/inventory/prod_movie/receive", receive).await.data();
    let mut eye = Browser::signed_in(&shop, "olga", Role::Operator, "/").await;
    for (query, finds) in [
        ("", [true, true]),
        ("?operator=olga&product_id=&order_id=", [true, false]),
        ("?product_id=prod_movie", [false, true]),
        ("?operator=nobody", [false, false]),
    ] {
        let page = text(&eye.see(&format!("/console/records{query}")).await);
        let rows = ["olga</a></td>", "otto</a></td>"];
        assert_eq!(rows.map(|row| page.contains(row)), finds, "{query}: {page}");
        assert_eq!(page.contains("a &lt;delivery&gt;"), finds.contains(&true), "{query}");
    }
    for wrong in ["?format=csv", "?order_id=nix", "?before=nix"] {
        assert_eq!(eye.see(&format!("/console/records{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_message_that_was_given_up_is_delivered_again() {
    let (shop, mut ops, mut ann) = tea_shop(Setup::default().webhooks).await;
    let hook = Hook::open().await;
    make(&mut ops, "till", &hook, json!(["order.created"])).await;
    hook.answers(|_| Answer::Status(410));
    buy(&mut ann).await;
    until(&mut ops, "till", |it| it["dead"] == 1 && it["enabled"] == false).await;
    let mut olga = Browser::signed_in(&shop, "olga", Role::Operator, "/").await;
    let page = text(&olga.see("/console/webhooks").await);
    assert!(
        page.contains("it is gone (410)") && page.contains("<strong class=\"out\">off"),
        "{page}"
    );
    let id = between(&page, "name=\"message_id\" value=\"", "\"").to_owned();
    ops.send(
        ops.request(hyper::Method::PATCH, "/api/admin/webhooks/till")
            .header("Content-Type", "application/json"),
        json!({"enabled": true}).to_string(),
    )
    .await
    .data();
    hook.answers(|_| Answer::Status(200));
    let form = format!("receiver_id=till&message_id={id}");
    assert_eq!(olga.send("/console/webhooks", &form).await.status, 303);
    let told = hook.count(2).await;
    assert_eq!(told[1].id, id);
    until(&mut ops, "till", |it| it["delivered"] == 1).await;
    let page = text(&olga.see("/console/webhooks").await);
    assert!(!page.contains(&id), "{page}");
}
