//! Points of users and stock of products, as far as callers know.

/// A user's points, as far as one caller can know.
#[derive(Debug, Default)]
pub(super) struct Purse {
    /// Everything that was awarded.
    pub(super) received: u64,
    /// The most that orders may hold or have cost.
    pub(super) spent_max: u64,
}

impl Purse {
    /// What the user has at least.
    pub(super) fn least(&self) -> u64 {
        self.received.saturating_sub(self.spent_max)
    }
}

/// What a caller did to the stock of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) received: u64,
    pub(super) written_off: u64,
    /// What its orders hold, and what they bought.
    pub(super) reserved: u64,
    pub(super) sold: u64,
}

impl Stock {
    pub(super) fn add(&mut self, other: Self) {
        self.received += other.received;
        self.written_off += other.written_off;
        self.reserved += other.reserved;
        self.sold += other.sold;
    }
}
