//! The sale as the server keeps it: users with points, one product, and its books.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::base::QUANTITY_MAX;
use crate::base::error::{Error, Result};
use crate::http::{Auth, Role};
use crate::settings::secret;
use crate::trials::client::Client;

const TOKEN_TTL_MS: u64 = 12 * 3_600_000;

pub(super) struct Shop {
    pub(super) address: SocketAddr,
    pub(super) users: Vec<Shopper>,
    product: String,
    admin: HeaderValue,
}

pub(super) struct Shopper {
    name: String,
    pub(super) token: HeaderValue,
}

/// What the server's accounts hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    /// Units of the product that can be taken.
    pub(super) available: i64,
    /// Units of the product that were sold, ever.
    pub(super) consumed: u64,
    /// Points of all users together.
    pub(super) points: i128,
    /// Points for one unit.
    pub(super) price: u64,
}

/// What is done for each user.
#[derive(Clone)]
enum Step {
    /// With this body.
    Award(Bytes),
    Balance,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProductAnswer {
    points_price: u64,
}

#[derive(Deserialize)]
struct StockAnswer {
    available: i64,
    sold: u64,
}

#[derive(Deserialize)]
struct BalanceAnswer {
    balance: i64,
}

impl Shop {
    /// A sale of `product` to users that no sale had before.
    pub(super) fn new(address: SocketAddr, auth: &Auth, product: &str, users: u32) -> Result<Self> {
        let sale = secret::random_hex(4)?;
        let users = (0..users)
            .map(|index| Shopper::new(auth, format!("sale-{sale}-{index}")))
            .collect::<Result<_>>()?;
        let admin = header(&auth.issue_for("flash-sale", Role::Admin, TOKEN_TTL_MS)?)?;
        Ok(Self { address, users, product: product.into(), admin })
    }

    /// Receives `stock` units, and gives each user the points to buy all of them.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        stock: u64,
        connections: u32,
    ) -> Result<Holdings> {
        let mut client = Client::connect(self.address).await?;
        let price = self.price(&mut client).await?;
        let points = price.checked_mul(stock).filter(|&points| points <= QUANTITY_MAX);
        let points = points
            .ok_or_else(|| Error::invalid("the stock is worth more points than can be counted"))?;
        let path = format!("/api/admin/inventory/{}/receive", self.product);
        let body = Bytes::from(format!(r#"{{"quantity":{stock},"reason":"秒杀备货"}}"#));
        client.call::<serde_json::Value>(Method::POST, &path, &self.admin, body).await?;
        let body = Bytes::from(format!(r#"{{"points":{points},"reason":"秒杀积分"}}"#));
        self.for_each_user(connections, Step::Award(body)).await?;
        self.holdings(connections).await
    }

    /// What the accounts hold now.
    pub(super) async fn holdings(self: &Arc<Self>, connections: u32) -> Result<Holdings> {
        let points = self.for_each_user(connections, Step::Balance).await?;
        let mut client = Client::connect(self.address).await?;
        let path = format!("/api/admin/inventory/{}", self.product);
        let stock: StockAnswer = client.call(Method::GET, &path, &self.admin, Bytes::new()).await?;
        let price = self.price(&mut client).await?;
        Ok(Holdings { available: stock.available, consumed: stock.sold, points, price })
    }

    /// What a user sends to buy one unit.
    pub(super) fn order(&self) -> Bytes {
        Bytes::from(
            serde_json::json!({"productId": self.product, "quantity": 1, "confirm": true})
                .to_string(),
        )
    }

    async fn price(&self, client: &mut Client) -> Result<u64> {
        let path = format!("/api/mall/products/{}", self.product);
        let product: ProductAnswer =
            client.call(Method::GET, &path, &self.admin, Bytes::new()).await?;
        Ok(product.points_price)
    }

    /// Takes `step` for every user, over a few connections, and adds up their balances.
    async fn for_each_user(self: &Arc<Self>, connections: u32, step: Step) -> Result<i128> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..connections.min(self.users.len() as u32) {
            let (shop, next, step) = (self.clone(), next.clone(), step.clone());
            workers.spawn(async move {
                let mut client = Client::connect(shop.address).await?;
                let mut sum = 0;
                // Relaxed: each number is handed out once, which is all that is needed.
                while let Some(user) = shop.users.get(next.fetch_add(1, Ordering::Relaxed)) {
                    sum += i128::from(shop.step(&mut client, user, &step).await?);
                }
                Ok::<i128, Error>(sum)
            });
        }
        let mut sum = 0;
        while let Some(worker) = workers.join_next().await {
            sum += worker
                .map_err(|cause| Error::unavailable("a worker failed").with_source(cause))??;
        }
        Ok(sum)
    }

    /// The user's balance after the step.
    async fn step(&self, client: &mut Client, user: &Shopper, step: &Step) -> Result<i64> {
        let answer: BalanceAnswer = match step {
            Step::Award(body) => {
                let path = format!("/api/admin/points/{}/award", user.name);
                client.call(Method::POST, &path, &self.admin, body.clone()).await?
            }
            Step::Balance => {
                client.call(Method::GET, "/api/points/balance", &user.token, Bytes::new()).await?
            }
        };
        Ok(answer.balance)
    }
}

impl Shopper {
    fn new(auth: &Auth, name: String) -> Result<Self> {
        let token = header(&auth.issue_for(&name, Role::User, TOKEN_TTL_MS)?)?;
        Ok(Self { name, token })
    }
}

fn header(token: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|cause| Error::invalid("a token is no header").with_source(cause))
}
