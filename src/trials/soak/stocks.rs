//! Holding each product's stock against everything that all callers know.

use hyper::Method;
use hyper::body::Bytes;
use tokio::time::{Instant, sleep};

use super::ask::{Reply, location_of, send};
use super::caller::Life;
use super::check::{BACK_WITHIN, LOOK_EVERY};
use super::holdings::Stock;
use super::products::PRODUCTS;
use super::run::Soak;
use crate::base::error::{Error, Result};
use crate::trials::client::Client;

impl Soak<'_> {
    /// Every product has what the demo put there and all callers did to it.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub(super) async fn check_stocks(&mut self, life: &Life) -> Result<()> {
        let mut client = Client::connect(life.address).await?;
        for product in 0..PRODUCTS.len() {
            self.check_stock(&mut client, product).await?;
            self.counts.stocks_checked += 1;
        }
        Ok(())
    }

    /// What the demo put there and all callers did to it.
    fn stock(&self, product: usize) -> Stock {
        let mut stock = self.before[product];
        self.callers.iter().for_each(|caller| stock.add(caller.stocks()[product]));
        stock
    }

    async fn check_stock(&mut self, client: &mut Client, product: usize) -> Result<()> {
        let name = PRODUCTS[product].0;
        let started = Instant::now();
        loop {
            let stock = self.stock(product);
            let available = i128::from(stock.received)
                - i128::from(stock.written_off)
                - i128::from(stock.reserved)
                - i128::from(stock.sold);
            let shown = self.inventory(client, name).await?;
            let it = Stock {
                received: shown.number("total"),
                written_off: shown.number("writtenOff"),
                reserved: shown.number("reserved"),
                sold: shown.number("sold"),
            };
            let left = shown.data["available"].as_i64().unwrap_or(-1);
            if it == stock && i128::from(left) == available && left >= 0 {
                self.check_chain(name, &shown);
                self.check_locations(product, &shown);
                return Ok(());
            }
            if started.elapsed() > BACK_WITHIN {
                let shown = &shown.data;
                self.findings.note(format!(
                    "{name} has {shown} where all orders say {stock:?}, {available} left"
                ));
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
            // Who waits may have been served since.
            let mut callers = std::mem::take(&mut self.callers);
            let mut looked = Ok(());
            for caller in &mut callers {
                looked = looked.and(caller.look_for_all_orders(client).await);
            }
            self.callers = callers;
            looked?;
        }
    }

    /// Each caller's own location has what it brought there, and counted.
    fn check_locations(&mut self, product: usize, shown: &Reply) {
        let there = shown.data["locations"].as_array().map(Vec::as_slice).unwrap_or_default();
        for caller in &self.callers {
            let name = location_of(&caller.users[0].name);
            let found = there.iter().find(|it| it["location"] == *name);
            let units = found.map_or(Some(0), |it| it["stockQuantity"].as_u64());
            let stored = caller.stored[product];
            self.findings.check(units == Some(stored), || {
                format!("{name} has {units:?} where {stored} were brought: {:?}", shown.data)
            });
        }
    }

    /// Each record begins where the one before it ended, and the newest ends at what there is.
    fn check_chain(&mut self, name: &str, shown: &Reply) {
        let mut next = shown.data["available"].as_i64();
        for record in shown.data["records"].as_array().into_iter().flatten() {
            self.findings.check(record["stockAfter"].as_i64() == next, || {
                format!("{name} has {next:?} where its records say {record}")
            });
            next = record["stockBefore"].as_i64();
        }
    }

    /// A product as an operator sees it.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub(super) async fn inventory(&mut self, client: &mut Client, name: &str) -> Result<Reply> {
        let path = format!("/api/admin/inventory/{name}?limit=100");
        let token = &self.callers[0].admin;
        let reply = send(client, Method::GET, &path, token, None, Bytes::new()).await;
        match reply {
            Some(reply) if reply.is_success() => Ok(reply),
            reply => Err(Error::unavailable(format!("{path} was answered {reply:?}"))),
        }
    }
}
