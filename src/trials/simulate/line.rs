//! Those who wait for a product's units.

use super::setup::AccountIndex;
use super::step::Then;
use super::wish::Recorded;
use super::world::World;
use crate::base::error::Error;
use crate::ledger::{Grant, GrantOutcome, Join, Leave, Line, Reserve};
use crate::trials::oracle::{Ask, Checked, Due, FILLER, Said};

impl World<'_> {
    pub(super) fn join(
        &mut self,
        (place, owner): (AccountIndex, AccountIndex),
        places_max: usize,
        sells_out: bool,
        key: Option<u8>,
    ) -> Checked {
        let (Some(account), Some(owner)) = (self.open(place)?, self.open(owner)?) else {
            return Ok(());
        };
        let now = self.engine()?.now_ms();
        let quantity = self.books.accounts[&account].takeable(now);
        if sells_out && quantity > 0 {
            let lines = vec![Line { account, quantity }];
            let ask = Ask::Reserve { lines, ttl_ms: 100, confirm: false, owner: None, details: 0 };
            self.ask(&ask, None, Then::Keep)?;
        }
        if key.is_some() {
            return self.record(Recorded::Join { account, owner, places_max }, key);
        }
        let engine = self.engine()?;
        let now = engine.now_ms();
        let join = Join::new(account, owner, places_max).body(&FILLER[..places_max]);
        let terms = self.plan.setup.terms();
        let due = self.books.decide_join(&join, now, &terms.bounds);
        self.counts.add("requests", "join a line");
        self.counts.add("lines", name_of(&due));
        self.hear_other(now, due, None, engine.join(join), Then::Keep)
    }

    pub(super) fn leave(
        &mut self,
        (place, owner): (AccountIndex, AccountIndex),
        is_other: bool,
        key: Option<u8>,
    ) -> Checked {
        let (Some(account), Some(owner)) = (self.open(place)?, self.open(owner)?) else {
            return Ok(());
        };
        if key.is_some() {
            return self.record(Recorded::Leave { account, owner }, key);
        }
        let engine = self.engine()?;
        let now = engine.now_ms();
        let mut leave = Leave::new(account, owner).note("had enough");
        if is_other {
            leave = leave.place(0);
        }
        let terms = self.plan.setup.terms();
        let due = self.books.decide_leave(&leave, now, &terms.bounds);
        self.counts.add("requests", "leave a line");
        self.counts.add("lines", name_of(&due));
        self.hear_other(now, due, None, engine.leave(leave), Then::Wait)
    }

    /// As a mall does it: the points of who is first are taken with the units.
    pub(super) fn grant(
        &mut self,
        place: AccountIndex,
        units: u64,
        (ttl_ms, confirm): (u64, bool),
        is_other: bool,
    ) -> Checked {
        let Some(account) = self.open(place)? else {
            return Ok(());
        };
        let line = &self.books.accounts[&account].line;
        let waiting = if is_other { line.last() } else { line.first() };
        // Who is not there is not served.
        let (place, owner) = waiting.map_or((0, account), |it| (it.place, it.owner));
        let lines = [(owner, 3 * units), (account, units)]
            .map(|(account, quantity)| Line { account, quantity });
        let mut reserve = Reserve::new(&lines, ttl_ms).owner(owner);
        reserve.confirm = confirm;
        let grant = Grant::new(account, place, reserve);
        let engine = self.engine()?;
        let (now, terms) = (engine.now_ms(), self.plan.setup.terms());
        let said = engine.grant(grant);
        let number = match said.as_ref().map(|ticket| ticket.outcome()) {
            Ok(GrantOutcome::Granted(reserved)) => Some(reserved.reservation),
            _ => None,
        };
        let due = self.books.decide_grant(&grant, now, number, &terms.bounds);
        self.counts.add("requests", "grant");
        self.counts.add("lines", name_of(&due));
        let is_excused = said.as_ref().map_err(Error::kind).is_err_and(|kind| self.excuses(kind));
        self.hear_other(now, due, None, said, Then::Keep)?;
        self.made.extend(number.filter(|_| !is_excused));
        Ok(())
    }
}

fn name_of(due: &Due) -> &'static str {
    match due {
        Due::Facts(_, Said::Waiting { .. }) => "waits",
        Due::Facts(_, Said::Left { .. }) => "left",
        Due::Facts(..) => "granted",
        Due::Again(..) => "waits already",
        Due::Nothing(Said::Available { .. }) => "there are units",
        Due::Nothing(Said::Full { .. }) => "full",
        Due::Nothing(Said::Refused(_)) => "too little",
        Due::Nothing(_) => "not in it",
        Due::Error(_) => "refused",
    }
}
