//! Would catch a mall that closes with its history: the catalogue is read from memory, recommendations
//! are what is hot, exchanges go on, and whoever asks how it stands hears what still works.

use serde_json::{Value, json};

use crate::support::{Client, Setup, Shop};

const CATALOGUE: [&str; 5] = [
    "/api/mall/products",
    "/api/mall/products?keyword=%E7%94%B5%E5%BD%B1",
    "/api/mall/products/prod_movie",
    "/api/mall/categories",
    "/api/mall/levels",
];

async fn catalogue(client: &mut Client) -> Vec<Value> {
    let mut all = Vec::new();
    for path in CATALOGUE {
        all.push(client.get(path).await.data());
    }
    all
}

#[tokio::test]
async fn without_history_that_has_failed_all_is_shown_and_sold() {
    let setup = Setup { engine: |builder| builder.history_flush_rows(1), ..Setup::default() };
    let shop = Shop::with(setup).await;
    let (mut ann, mut guest) = (shop.user_with("ann", 100_000).await, shop.guest().await);
    shop.engine.catch_up().await.expect("history is read");
    let before = catalogue(&mut guest).await;
    assert_eq!(ann.get("/api/mall/recommendations").await.data()["type"], "personal");

    // Where sled's manifest is written before it gets its name.
    let in_the_way = shop.path().join("store.manifest.new");
    while let Err(error) = std::fs::create_dir(&in_the_way) {
        // It is being written just now.
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        tokio::task::yield_now().await;
    }
    let movie = json!({"productId": "prod_movie", "quantity": 1, "confirm": true});
    let bought = ann.post("/api/mall/exchange", movie.clone()).await.data()["orderId"].clone();
    while !shop.engine.status().history_failed {
        tokio::task::yield_now().await;
    }

    // What is sold from here on is in no history.
    ann.post("/api/mall/exchange", movie).await.data();
    let after = catalogue(&mut guest).await;
    assert_eq!(after[2]["stockQuantity"], 1_998, "stock is told as it is");
    for told in ["name", "description", "category", "pointsPrice", "createdAt"] {
        assert_eq!(after[2][told], before[2][told], "{told}");
    }
    assert_eq!(after[3..], before[3..]);
    let ids = |listed: &Value| {
        let products = listed["products"].as_array().expect("a list").iter();
        products.map(|it| it["id"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    for list in 0..2 {
        assert!(!ids(&before[list]).is_empty());
        assert_eq!(ids(&after[list]), ids(&before[list]));
    }
    let found = ann.get("/api/mall/recommendations").await.data();
    assert_eq!(found["type"], "hot");
    assert!(!found["products"].as_array().expect("a list").is_empty(), "{found}");
    assert_eq!(ann.get("/api/mall/home").await.data()["recommendations"]["type"], "hot");
    assert_eq!(ann.balance().await, 91_000);

    for path in ["/health", "/ready"] {
        let told = guest.get(path).await;
        assert_eq!(told.status, 200, "{path}");
        let told = told.json();
        assert_eq!(told["checks"]["history"], "rejected", "{path}: {told}");
        let works = told["dependencies"]["history"]["stillWorks"].as_str().expect("it is said");
        assert!(works.starts_with("the catalogue is shown, and everything is sold"), "{works}");
    }
    // Only what history alone knows is not told.
    let bought = bought.as_str().expect("a name");
    ann.get(&format!("/api/mall/orders/{bought}")).await.failure(503, "UNAVAILABLE");
}
