//! A subscriber that keeps the number of the last event it saw.

use crate::base::Seq;
use crate::engine::Subscription;

/// A subscriber that keeps the number of the last event it saw.
pub(super) struct Follower {
    pub(super) next_seq: Seq,
    pub(super) subscription: Option<Subscription>,
}

impl Default for Follower {
    fn default() -> Self {
        Self { next_seq: 1, subscription: None }
    }
}

impl Follower {
    /// Ends its subscription; what it saw it knows.
    pub(super) fn die(&mut self) {
        self.subscription = None;
    }
}
