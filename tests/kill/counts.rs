//! What a run tried, so that one that tried nothing is seen.

/// How often each thing happened.
#[derive(Debug, Default)]
pub struct Counts {
    pub kills: u64,
    pub kills_before_an_answer: u64,
    pub checks: u64,
    pub acknowledged: u64,
    pub refused: u64,
    pub retried_by_callers: u64,
    pub retried_after_a_kill: u64,
    pub reservations_checked: u64,
    pub histories_checked: u64,
    /// Events that were durable though the kill came before their answer.
    pub unanswered: u64,
    pub expired: u64,
    pub confirmed: u64,
    pub confirmed_in_part: u64,
    pub released: u64,
    pub revived: u64,
    pub returned: u64,
    pub returned_in_part: u64,
    pub counted: u64,
    pub moved: u64,
    /// Places in lines that were given out, given up, and served.
    pub waited: u64,
    pub left: u64,
    pub granted: u64,
    /// Points with an end: awards, purchases with them, and what was written off after it.
    pub awarded_until: u64,
    pub bought_until: u64,
    pub ended: u64,
    /// Requests for several commands that happened together.
    pub together: u64,
    pub checkpoints_seen: u64,
    pub flushes_seen: u64,
    pub archived_seen: u64,
}

impl Counts {
    /// Fails when something was never tried, or hardly.
    pub fn assert_tried(&self) {
        assert!(self.kills >= 25 && self.checks >= 10 && self.acknowledged >= 1_000, "{self:?}");
        let each = [
            self.refused,
            self.retried_by_callers,
            self.retried_after_a_kill,
            self.reservations_checked,
            self.histories_checked,
            self.expired,
            self.confirmed,
            self.confirmed_in_part,
            self.released,
            self.revived,
            self.returned,
            self.returned_in_part,
            self.counted,
            self.moved,
            self.waited,
            self.left,
            self.granted,
            self.awarded_until,
            self.bought_until,
            self.ended,
            self.together,
            self.checkpoints_seen,
            self.flushes_seen,
            self.archived_seen,
        ];
        assert!(each.iter().all(|count| *count > 0), "something was never tried: {self:?}");
    }
}
