//! What the server depends on, part by part: whether each is well, since when, and what still works
//! while it is not.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::App;
use crate::base::TimeMs;

/// A part that can fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Journal,
    Disk,
    Space,
    History,
    Checkpoint,
    Threads,
    Clock,
    Mirror,
    Points,
    Webhooks,
    Backup,
}

impl Part {
    /// As `/health` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Disk => "disk",
            Self::Space => "space",
            Self::History => "history",
            Self::Checkpoint => "checkpoint",
            Self::Threads => "threads",
            Self::Clock => "clock",
            Self::Mirror => "mirror",
            Self::Points => "points",
            Self::Webhooks => "webhooks",
            Self::Backup => "backup",
        }
    }

    /// What still works while it is not well.
    pub(super) fn works(self) -> &'static str {
        match self {
            Self::Journal => {
                "the catalogue can be read; nothing is sold until the disk is mended and the server restarted"
            }
            Self::Disk => {
                "the catalogue can be read; exchanges wait for a while, and then hear that they were not made or may have been; all else goes on by itself when the disk answers"
            }
            Self::Space => {
                "orders are confirmed and cancelled, and lapse; nothing new is sold until there is room"
            }
            Self::History => {
                "the catalogue is shown, and everything is sold; what is recommended is what is hot; ended orders and records cannot be read until a restart"
            }
            Self::Checkpoint => "everything; the journal grows, and the next start takes longer",
            Self::Threads => "whatever that thread does not do; only a restart brings it back",
            Self::Clock => "everything; times that are shown differ from the machine's clock",
            Self::Mirror => "everything; the reporting tables are as of an earlier time",
            Self::Points => {
                "catalogue, orders and cancelling; exchanges wait, and then hear POINTS_UNAVAILABLE"
            }
            Self::Webhooks => "everything; some receivers hear of it later, or need an operator",
            Self::Backup => "everything; what is new is in no backup yet",
        }
    }
}

/// Since when each part is as it is.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<BTreeMap<Part, (bool, TimeMs)>>);

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) part: Part,
    pub(super) is_well: bool,
    /// When a look first found it so.
    pub(super) since_ms: TimeMs,
}

impl Seen {
    fn look(&self, part: Part, is_well: bool, now_ms: TimeMs) -> Standing {
        let mut seen = self.0.lock();
        let standing = seen.entry(part).or_insert((is_well, now_ms));
        if standing.0 != is_well {
            *standing = (is_well, now_ms);
        }
        Standing { part, is_well, since_ms: standing.1 }
    }
}

impl App {
    /// Every part that there is here, as it is now.
    pub(super) fn parts(&self) -> Vec<Standing> {
        let status = self.mall.engine().status();
        let now_ms = self.mall.clock_ms();
        let here = [
            (Part::Journal, !status.poisoned),
            (Part::Disk, !status.stalled && !status.poisoned),
            (Part::Space, !status.low_space),
            (Part::History, !status.history_failed),
            (Part::Checkpoint, status.checkpoint_failures == 0),
            (Part::Threads, status.dead_thread.is_none()),
            (Part::Clock, status.clock_ahead_ms == 0),
        ];
        let elsewhere = [
            self.mirror.as_ref().map(|mirror| (Part::Mirror, mirror.status().is_well())),
            self.mall.points_service_answers().map(|answers| (Part::Points, answers)),
            self.webhooks.as_ref().map(|webhooks| (Part::Webhooks, webhooks.are_well())),
            self.backup.as_ref().map(|backup| (Part::Backup, backup.status().is_well())),
        ];
        let all = here.into_iter().chain(elsewhere.into_iter().flatten());
        all.map(|(part, is_well)| self.seen.look(part, is_well, now_ms)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_it_is_since_it_was_first_seen_so() {
        let seen = Seen::default();
        for (is_well, now_ms, since_ms) in
            [(true, 10, 10), (true, 20, 10), (false, 30, 30), (false, 40, 30), (true, 50, 50)]
        {
            let standing = seen.look(Part::Mirror, is_well, now_ms);
            assert_eq!((standing.is_well, standing.since_ms), (is_well, since_ms), "{now_ms}");
        }
        assert_eq!(seen.look(Part::Points, false, 60).since_ms, 60, "each has its own time");
    }
}
