//! What a soak tried, so that one that tried nothing is seen.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many findings are kept word by word.
const FINDINGS_MAX: usize = 20;

/// What is counted, one row each: the number, what it counts as the report shows it, and what it is
/// called when a soak must have it and has none.
macro_rules! counts {
    ($($(#[doc = $doc:literal])* $count:ident $shown:literal $(wanted $wanted:literal)?;)*) => {
        /// How often each thing happened.
        #[derive(Clone, Debug, Default, Serialize)]
        pub(super) struct Counts {
            /// Requests of every kind by the code of their answer; none is `no answer`.
            pub(super) answers: BTreeMap<String, u64>,
            $($(#[doc = $doc])* pub(super) $count: u64,)*
        }

        impl Counts {
            /// Every number with what it counts.
            pub(super) fn numbers(&mut self) -> Vec<(&'static str, &mut u64)> {
                vec![$(($shown, &mut self.$count)),*]
            }

            fn wanted(&self) -> Vec<(&'static str, u64)> {
                vec![$($(($wanted, self.$count),)?)*]
            }
        }
    };
}

counts! {
    exchanges "exchanges" wanted "an exchange";
    baskets "  of several products" wanted "a basket";
    confirms "confirms" wanted "a confirm";
    cancels "cancels of waiting orders" wanted "a cancel";
    returns "cancels of confirmed orders" wanted "a return";
    recalls "cancels by operators" wanted "a cancel by an operator";
    extensions "deadlines moved" wanted "a deadline moved";
    redirects "deliveries sent elsewhere" wanted "a delivery sent elsewhere";
    ships "orders sent" wanted "an order sent";
    deliveries "orders delivered" wanted "an order delivered";
    completions "orders completed" wanted "an order completed";
    refunds "refunds of some units" wanted "a refund";
    whole_refunds "refunds of all that was left" wanted "a refund of all that is left";
    refunds_of_sent "  of orders that were sent" wanted "a refund of what was sent";
    refunds_of_completed "  of completed orders" wanted "a refund of what is completed";
    refunds_of_too_much "refunds of too much refused" wanted "a refund of too much";
    refused_for_state "refused for an order's state" wanted "a refusal for an order's state";
    cancels_too_late "  cancels once it was sent" wanted "a cancel once it was sent";
    late_refused "late confirms refused" wanted "a late confirm";
    revivals "late payments taken" wanted "a late payment";
    revivals_short "late payments refused for good";
    joins "places in lines";
    leaves "  given up";
    grants "  served";
    passed_over "exchanges while a user of ours waited";
    awards "awards" wanted "an award";
    awards_ending "  of points that end" wanted "an award of points that end";
    points_ended "users whose points ended" wanted "points that ended";
    deducts "deductions";
    receives "receives" wanted "a receive";
    adjusts "adjusts" wanted "an adjust";
    write_offs "units written off" wanted "a write-off";
    transfers "transfers between places" wanted "a transfer";
    stocktakes "counts of what is there";
    reads "reads" wanted "a read";
    retries "retries" wanted "a retry";
    retries_after_restart "retries after a restart" wanted "a retry after a restart";
    /// Requests without a clear answer, and what came of them.
    unclear "requests without a clear answer" wanted "a request without an answer";
    resolved_by_retry "  resolved by a retry";
    found_in_list "  orders found in the lists";
    ended_without_an_answer "  confirms found done";
    orders_looked_up "orders looked up" wanted "an order looked up";
    pages_compared "pages held to lists" wanted "a page held to a list";
    expiries_seen "expiries seen" wanted "an expiry";
    balances_checked "balances checked" wanted "a balance checked";
    stocks_checked "stocks checked" wanted "a stock checked";
    starts "starts";
    kills "kills" wanted "a kill";
    kills_while_starting "  while it started" wanted "a kill while starting";
    kills_while_stopped "  while it was stopped" wanted "a kill while stopped";
    stops "stops (SIGSTOP, SIGCONT)" wanted "a stop";
    graceful_ends "graceful ends" wanted "a graceful end";
    jumps_forwards "clock jumps forwards" wanted "a jump forwards";
    jumps_backwards "clock jumps backwards" wanted "a jump backwards";
    full_disks "full disks" wanted "a full disk";
    /// Those that a start met, rather than a server that ran.
    full_disks_at_start "  met by a start";
    file_limits "file limits" wanted "a file limit";
    /// Episodes of a full disk or a file limit in which the server said that it is not well.
    disk_failures_told "disk failures told of";
    stalled_clients "clients that stall" wanted "a stalled client";
    recoveries "recoveries" wanted "a recovery";
    checks "checks of all books";
    audits "audits of the directory" wanted "an audit";
    /// Those while the server ran.
    audits_beside "  while the server ran" wanted "an audit beside the server";
    /// How many of them found a history that a death had damaged, which the next start makes anew.
    histories_damaged "  history damaged by a death";
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
        let codes = [
            ("a success", self.answer("SUCCESS")),
            ("a refusal for stock", self.answer("OUT_OF_STOCK")),
            ("a refusal for points", self.answer("INSUFFICIENT_POINTS")),
        ];
        let is_left_out = |name| match name {
            "a full disk" => left_out.full_disk,
            "a file limit" => left_out.file_limit,
            _ => false,
        };
        let never = codes.into_iter().chain(self.wanted()).filter(|(_, count)| *count == 0);
        never.map(|(name, _)| name).filter(|name| !is_left_out(*name)).collect()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (code, count) in &other.answers {
            *self.answers.entry(code.clone()).or_default() += count;
        }
        for (mine, theirs) in self.numbers().into_iter().zip(other.clone().numbers()) {
            *mine.1 += *theirs.1;
        }
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
