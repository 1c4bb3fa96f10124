//! What a soak tried, so that one that tried nothing is seen.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many findings are kept word by word.
const FINDINGS_MAX: usize = 20;

/// How often each thing happened.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Counts {
    /// Requests of every kind by the code of their answer; none is `no answer`.
    pub(super) answers: BTreeMap<String, u64>,
    pub(super) exchanges: u64,
    pub(super) confirms: u64,
    pub(super) cancels: u64,
    pub(super) returns: u64,
    pub(super) refunds: u64,
    pub(super) late_refused: u64,
    pub(super) awards: u64,
    pub(super) receives: u64,
    pub(super) adjusts: u64,
    pub(super) reads: u64,
    pub(super) retries: u64,
    pub(super) retries_after_restart: u64,
    /// Requests without a clear answer, and what came of them.
    pub(super) unclear: u64,
    pub(super) resolved_by_retry: u64,
    pub(super) found_in_list: u64,
    pub(super) ended_without_an_answer: u64,
    pub(super) orders_looked_up: u64,
    pub(super) expiries_seen: u64,
    pub(super) balances_checked: u64,
    pub(super) stocks_checked: u64,
    pub(super) starts: u64,
    pub(super) kills: u64,
    pub(super) kills_while_starting: u64,
    pub(super) kills_while_stopped: u64,
    pub(super) stops: u64,
    pub(super) graceful_ends: u64,
    pub(super) jumps_forwards: u64,
    pub(super) jumps_backwards: u64,
    pub(super) full_disks: u64,
    /// Those that a start met, rather than a server that ran.
    pub(super) full_disks_at_start: u64,
    pub(super) file_limits: u64,
    /// Episodes of a full disk or a file limit in which the server said that it is not well.
    pub(super) disk_failures_told: u64,
    pub(super) stalled_clients: u64,
    pub(super) recoveries: u64,
    pub(super) checks: u64,
    pub(super) audits: u64,
    /// Those while the server ran.
    pub(super) audits_beside: u64,
    /// How many of them found a history that a death had damaged, which the next start makes anew.
    pub(super) histories_damaged: u64,
}

/// The part of a soak that is left out on this machine; its counts stay 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftOut {
    pub(super) full_disk: bool,
    pub(super) file_limit: bool,
}

impl Counts {
    pub(super) fn answered(&mut self, code: &str) {
        match self.answers.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.answers.insert(code.to_owned(), 1)),
        }
    }

    pub(super) fn answer(&self, code: &str) -> u64 {
        self.answers.get(code).copied().unwrap_or_default()
    }

    pub(super) fn requests(&self) -> u64 {
        self.answers.values().sum()
    }

    /// The names of what should have happened and never did.
    pub(super) fn never(&self, left_out: LeftOut) -> Vec<&'static str> {
        let mut wanted = vec![
            ("a success", self.answer("SUCCESS")),
            ("a refusal for stock", self.answer("OUT_OF_STOCK")),
            ("a refusal for points", self.answer("INSUFFICIENT_POINTS")),
            ("an exchange", self.exchanges),
            ("a confirm", self.confirms),
            ("a cancel", self.cancels),
            ("a return", self.returns),
            ("a refund", self.refunds),
            ("a late confirm", self.late_refused),
            ("an award", self.awards),
            ("a receive", self.receives),
            ("an adjust", self.adjusts),
            ("a read", self.reads),
            ("a retry", self.retries),
            ("a retry after a restart", self.retries_after_restart),
            ("a request without an answer", self.unclear),
            ("an expiry", self.expiries_seen),
            ("an order looked up", self.orders_looked_up),
            ("a balance checked", self.balances_checked),
            ("a stock checked", self.stocks_checked),
            ("a kill", self.kills),
            ("a kill while starting", self.kills_while_starting),
            ("a kill while stopped", self.kills_while_stopped),
            ("a stop", self.stops),
            ("a graceful end", self.graceful_ends),
            ("a jump forwards", self.jumps_forwards),
            ("a jump backwards", self.jumps_backwards),
            ("a stalled client", self.stalled_clients),
            ("a recovery", self.recoveries),
            ("an audit", self.audits),
            ("an audit beside the server", self.audits_beside),
        ];
        if !left_out.full_disk {
            wanted.push(("a full disk", self.full_disks));
        }
        if !left_out.file_limit {
            wanted.push(("a file limit", self.file_limits));
        }
        wanted.into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (code, count) in &other.answers {
            *self.answers.entry(code.clone()).or_default() += count;
        }
        for (mine, theirs) in self.numbers().into_iter().zip(other.clone().numbers()) {
            *mine.1 += *theirs.1;
        }
    }

    /// Every number with what it counts.
    pub(super) fn numbers(&mut self) -> [(&'static str, &mut u64); 38] {
        [
            ("exchanges", &mut self.exchanges),
            ("confirms", &mut self.confirms),
            ("cancels of waiting orders", &mut self.cancels),
            ("cancels of confirmed orders", &mut self.returns),
            ("refunds of some units", &mut self.refunds),
            ("late confirms refused", &mut self.late_refused),
            ("awards", &mut self.awards),
            ("receives", &mut self.receives),
            ("adjusts", &mut self.adjusts),
            ("reads", &mut self.reads),
            ("retries", &mut self.retries),
            ("retries after a restart", &mut self.retries_after_restart),
            ("requests without a clear answer", &mut self.unclear),
            ("  resolved by a retry", &mut self.resolved_by_retry),
            ("  orders found in the lists", &mut self.found_in_list),
            ("  confirms found done", &mut self.ended_without_an_answer),
            ("orders looked up", &mut self.orders_looked_up),
            ("expiries seen", &mut self.expiries_seen),
            ("balances checked", &mut self.balances_checked),
            ("stocks checked", &mut self.stocks_checked),
            ("starts", &mut self.starts),
            ("kills", &mut self.kills),
            ("  while it started", &mut self.kills_while_starting),
            ("  while it was stopped", &mut self.kills_while_stopped),
            ("stops (SIGSTOP, SIGCONT)", &mut self.stops),
            ("graceful ends", &mut self.graceful_ends),
            ("clock jumps forwards", &mut self.jumps_forwards),
            ("clock jumps backwards", &mut self.jumps_backwards),
            ("full disks", &mut self.full_disks),
            ("  met by a start", &mut self.full_disks_at_start),
            ("file limits", &mut self.file_limits),
            ("disk failures told of", &mut self.disk_failures_told),
            ("clients that stall", &mut self.stalled_clients),
            ("recoveries", &mut self.recoveries),
            ("checks of all books", &mut self.checks),
            ("audits of the directory", &mut self.audits),
            ("  while the server ran", &mut self.audits_beside),
            ("  history damaged by a death", &mut self.histories_damaged),
        ]
    }
}

/// What is wrong, the first of it word by word.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Findings {
    pub(super) count: u64,
    pub(super) first: Vec<String>,
}

impl Findings {
    pub(super) fn note(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < FINDINGS_MAX {
            self.first.push(what);
        }
    }

    /// Notes `what` unless it holds.
    pub(super) fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.note(what());
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
        let room = FINDINGS_MAX - self.first.len();
        self.first.extend(other.first.iter().take(room).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_tried_nothing_is_seen_and_one_that_tried_everything_is_not() {
        let mut counts = Counts::default();
        assert!(
            counts.never(LeftOut::default()).len() > 25,
            "{:?}",
            counts.never(LeftOut::default())
        );
        counts.numbers().into_iter().for_each(|(_, number)| *number = 1);
        for code in ["SUCCESS", "OUT_OF_STOCK", "INSUFFICIENT_POINTS"] {
            counts.answered(code);
        }
        assert_eq!(counts.never(LeftOut::default()), [""; 0]);
        counts.full_disks = 0;
        assert_eq!(counts.never(LeftOut::default()), ["a full disk"]);
        assert_eq!(counts.never(LeftOut { full_disk: true, file_limit: false }), [""; 0]);
    }

    #[test]
    fn counts_of_callers_add_up() {
        let mut one = Counts::default();
        one.numbers().into_iter().zip(1..).for_each(|((_, number), value)| *number = value);
        one.answered("SUCCESS");
        let mut sum = one.clone();
        sum.add(&one);
        assert!(
            sum.numbers().into_iter().zip(1..).all(|((_, number), value)| *number == 2 * value),
            "{sum:?}"
        );
        assert_eq!((sum.requests(), sum.answer("SUCCESS")), (2, 2));
    }
}
