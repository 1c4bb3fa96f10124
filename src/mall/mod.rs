//! The points mall on the engine's public face: catalogue, exchange, orders, points and inventory.
//!
//! No stock rule lives here. The mall names accounts, builds one reservation for an exchange, and
//! reads what the engine answered; what can be taken is the ledger's to decide.

mod alerts;
#[cfg(feature = "server")]
mod answers;
mod browsing;
mod catalogue;
mod demo;
mod edit;
pub(crate) mod elsewhere;
mod exchange;
mod experiments;
pub(crate) mod facts;
pub(crate) mod fields;
mod following;
mod held;
mod leaks;
mod levels;
mod lines;
mod listing;
mod lots;
pub(crate) mod model;
mod orders;
mod own;
mod patience;
mod points;
mod preferences;
mod rank;
mod recommend;
mod reports;
mod revocations;
mod rounds;
mod sales;
mod search;
mod served;
mod stock;
#[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "the mirror shows more than alerts"))]
pub(crate) mod views;
mod waits;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{AccountId, AccountKey, IdempotencyKey, TimeMs, handle};
use crate::engine::Engine;
use crate::event::Policy;

pub(crate) use alerts::{AlertFilter, OpenAlerts};
pub(crate) use catalogue::{Editor, Item, Kind, Seen, Shelf, UNREADABLE_MAX, Unreadable};
pub(crate) use catalogue::{Entry, Import, Imported, Refused};
#[cfg(any(test, feature = "bin"))]
pub(crate) use demo::DEMO_USER;
pub(crate) use edit::Make;
#[cfg(feature = "bin")]
pub(crate) use elsewhere::BreakerConfig;
pub(crate) use exchange::{
    DETAILS_BYTES_MAX, Eligible, Exchange, Hindrance, ITEMS_MAX, ORDER_QUANTITY_MAX, Wanted,
};
pub use experiments::Experiments;
#[cfg(feature = "bin")]
pub(crate) use experiments::Share;
pub(crate) use experiments::{Decided, Interval, RunShown, VariantShown};
#[cfg(feature = "bin")]
pub(crate) use facts::LONGEST_MS;
#[cfg(feature = "bin")]
pub(crate) use facts::document::read as read_document;
pub(crate) use facts::document::{Kept, Tag};
pub(crate) use facts::{Asking, Note, REASON_CHARS_MAX};
#[cfg(feature = "bin")]
pub(crate) use facts::{IMPORTS, Pending, sealed};
pub(crate) use held::{AGES_MS, Held, Holder, HolderPlace, Tally, Waiting};
pub(crate) use leaks::{Found, Leaks, Overdue, Unexplained, Unordered};
pub(crate) use lines::{InLine, Line, PlaceInLine, Standing};
pub(crate) use listing::{Filter, ListingPage, Page, Place};
#[cfg(feature = "bin")]
pub(crate) use model::ORDER_NO_PREFIX;
#[cfg(feature = "bin")]
pub(crate) use model::Wish;
pub use model::{ByLevel, Category, LevelTerms, Period, Product, PurchaseLimit};
pub(crate) use model::{OrderStatus, order_id, order_no, parse_order_id};
pub(crate) use model::{Violation, member};
pub(crate) use orders::{
    Because, GiveBack, GivenBack, ORDER_BYTES_MAX, Order, OrderFilter, Orders, Receipt, numbered,
};
pub(crate) use own::{is_like_order, is_of_mall};
#[cfg(feature = "bin")]
pub(crate) use points::{AGAIN_WITHIN_MS, BATCH_LINES_MAX, PointsApplied, PointsBatch};
pub(crate) use points::{
    Balance, MovePoints, Moved, PointsEntry, PointsFilter, PointsRecord, REQUEST_LINES_MAX, Rank,
};
pub(crate) use rank::{After, Order as ListOrder};
pub(crate) use recommend::{Lists, Recommendations, Recommended, Wanting, Why};
pub(crate) use reports::Report;
pub use reports::Zone;
#[cfg(feature = "bin")]
pub(crate) use reports::{
    AnswerFigures, KindFigures, ProductFigures, REPORT_SETTLED_MS, SlotFigures, TurnoverFigures,
};
pub(crate) use reports::{Period as ReportPeriod, Span};
pub(crate) use rounds::{BooksSeen, KINDS as BOOK_KINDS, Rounds, STATES as BOOK_STATES};
pub(crate) use stock::{
    LOCATION_CHARS_MAX, Place as StockPlace, RecordFilter, StockRecord, StockRecords,
    StockTransfer, is_location,
};

/// What an operator may set about the mall.
#[derive(Clone, Debug)]
pub struct MallConfig {
    /// How long an order waits for its confirmation, in milliseconds.
    pub reservation_ttl_ms: u64,
    /// How many units a user's waiting orders may hold at one time, over all products: one per
    /// order. `None` means no cap.
    pub outstanding_max: Option<u64>,
    /// How many may wait for a product that is sold out, where its document says nothing; 0 is nobody,
    /// and 1,000 the most.
    pub waiting_places: u64,
    /// How long the order of somebody who was next in line waits for its confirmation, in milliseconds.
    pub granted_ttl_ms: u64,
    /// How long an order may wait in all, in milliseconds, when its deadline is moved.
    pub waiting_max_ms: u64,
    /// How long after it was sent an order is completed by itself, in milliseconds; `None` is never.
    pub completion_after_ms: Option<u64>,
    /// How long after its confirmation a user may cancel an order that is not sent yet, in
    /// milliseconds. `None` is until it is sent, 0 is never. Operators may always.
    pub cancel_window_ms: Option<u64>,
    /// How long after its deadline an order may take again what it held, for a payment that came late,
    /// in milliseconds; 0 is never.
    pub reacquire_window_ms: u64,
    /// How long points stay good that a refund returns after their end, in milliseconds. They are
    /// then good until the end of a day, so it may be longer.
    pub points_grace_ms: u64,
    /// When days end, in minutes east of UTC: points are good until the end of a day.
    pub points_day_offset_min: i32,
    /// Where the days and weeks of reports begin.
    pub time_zone: Zone,
    /// How long an exchange waits for a disk that hangs.
    pub exchange_patience: Duration,
    /// How many may wait for it.
    pub exchange_queue: usize,
    /// Which experiments on recommendations run. They are followed by [`Mall::follow_experiments`].
    pub experiments: Experiments,
    /// For how long after a user was shown its variant of an experiment an exchange counts, in
    /// milliseconds.
    pub experiment_window_ms: u64,
}

impl Default for MallConfig {
    fn default() -> Self {
        Self {
            reservation_ttl_ms: 15 * MINUTE_MS,
            outstanding_max: None,
            waiting_places: 0,
            granted_ttl_ms: 60 * MINUTE_MS,
            waiting_max_ms: 60 * MINUTE_MS,
            completion_after_ms: Some(15 * 24 * 60 * MINUTE_MS),
            cancel_window_ms: None,
            reacquire_window_ms: 7 * 24 * 60 * MINUTE_MS,
            points_grace_ms: 30 * 24 * 60 * MINUTE_MS,
            points_day_offset_min: 0,
            time_zone: Zone::default(),
            exchange_patience: Duration::from_secs(30),
            exchange_queue: 1_000,
            experiments: Experiments::default(),
            experiment_window_ms: 7 * 24 * 60 * MINUTE_MS,
        }
    }
}

const MINUTE_MS: u64 = 60_000;
/// How many keyed requests can be decided at once.
const TRY_LOCKS: usize = 64;

/// The mall: cheap to clone, all clones share one catalogue and one engine.
#[derive(Clone)]
pub struct Mall {
    shared: Arc<Shared>,
}

handle!(Mall, this { engine: this.shared.engine });

struct Shared {
    engine: Engine,
    config: MallConfig,
    catalogue: catalogue::Catalogue,
    /// By idempotency key: see [`Mall::one_try`].
    tries: [Mutex<()>; TRY_LOCKS],
    /// By user: see [`levels::Turns`].
    turns: levels::Turns,
    sent: orders::Sent,
    alerts: alerts::Alerts,
    lots: lots::Lots,
    /// Held while points expire: nothing may be looked at twice before it is changed.
    lots_due: Mutex<lots::Due>,
    lines: lines::Lines,
    sales: sales::Sales,
    trials: experiments::Trials,
    revocations: revocations::Revocations,
    preferences: preferences::AllPreferences,
    browsing: browsing::Browsing,
    serving: served::Serving,
    elsewhere: elsewhere::Elsewhere,
    patience: patience::Patience,
}

impl Mall {
    /// Reads the catalogue from the engine's documents and opens an account for each product's
    /// stock. A document that cannot be read is named in the log and left out; it stays as it is.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn open(engine: Engine, config: MallConfig) -> Result<Self> {
        Self::open_with(engine, config, None)
    }

    /// As [`Mall::open`], with a service that keeps the points.
    pub(crate) fn open_with(
        engine: Engine,
        config: MallConfig,
        points: Option<elsewhere::PointsElsewhere>,
    ) -> Result<Self> {
        let catalogue = catalogue::Catalogue::load(&engine)?;
        let alerts = alerts::Alerts::load(&engine);
        let lots = lots::Lots::load(&engine);
        let lines = lines::Lines::of(&engine);
        let trials = experiments::Trials::load(&engine, &config);
        let revocations = revocations::Revocations::load(&engine);
        let preferences = preferences::AllPreferences::load(&engine);
        let browsing = browsing::Browsing::load(&engine);
        let elsewhere = elsewhere::Elsewhere::load(&engine, points);
        let tries = std::array::from_fn(|_| Mutex::new(()));
        let patience = patience::Patience::new(config.exchange_patience, config.exchange_queue);
        Ok(Self {
            shared: Arc::new(Shared {
                engine,
                config,
                catalogue,
                tries,
                turns: levels::Turns::default(),
                sent: orders::Sent::default(),
                alerts,
                lots,
                lots_due: Mutex::default(),
                lines,
                sales: sales::Sales::default(),
                trials,
                revocations,
                preferences,
                browsing,
                serving: served::Serving::default(),
                elsewhere,
                patience,
            }),
        })
    }

    /// The engine under the mall.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Loads the demo catalogue with its stock, and gives the user `demo` 1,000,000 points. A
    /// second call changes nothing.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn load_demo(&self) -> Result<()> {
        demo::load(self)
    }

    /// Creates or replaces a category.
    ///
    /// # Errors
    /// `Invalid` when a field is out of its bounds, or when it names a parent that does not exist or
    /// is itself below another; otherwise what the engine reports.
    pub fn put_category(&self, category: &Category) -> Result<()> {
        self.shared.catalogue.put(&self.shared.engine, category)
    }

    /// Creates or replaces a product; its stock is left as it is.
    ///
    /// # Errors
    /// `Invalid` when a field is out of its bounds, or its category does not exist; otherwise what
    /// the engine reports.
    pub fn put_product(&self, product: &Product) -> Result<()> {
        self.shared.catalogue.put(&self.shared.engine, product)
    }

    /// The catalogue as it stands.
    pub(crate) fn shelf(&self) -> Arc<Shelf> {
        self.shared.catalogue.shelf()
    }

    pub(crate) fn config(&self) -> &MallConfig {
        &self.shared.config
    }

    pub(crate) fn now_ms(&self) -> TimeMs {
        self.shared.engine.now_ms()
    }

    /// What the machine's clock shows. Tokens are judged by it: whoever made them knew no other.
    pub(crate) fn clock_ms(&self) -> TimeMs {
        self.shared.engine.clock_ms()
    }

    /// Whether the books in memory can be told: after a disk failure they hold what will never be
    /// durable. A full queue passes, so reading goes on. The catalogue stays readable
    /// all the same: its stock is a hint.
    pub(crate) fn check_alive(&self) -> Result<()> {
        match self.shared.engine.check_ready() {
            Err(error) if error.kind() != ErrorKind::Overloaded => Err(error),
            _ => Ok(()),
        }
    }

    /// While this is held, no other try of a request with this key is decided. Taken before the
    /// ledger's locks, and never held across an `await`.
    fn one_try(&self, key: IdempotencyKey) -> MutexGuard<'_, ()> {
        self.shared.tries[key.number() as usize % TRY_LOCKS].lock()
    }
}

/// A user of the mall, with the name of the points account checked once.
#[derive(Debug)]
pub(crate) struct User {
    id: Box<str>,
    points_key: AccountKey,
    /// Accounts are never closed, so a number that was found stays right.
    points: OnceLock<AccountId>,
    /// Which service acts for it, if one does.
    service: Option<Box<str>>,
}

impl User {
    /// # Errors
    /// `Invalid` when the id cannot name an account.
    pub(crate) fn new(id: &str) -> Result<Self> {
        let (points_key, points) = (AccountKey::points(id)?, OnceLock::new());
        Ok(Self { id: id.into(), points_key, points, service: None })
    }

    /// The same user, for whom a service acts.
    #[cfg(feature = "server")]
    pub(crate) fn served_by(self, service: &str) -> Self {
        Self { service: Some(service.into()), ..self }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The service that acts for the user; what it does is on record with its name.
    pub(crate) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// What the user's orders count on that cost nothing.
    fn free_orders(&self) -> Result<AccountKey> {
        AccountKey::quota(&self.id, model::FREE_ORDERS)
    }

    /// The points account, if the user ever had points.
    fn points(&self, engine: &Engine) -> Option<AccountId> {
        if let Some(&account) = self.points.get() {
            return Some(account);
        }
        let account = engine.account(&self.points_key)?;
        Some(*self.points.get_or_init(|| account))
    }
}

/// The account with this key, opened without any allowance when it is missing. One that is there
/// keeps its rules: an embedder may have given it others.
fn account(engine: &Engine, key: &AccountKey) -> Result<AccountId> {
    match engine.account(key) {
        Some(account) => Ok(account),
        None => engine.open_account(key, Policy::strict()),
    }
}

/// Why the mall did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No such product, or it is not for sale.
    ProductNotFound,
    /// No such category.
    CategoryNotFound,
    /// There is a document with this id already.
    Exists,
    /// The document is not any more as its editor has seen it.
    Changed,
    /// Something refers to what was to be removed.
    InUse(References),
    /// No such order of this user.
    OrderNotFound,
    /// No such alert.
    AlertNotFound,
    /// No tokens of this user are revoked.
    RevocationNotFound,
    /// The user has as many favourites as one may have.
    TooManyFavourites,
    /// The sale of a product begins then.
    SaleNotStarted(TimeMs),
    /// There was not enough stock.
    OutOfStock(Shortage),
    /// The user has too few points.
    InsufficientPoints(Shortage),
    /// The user has points with too many different ends.
    TooManyLots(String),
    /// The user may not take so many of this product, or has too many waiting orders.
    LimitExceeded(Shortage),
    /// There was not enough for a basket, or for an order whose payment came late: what was short, the
    /// first of it first.
    BasketShort(Vec<Short>),
    /// Nobody can wait for this product.
    NoLine,
    /// As many wait for the product as may.
    LineFull,
    /// The product is there: nobody has to wait.
    InStock,
    /// The order has ended in a way that does not allow this.
    OrderStatus(OrderStatus),
    /// The order may wait until then at most.
    WaitsTooLong(TimeMs),
    /// The order is confirmed, and its user may cancel it no longer.
    CancelWindow,
    /// No more units of the order are left to give back.
    LeftToReturn(u64),
    /// As much is on record of the order as may be.
    TooManyChanges,
    /// The order's deadline has passed.
    Expired,
    /// The order's deadline has passed for so long that it takes nothing again.
    PaidTooLate,
    /// Points are kept elsewhere, and the service does not answer: nothing was taken, or it goes back.
    PointsUnavailable,
    /// Points are kept elsewhere, and cannot be moved here.
    PointsElsewhere,
    /// No saga of this order waits.
    SagaNotFound,
    /// The disk has not answered in time: the request is decided, and whether that survives is not
    /// known yet.
    Unknown,
    /// The engine refused or failed.
    Engine(Error),
}

/// What refers to a document of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum References {
    ToCategory {
        /// How many categories are right below it, and how many products are in it.
        categories: usize,
        products: usize,
        /// Some of them.
        category_ids: Vec<String>,
        product_ids: Vec<String>,
    },
    /// Units that can be bought, that waiting orders hold, of orders that stand, and at locations; and
    /// how many wait in line.
    ToProduct { available: i64, reserved: u64, sold: u64, elsewhere: i64, waiting: usize },
}

/// Of what there was not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    Points,
    Limit,
    Stock,
}

/// A line of an order that was short.
#[derive(Clone, Debug)]
pub(crate) struct Short {
    pub(crate) lack: Lack,
    /// `None` for points, and for the limit of orders that wait.
    pub(crate) product_id: Option<String>,
    pub(crate) shortage: Shortage,
}

/// What was there when it was not enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// How many units the request needed.
    pub(crate) required: u64,
    /// How many there were.
    pub(crate) available: u64,
    /// When some may come back.
    pub(crate) next_release_at: Option<TimeMs>,
    /// Of a product that is sold out, whether one can wait for it; `None` where nobody can.
    pub(crate) line: Option<Line>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}
