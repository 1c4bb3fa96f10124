//! What callers keep of what they were told of each order: the states that it may be in, and what
//! was done with it.

use super::acts::{Act, Told};
use super::states::States;
use super::units::Units;
use crate::base::TimeMs;
use crate::mall::OrderStatus;

/// When the server answered, by its own clock: not before `from`, the latest time it had shown
/// before it was asked, and not after `to`, which is on the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: TimeMs,
    pub(super) to: TimeMs,
}

/// A clear answer to an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Done,
    Refused,
    TooLate,
    /// There is too little of what it takes.
    Short,
}

impl Heard {
    /// What a code says; `None` when it is of something else.
    pub(super) fn of(code: &str) -> Option<Self> {
        match code {
            "SUCCESS" => Some(Self::Done),
            "ORDER_STATE" => Some(Self::Refused),
            "RESERVATION_EXPIRED" => Some(Self::TooLate),
            code if SHORT.contains(&code) => Some(Self::Short),
            _ => None,
        }
    }
}

/// The code of points that are short, and all codes of what is.
pub(super) const POINTS: &str = "INSUFFICIENT_POINTS";
pub(super) const SHORT: [&str; 3] = [POINTS, "OUT_OF_STOCK", "LIMIT_EXCEEDED"];

/// An act without a clear answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) act: Act,
    /// What the order is if it was done.
    comes_to: States,
}

/// An order as one caller knows it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) user: usize,
    pub(super) units: Units,
    /// Which of these units operators gave back, unless it is over.
    pub(super) returned: Units,
    pub(super) expires_at: TimeMs,
    /// While it may be waiting it may have expired, too: time tells.
    pub(super) may_be: States,
    /// The number of the place where it goes, and how often that changed.
    pub(super) goes_to: Option<u64>,
    pub(super) redirects: u64,
    pub(super) is_delivered: bool,
    /// It was paid, or may have been, whenever that was.
    pub(super) may_be_late: bool,
    /// There is one at most: nobody asks for the order again before it is resolved.
    pub(super) doubt: Option<Doubt>,
}

impl Order {
    pub(super) fn new(user: usize, units: Units, expires_at: TimeMs, state: OrderStatus) -> Self {
        Self {
            user,
            units,
            returned: Units::default(),
            expires_at,
            may_be: States::only(state),
            goes_to: None,
            redirects: 0,
            is_delivered: false,
            may_be_late: false,
            doubt: None,
        }
    }

    /// The units that are not back.
    pub(super) fn left(&self) -> Units {
        self.units.minus(self.returned)
    }

    /// Its delivery goes to this place by now.
    pub(super) fn go_to(&mut self, place: u64) {
        self.redirects += u64::from(self.goes_to != Some(place));
        self.goes_to = Some(place);
    }

    /// Whether a look at the order tells anything new.
    pub(super) fn is_open(&self) -> bool {
        self.may_be.has(OrderStatus::Pending) || self.may_be.is_unclear() || self.doubt.is_some()
    }

    /// The order is found in this state.
    ///
    /// # Errors
    /// What is wrong, when that contradicts what was told before, or the deadline.
    pub(super) fn find(&mut self, state: OrderStatus, when: Span) -> Result<(), String> {
        let in_time = match state {
            OrderStatus::Pending => when.from < self.expires_at,
            OrderStatus::Expired => when.to >= self.expires_at,
            // What is settled stays so, whatever the time.
            OrderStatus::Confirmed
            | OrderStatus::Shipped
            | OrderStatus::Completed
            | OrderStatus::Cancelled => true,
        };
        let is_possible = in_time && self.possible(when).has(state);
        let before = std::mem::replace(&mut self.may_be, States::only(state));
        if is_possible {
            return Ok(());
        }
        Err(format!("it is {} ({when:?}), and was {before:?}: {self:?}", state.name()))
    }

    /// An act was answered.
    ///
    /// # Errors
    /// What is wrong, when the order was in no state in which that is answered.
    pub(super) fn hear(&mut self, act: Act, heard: Heard, when: Span) -> Result<(), String> {
        let possible = self.possible(when);
        let is_late = act.minds_the_deadline() && when.from >= self.expires_at;
        let now = possible.iter().filter_map(|state| match (act.on(state, self), heard) {
            (Told::Becomes(_), Heard::Done) if state == OrderStatus::Pending && is_late => None,
            (Told::Becomes(next), Heard::Done) => Some(next),
            (Told::BecomesIfThere(next), Heard::Done) => Some(next),
            (Told::Refused, Heard::Refused)
            | (Told::TooLate, Heard::TooLate)
            | (Told::BecomesIfThere(_), Heard::Short) => Some(state),
            (
                Told::Becomes(_) | Told::Refused | Told::TooLate | Told::BecomesIfThere(_),
                Heard::Done | Heard::Refused | Heard::TooLate | Heard::Short,
            ) => None,
        });
        let mut now: States = now.collect();
        if let Some(doubt) = self.doubt.take()
            && heard == Heard::Done
        {
            // A look may have shown what came of it before this answer did; and what waited on may have
            // expired since.
            let waits = doubt.comes_to.has(OrderStatus::Pending);
            let lapsed = waits.then_some(OrderStatus::Expired).into_iter().collect();
            now = now.with(possible.and(doubt.comes_to.with(lapsed)));
        }
        if now.is_empty() {
            return Err(format!("{act:?} is {heard:?} ({when:?}), and it was {self:?}"));
        }
        self.may_be = lapsing(now);
        self.may_be_late |= act == Act::Reacquire && heard == Heard::Done;
        Ok(())
    }

    /// An act was asked for, and nobody knows what came of it.
    pub(super) fn doubt(&mut self, act: Act) {
        let comes_to = self.may_be.iter().filter_map(|state| match act.on(state, self) {
            Told::Becomes(next) | Told::BecomesIfThere(next) => Some(next),
            Told::Refused | Told::TooLate => None,
        });
        let comes_to = comes_to.collect();
        self.may_be_late |= act == Act::Reacquire;
        self.may_be = self.may_be.with(comes_to);
        self.doubt = Some(Doubt { act, comes_to });
    }

    /// What it may be at this time.
    fn possible(&self, when: Span) -> States {
        let may_expire = self.may_be.has(OrderStatus::Pending) && when.to >= self.expires_at;
        let expired = may_expire.then_some(OrderStatus::Expired);
        self.may_be.with(expired.into_iter().collect())
    }
}

/// Without the expiry of what waits, which follows from the time.
fn lapsing(states: States) -> States {
    let waits = states.has(OrderStatus::Pending);
    states.iter().filter(|state| !waits || *state != OrderStatus::Expired).collect()
}

#[cfg(test)]
mod tests {
    use OrderStatus::{Cancelled, Completed, Confirmed, Expired, Pending, Shipped};

    use super::super::acts::GiveBack;
    use super::*;

    const BEFORE: Span = Span { from: 90, to: 95 };
    const AROUND: Span = Span { from: 99, to: 101 };
    const AFTER: Span = Span { from: 100, to: 105 };

    fn order(states: &[OrderStatus]) -> Order {
        let may_be = states.iter().copied().collect();
        Order { may_be, ..Order::new(0, Units::of(4, 2), 100, Pending) }
    }

    #[test]
    fn an_order_is_found_as_it_was_told_or_as_time_has_left_it() {
        for (may_be, state, when, allowed) in [
            (&[Pending][..], Pending, BEFORE, true),
            (&[Pending], Pending, AROUND, true),
            (&[Pending], Pending, AFTER, false),
            (&[Pending], Expired, BEFORE, false),
            (&[Pending], Expired, AROUND, true),
            (&[Pending], Expired, AFTER, true),
            (&[Pending], Confirmed, BEFORE, false),
            (&[Pending], Cancelled, BEFORE, false),
            (&[Pending, Confirmed], Confirmed, AFTER, true),
            (&[Pending, Confirmed], Expired, AFTER, true),
            (&[Confirmed], Confirmed, AFTER, true),
            (&[Confirmed], Expired, AFTER, false),
            (&[Confirmed], Cancelled, AFTER, false),
            (&[Confirmed], Shipped, AFTER, false),
            (&[Confirmed, Shipped], Shipped, AFTER, true),
            (&[Shipped], Confirmed, AFTER, false),
            (&[Shipped], Completed, AFTER, false),
            (&[Cancelled], Cancelled, AFTER, true),
            (&[Cancelled], Confirmed, AFTER, false),
            (&[Expired], Expired, AFTER, true),
            (&[Expired], Pending, BEFORE, false),
            (&[Expired], Confirmed, BEFORE, false),
        ] {
            let mut order = order(may_be);
            let found = order.find(state, when);
            assert_eq!(found.is_ok(), allowed, "{may_be:?} found {state:?} {when:?}");
            assert_eq!(order.may_be, States::only(state), "it is what it was found as");
        }
    }

    #[test]
    fn an_answer_fits_a_state_and_a_time_or_is_wrong() {
        use Heard::{Done, Refused, Short, TooLate};
        for (may_be, act, heard, when, now) in [
            (&[Pending][..], Act::Confirm, Done, BEFORE, Some(&[Confirmed][..])),
            (&[Pending], Act::Confirm, Done, AROUND, Some(&[Confirmed])),
            (&[Pending], Act::Confirm, Done, AFTER, None),
            (&[Pending], Act::Confirm, TooLate, BEFORE, None),
            (&[Pending], Act::Confirm, TooLate, AROUND, Some(&[Expired])),
            (&[Pending], Act::Confirm, Refused, BEFORE, None),
            (&[Pending], Act::Cancel, Done, AFTER, None),
            (&[Pending], Act::Recall, Done, BEFORE, Some(&[Cancelled])),
            (&[Pending], Act::Ship, Refused, AROUND, Some(&[Pending])),
            (&[Pending], Act::Redirect { to: 1, by_operator: true }, Done, AFTER, Some(&[Pending])),
            (&[Confirmed], Act::Cancel, Done, AFTER, Some(&[Cancelled])),
            (&[Confirmed], Act::Ship, Done, AFTER, Some(&[Shipped])),
            (&[Confirmed], Act::Ship, Refused, AFTER, None),
            (&[Confirmed, Shipped], Act::Ship, Refused, AFTER, Some(&[Shipped])),
            (&[Confirmed, Shipped], Act::Confirm, Done, AFTER, Some(&[Confirmed, Shipped])),
            (&[Shipped], Act::Cancel, Refused, AFTER, Some(&[Shipped])),
            (&[Shipped], Act::Cancel, Done, AFTER, None),
            (&[Completed], Act::Recall, Done, AFTER, None),
            (&[Cancelled], Act::Cancel, Done, AFTER, Some(&[Cancelled])),
            (&[Cancelled], Act::Confirm, Done, BEFORE, None),
            (&[Expired], Act::Confirm, Done, BEFORE, None),
            (&[Expired], Act::Extend { ttl_ms: 9 }, TooLate, BEFORE, Some(&[Expired])),
            (&[Pending], Act::Reacquire, Done, AFTER, Some(&[Confirmed])),
            (&[Pending], Act::Reacquire, Short, BEFORE, None),
            (&[Pending], Act::Reacquire, Short, AROUND, Some(&[Expired])),
            (&[Pending], Act::Reacquire, TooLate, AFTER, None),
            (&[Expired], Act::Reacquire, Done, AFTER, Some(&[Confirmed])),
            (&[Expired], Act::Reacquire, Short, AFTER, Some(&[Expired])),
            (&[Confirmed], Act::Reacquire, Short, AFTER, None),
            (&[Cancelled], Act::Reacquire, Done, AFTER, None),
            (&[Expired], Act::Confirm, Short, AFTER, None),
        ] {
            let mut order = order(may_be);
            let heard_well = order.hear(act, heard, when).ok().map(|()| order.may_be);
            let now: Option<States> = now.map(|states| states.iter().copied().collect());
            assert_eq!(heard_well, now, "{may_be:?}: {act:?} is {heard:?} {when:?}");
        }
    }

    #[test]
    fn what_was_asked_and_not_answered_is_possible_and_no_more() {
        let mut order = order(&[Pending]);
        order.doubt(Act::Confirm);
        assert_eq!(order.may_be, [Pending, Confirmed].into_iter().collect());
        assert!(order.is_open() && order.may_be.may_hold(), "{order:?}");
        for (state, act) in [(Expired, Act::Confirm), (Shipped, Act::Cancel)] {
            let mut order = self::order(&[state]);
            order.doubt(act);
            assert_eq!(order.may_be, States::only(state), "{act:?} does nothing to {state:?}");
            assert!(order.is_open(), "and yet it is looked at");
        }
    }

    #[test]
    fn a_retry_is_told_what_a_look_has_shown_before() {
        let all = Act::Refund(GiveBack { part: None, restock: true, even_completed: false });
        for (state, act, shown) in [
            (Pending, Act::Redirect { to: 1, by_operator: true }, Expired),
            (Pending, Act::Extend { ttl_ms: 9 }, Expired),
            (Confirmed, Act::Ship, Shipped),
            (Shipped, Act::Complete, Completed),
            (Shipped, all, Cancelled),
        ] {
            let mut order = order(&[state]);
            order.doubt(act);
            assert_eq!(order.find(shown, AFTER), Ok(()));
            assert_eq!(order.hear(act, Heard::Done, AFTER), Ok(()));
            assert_eq!((order.may_be, order.is_open()), (States::only(shown), false));
            assert!(order.hear(act, Heard::Done, AFTER).is_err(), "{act:?} is done once");
        }
    }
}
