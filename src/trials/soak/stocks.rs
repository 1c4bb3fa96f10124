//! Holding each product's stock against everything that all callers know.

use hyper::Method;
use hyper::body::Bytes;
use tokio::time::{Instant, sleep};

use super::ask::{Reply, send};
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
        let mut stocks = self.before;
        for caller in &self.callers {
            stocks.iter_mut().zip(caller.stocks()).for_each(|(sum, stock)| sum.add(stock));
        }
        let mut client = Client::connect(life.address).await?;
        for ((name, _), stock) in PRODUCTS.iter().zip(stocks) {
            self.check_stock(&mut client, name, stock).await?;
            self.counts.stocks_checked += 1;
        }
        Ok(())
    }

    async fn check_stock(&mut self, client: &mut Client, name: &str, stock: Stock) -> Result<()> {
        let available = i128::from(stock.received)
            - i128::from(stock.written_off)
            - i128::from(stock.reserved)
            - i128::from(stock.sold);
        let started = Instant::now();
        loop {
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
