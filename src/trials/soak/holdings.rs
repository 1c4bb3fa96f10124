//! Points of users and stock of products, as far as callers know.

/// A user's points, as far as one caller can know.
#[derive(Debug, Default)]
pub(super) struct Purse {
    /// Everything that was awarded.
    pub(super) received: u64,
    /// What of that is good until the end of a day.
    pub(super) ending: u64,
    /// What operators took.
    pub(super) deducted: u64,
    /// What was written off when it was last looked at.
    pub(super) written_off: u64,
    /// The most that orders may hold or have cost.
    pub(super) spent_max: u64,
}

impl Purse {
    /// What the user has at least: of what ends, nothing may be left.
    pub(super) fn least(&self) -> u64 {
        (self.received - self.ending).saturating_sub(self.spent_max)
    }

    /// Whether so many points may be written off: what was taken, and of what ends no more than there
    /// was; and never fewer than before.
    pub(super) fn may_have_lost(&self, written_off: u64) -> bool {
        let lost = self.written_off.max(self.deducted)..=self.deducted + self.ending;
        lost.contains(&written_off)
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
