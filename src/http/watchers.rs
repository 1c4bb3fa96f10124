//! Who watches the stock of a product: however many there are, the ledger is asked once in a while for
//! all of them, and only what changed is written to them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Limits;
use super::answer::Maker;
use super::api::shop::catalogue::WatchedWire;
use super::error::{ApiError, Code};
use super::guests::Address;
use super::visit::Visit;
use crate::base::error::Result;
use crate::mall::Mall;

/// How often the stock is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What a client takes for silence after a while: a comment.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// The products that are watched.
#[derive(Debug)]
pub(super) struct Watchers {
    places: Arc<Places>,
    rooms: Arc<Mutex<HashMap<String, watch::Sender<Bytes>>>>,
}

/// One who watches.
pub(super) struct Watcher {
    news: watch::Receiver<Bytes>,
    place: Place,
}

/// How many may watch: in all, and from one address.
#[derive(Debug)]
struct Places {
    all_max: usize,
    each_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<Address, usize>,
}

/// A place, until it is dropped.
struct Place {
    places: Arc<Places>,
    /// `None` where bounds of each address do not hold.
    address: Option<Address>,
}

impl Places {
    fn take(self: &Arc<Self>, visit: Visit) -> Result<Place, ApiError> {
        let address = visit.is_bounded().then_some(visit.address);
        let full = |what| Err(ApiError::new(Code::Overloaded).detail(what));
        let mut taken = self.taken.lock();
        if taken.all >= self.all_max {
            return full("as many watch the stock as may");
        }
        if let Some(address) = address {
            let same = taken.by_address.get(&address).copied().unwrap_or_default();
            if same >= self.each_max {
                return full("as many watch the stock from one address as may");
            }
            taken.by_address.insert(address, same + 1);
        }
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.all -= 1;
        let same = self.address.map(|address| taken.by_address.entry(address));
        if let Some(Entry::Occupied(mut same)) = same {
            *same.get_mut() -= 1;
            if *same.get() == 0 {
                same.remove();
            }
        }
    }
}

impl Watchers {
    pub(super) fn new(limits: &Limits) -> Self {
        let places = Places {
            all_max: limits.stock_watchers,
            each_max: limits.stock_watchers_per_address,
            taken: Mutex::default(),
        };
        Self { places: Arc::new(places), rooms: Arc::default() }
    }

    /// A place to watch a product from.
    ///
    /// # Errors
    /// OVERLOADED while as many watch as may, in all or from one address, PRODUCT_NOT_FOUND where there
    /// is nothing to see.
    pub(super) fn join(
        &self,
        mall: &Mall,
        visit: Visit,
        product_id: &str,
    ) -> Result<Watcher, ApiError> {
        let place = self.places.take(visit)?;
        let mut rooms = self.rooms.lock();
        if let Some(room) = rooms.get(product_id) {
            return Ok(Watcher { news: room.subscribe(), place });
        }
        let (room, news) = watch::channel(seen(mall, product_id)?);
        rooms.insert(product_id.to_owned(), room);
        drop(rooms);
        tokio::spawn(look(mall.clone(), product_id.to_owned(), self.rooms.clone()));
        Ok(Watcher { news, place })
    }
}

/// Looks at a product until nobody watches it.
async fn look(
    mall: Mall,
    product_id: String,
    rooms: Arc<Mutex<HashMap<String, watch::Sender<Bytes>>>>,
) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = seen(&mall, &product_id);
        let mut rooms = rooms.lock();
        let Some(room) = rooms.get(&product_id) else { return };
        match now {
            Ok(now) if room.receiver_count() > 0 => {
                room.send_if_modified(|last| {
                    let is_other = *last != now;
                    if is_other {
                        *last = now;
                    }
                    is_other
                });
            }
            // Nobody watches, or it is not for sale any more: who watches is told by the end.
            Ok(_) | Err(_) => {
                rooms.remove(&product_id);
                return;
            }
        }
    }
}

/// The stock as an event.
fn seen(mall: &Mall, product_id: &str) -> Result<Bytes, ApiError> {
    let (_, level) = mall.product(product_id)?;
    let stock = serde_json::to_string(&WatchedWire::of(&level));
    let stock = stock.map_err(|error| ApiError::invalid(error.to_string()))?;
    Ok(format!("event: stock\ndata: {stock}\n\n").into())
}

impl Watcher {
    /// Tells a client until it goes, or takes nothing for `patience`, or the server stops.
    pub(super) async fn tell(
        self,
        maker: Maker,
        mut stopping: watch::Receiver<bool>,
        heartbeat: Duration,
        patience: Duration,
    ) {
        let Self { mut news, place } = self;
        news.mark_changed();
        loop {
            let piece = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => break,
                () = maker.pieces.closed() => break,
                changed = timeout(heartbeat, news.changed()) => match changed {
                    Ok(Ok(())) => news.borrow_and_update().clone(),
                    Ok(Err(_)) => break,
                    Err(_) => HEARTBEAT,
                },
            };
            match timeout(patience, maker.pieces.send(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        drop(place);
    }
}
