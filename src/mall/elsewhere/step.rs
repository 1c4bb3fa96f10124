//! What a saga does next: from what is on record of it, and how its order stands in the ledger.
//!
//! The ledger decides how an order ends, once and for good; what the service holds for it follows. So a
//! deadline and an answer that meet make one end: a confirm that comes too late is refused by the
//! ledger, and then the points go back.

use crate::base::flaw::{self, Flaw};
use crate::mall::facts::{GivingBack, Saga, SagaTake};

/// How an order stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Waiting,
    Confirmed {
        /// How many points its returned units cost.
        returned: u64,
    },
    /// It holds nothing: given up, expired, or returned whole.
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask the service what became of the take.
    Ask,
    Take,
    Confirm,
    Release,
    /// Ask how much is given back, and bring it to this.
    Compare {
        returned: u64,
    },
    /// Put on record what is to be given back.
    Intend(GivingBack),
    GiveBack(GivingBack),
    /// Its user has to confirm it.
    Rest,
    Done,
    /// Only people can mend it.
    Stuck(&'static str),
}

/// The key of the take of an order's points: its id.
pub(super) fn take_key(order: &str, tries: u32) -> String {
    match flaw::is_made(Flaw::TakesPointsAnew) {
        true => format!("{order}-{tries}"),
        false => order.to_owned(),
    }
}

/// What gives back all that a take holds, and ends it.
fn closing(order: &str, saga: &Saga) -> GivingBack {
    let key = format!("{order}-close");
    GivingBack { key, take: order.to_owned(), points: saga.points, closes: true }
}

/// What gives so much back that `returned` are back in all.
pub(super) fn part(order: &str, returned: u64, points: u64) -> GivingBack {
    let key = format!("{order}-back-{returned}");
    GivingBack { key, take: order.to_owned(), points, closes: false }
}

/// The next step. `unsent` is whether it is known that no call to take was ever made.
pub(super) fn next(saga: &Saga, order: &str, standing: Standing, unsent: bool) -> Step {
    // Whether it was done is not known: the same again, with the same key.
    if let Some(back) = &saga.giving_back {
        return Step::GiveBack(back.clone());
    }
    match (saga.take, standing) {
        (SagaTake::Unknown, Standing::Waiting | Standing::Confirmed { .. }) if unsent => Step::Take,
        (SagaTake::Unknown, Standing::Waiting | Standing::Confirmed { .. }) => Step::Ask,
        (SagaTake::Unknown, Standing::Over) if unsent => Step::Done,
        (_, Standing::Over) if flaw::is_made(Flaw::KeepsPoints) => Step::Done,
        (SagaTake::Unknown | SagaTake::Taken, Standing::Over) => Step::Intend(closing(order, saga)),
        (SagaTake::Taken, Standing::Waiting) if saga.confirms => Step::Confirm,
        (SagaTake::Taken, Standing::Waiting) => Step::Rest,
        (SagaTake::Taken, Standing::Confirmed { returned: 0 }) => Step::Done,
        (SagaTake::Taken, Standing::Confirmed { returned }) => Step::Compare { returned },
        (SagaTake::Refused { .. } | SagaTake::Closed, Standing::Waiting) => Step::Release,
        (SagaTake::Refused { .. } | SagaTake::Closed, Standing::Over) => Step::Done,
        (SagaTake::Refused { .. } | SagaTake::Closed, Standing::Confirmed { .. }) => {
            Step::Stuck("the order is confirmed, and the service has none of its points")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_follows_from_both_books() {
        let saga = |take, confirms| Saga {
            user_id: "ann".into(),
            points: 9,
            confirms,
            take,
            giving_back: None,
            begun_at: 0,
            acts: Vec::new(),
            was_known: false,
        };
        let refused = SagaTake::Refused { balance: 1 };
        let confirmed = |returned| Standing::Confirmed { returned };
        let close = || Step::Intend(closing("o", &saga(SagaTake::Unknown, true)));
        for (take, standing, unsent, want) in [
            (SagaTake::Unknown, Standing::Waiting, true, Step::Take),
            (SagaTake::Unknown, Standing::Waiting, false, Step::Ask),
            (SagaTake::Unknown, confirmed(0), false, Step::Ask),
            (SagaTake::Unknown, Standing::Over, true, Step::Done),
            (SagaTake::Unknown, Standing::Over, false, close()),
            (SagaTake::Taken, Standing::Waiting, false, Step::Confirm),
            (SagaTake::Taken, confirmed(0), false, Step::Done),
            (SagaTake::Taken, confirmed(4), false, Step::Compare { returned: 4 }),
            (SagaTake::Taken, Standing::Over, false, close()),
            (refused, Standing::Waiting, false, Step::Release),
            (refused, Standing::Over, false, Step::Done),
            (SagaTake::Closed, Standing::Waiting, false, Step::Release),
            (SagaTake::Closed, Standing::Over, false, Step::Done),
        ] {
            let got = next(&saga(take, true), "o", standing, unsent);
            assert_eq!(got, want, "{take:?} {standing:?} {unsent}");
        }
        let rests = next(&saga(SagaTake::Taken, false), "o", Standing::Waiting, false);
        assert_eq!(rests, Step::Rest);
        let stuck = next(&saga(refused, true), "o", confirmed(0), false);
        assert!(matches!(stuck, Step::Stuck(_)), "{stuck:?}");
        let back = part("o", 4, 4);
        let again = Saga { giving_back: Some(back.clone()), ..saga(SagaTake::Taken, true) };
        for standing in [Standing::Waiting, confirmed(9), Standing::Over] {
            assert_eq!(next(&again, "o", standing, false), Step::GiveBack(back.clone()));
        }
    }
}
