//! The life of an account, drawn: `stockhold inspect --account --svg`.

use std::collections::VecDeque;

use super::names::Names;
use super::time::show_time;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, Seq};
use crate::event::Event;
use crate::event::effects::Effects;
use crate::http::{Caption, MOMENTS_MAX, Moment, life_file};

/// What was seen of an account, the oldest first: of many events the newest are kept.
pub(super) struct Life {
    account: AccountId,
    moments: VecDeque<Moment>,
    /// How many there were.
    count: u64,
}

impl Life {
    pub(super) fn of(account: AccountId) -> Self {
        Self { account, moments: VecDeque::new(), count: 0 }
    }

    /// Takes in what an event did to the account, if anything.
    ///
    /// # Errors
    /// `Corrupt` when its quantities cannot be.
    pub(super) fn saw(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        for effects in Effects::of(event)? {
            let opened = effects.opened.iter().filter(|it| it.account == self.account);
            let opened = opened.map(|it| (it.units, "opened", it.units));
            let changes = effects.changes.iter().filter(|it| it.account == self.account);
            let changes = changes.map(|it| (it.available, it.kind.name(), it.delta));
            for (available, kind, delta) in opened.chain(changes) {
                if self.moments.len() == MOMENTS_MAX {
                    self.moments.pop_front();
                }
                let told = format!(
                    "event {seq}, {}: {kind} {delta:+}, then {available}",
                    show_time(event.at)
                );
                self.moments.push_back(Moment { at: event.at, available, told });
                self.count += 1;
            }
        }
        Ok(())
    }

    /// The picture, as a file.
    ///
    /// # Errors
    /// `NotFound` when nothing changed the account.
    pub(super) fn drawn(mut self, names: &Names) -> Result<String> {
        let name = names.name(self.account);
        let moments = self.moments.make_contiguous();
        let ([first, ..], [.., last]) = (&*moments, &*moments) else {
            return Err(Error::not_found(format!("no event of these changed {name}")));
        };
        let (low, high) = moments.iter().fold((i64::MAX, i64::MIN), |(low, high), it| {
            (low.min(it.available), high.max(it.available))
        });
        let left = self.count - moments.len() as u64;
        let newest = match left {
            0 => String::new(),
            left => format!(" Events before these, {left}, are left out."),
        };
        let told = format!(
            "{} events from {} to {}: at least {low} available, at most {high}, {} in the end.{newest}",
            moments.len(),
            show_time(first.at),
            show_time(last.at),
            last.available
        );
        let ends = [show_time(first.at), show_time(last.at)];
        let title = format!("{name}, available over time");
        Ok(life_file(&Caption { title: &title, told: &told, ends }, moments))
    }
}
