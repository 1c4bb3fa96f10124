//! What a run of events makes of the tables: the last state of what changed, and every record.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::base::{ReservationId, Seq, TimeMs};
use crate::event::ChangeKind;
use crate::mall::{Category, Product};

/// The rows of a run of events. A product, a user or an order that changed often is one row all the
/// same.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The first and the last event; 0 while there is none.
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    pub(super) first_at: TimeMs,
    pub(super) last_at: TimeMs,
    /// Tells the last event from another one of the same number: see [`mark`](crate::event::mark).
    pub(super) mark: u64,
    pub(super) categories: BTreeMap<String, Change<Option<Category>>>,
    pub(super) products: BTreeMap<Arc<str>, Change<ProductChange>>,
    pub(super) users: BTreeMap<Arc<str>, Change<UserChange>>,
    pub(super) orders: Vec<OrderRow>,
    pub(super) order_of: HashMap<ReservationId, usize, foldhash::fast::RandomState>,
    pub(super) inventory: Vec<RecordRow>,
    pub(super) points: Vec<RecordRow>,
    /// What never was a row: a document that is none of the mall's.
    pub(super) rejected: Vec<Rejected>,
    pub(super) bytes: usize,
}

/// A change with the event behind it.
#[derive(Debug, Default)]
pub(super) struct Change<T> {
    pub(super) seq: Seq,
    pub(super) at: TimeMs,
    pub(super) to: T,
}

/// What became of a product.
#[derive(Debug, Default)]
pub(super) struct ProductChange {
    pub(super) document: Document,
    /// What can be bought after it, when that changed.
    pub(super) stock: Option<i64>,
    /// By how much its sales changed.
    pub(super) sales: i64,
}

/// What became of a product's document.
#[derive(Debug, Default)]
pub(super) enum Document {
    #[default]
    Same,
    Written(Box<Product>),
    Removed,
}

/// What became of a user.
#[derive(Debug, Default)]
pub(super) struct UserChange {
    pub(super) balance: Option<i64>,
    /// By how much what waiting orders hold changed.
    pub(super) reserved: i64,
    /// By how much the number of exchanges that stand changed.
    pub(super) exchanges: i64,
    pub(super) last_exchange_at: Option<TimeMs>,
}

/// Where an order stands, as the tables say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderState {
    Pending,
    Confirmed,
    Cancelled,
    Expired,
}

impl OrderState {
    /// The mall's own number.
    pub(super) fn number(self) -> i8 {
        match self {
            Self::Pending => 0,
            Self::Confirmed => 1,
            Self::Cancelled | Self::Expired => -1,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// An order that was made or changed.
#[derive(Debug)]
pub(super) struct OrderRow {
    /// Whether it was made in this batch; otherwise its row is there, and only its end is new.
    pub(super) is_new: bool,
    pub(super) reservation: ReservationId,
    pub(super) user: Arc<str>,
    pub(super) product: Arc<str>,
    /// The product as it was ordered, in JSON.
    pub(super) snapshot: String,
    pub(super) quantity: u64,
    pub(super) points_cost: u64,
    pub(super) delivery_info: Option<String>,
    pub(super) state: OrderState,
    pub(super) created_at: TimeMs,
    pub(super) expires_at: TimeMs,
    pub(super) exchanged_at: Option<TimeMs>,
    pub(super) cancelled_at: Option<TimeMs>,
    pub(super) seq: Seq,
    pub(super) at: TimeMs,
}

/// A change of what a product or a user has.
#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) seq: Seq,
    pub(super) account: u32,
    /// The product, or the user.
    pub(super) owner: Arc<str>,
    pub(super) kind: ChangeKind,
    /// By how much what is available changed, and what it was after.
    pub(super) delta: i64,
    pub(super) available: i64,
    /// How many units the event is about.
    pub(super) quantity: u64,
    pub(super) reservation: Option<ReservationId>,
    pub(super) note: String,
    pub(super) at: TimeMs,
}

/// A row that the tables do not show, with why.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) table: &'static str,
    pub(super) row_id: String,
    pub(super) seq: Seq,
    /// The row in JSON.
    pub(super) content: String,
    pub(super) reason: String,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.last_seq == 0
    }

    pub(super) fn event_count(&self) -> u64 {
        if self.is_empty() { 0 } else { self.last_seq - self.first_seq + 1 }
    }

    /// How many rows it makes.
    pub(super) fn row_count(&self) -> usize {
        self.categories.len()
            + self.products.len()
            + self.users.len()
            + self.orders.len()
            + self.inventory.len()
            + self.points.len()
    }

    pub(super) fn product(&mut self, id: &Arc<str>, seq: Seq, at: TimeMs) -> &mut ProductChange {
        touch(self.products.entry(Arc::clone(id)).or_default(), seq, at)
    }

    pub(super) fn user(&mut self, id: &Arc<str>, seq: Seq, at: TimeMs) -> &mut UserChange {
        touch(self.users.entry(Arc::clone(id)).or_default(), seq, at)
    }
}

fn touch<T>(change: &mut Change<T>, seq: Seq, at: TimeMs) -> &mut T {
    (change.seq, change.at) = (seq, at);
    &mut change.to
}
