//! Reservations that expired take their lines again: once, with a key once more, and in no other
//! state.

use super::setup::{USERS, lot_of, points_of};
use super::step::{PointsFrom, Then};
use super::wish::Revived;
use super::world::World;
use crate::base::error::ErrorKind;
use crate::base::{AccountId, ReservationId};
use crate::ledger::{Held, Line, Reacquire};
use crate::trials::oracle::{Checked, Due, Ended, PendingReservation, Said, agree};

impl World<'_> {
    /// One of those that expired; the newest mostly, as their units are sold again soon.
    pub(super) fn reacquire(
        &mut self,
        pick: usize,
        points: PointsFrom,
        key: Option<u8>,
    ) -> Checked {
        self.revive_foreign(pick)?;
        let (count, expired) = (self.books.expired.len(), &self.books.expired);
        let found = expired.iter().rev().nth(pick % count.clamp(1, 4));
        let Some((&reservation, held)) = found else {
            return Ok(());
        };
        let held = held.clone();
        let Some(takes) = self.takes(&held.lines, points)? else {
            return Ok(());
        };
        if takes != held.lines {
            self.counts.add("requests", "reacquire with other points");
        }
        let revived = Revived { reservation, held, takes, key };
        self.counts.add("requests", "reacquire");
        self.revived.push(revived.clone());
        self.revive(&revived)
    }

    /// The lines that it is to take, in the place of those that it held; `None` where the engine opens
    /// no account now.
    fn takes(&mut self, held: &[Line], points: PointsFrom) -> Checked<Option<Vec<Line>>> {
        let mut takes = Vec::new();
        for line in held {
            let user = (0..USERS).find(|user| self.is_points_of(line.account, *user));
            let Some(user) = user else {
                takes.push(*line);
                continue;
            };
            let quantity = line.quantity;
            let wanted = match points {
                PointsFrom::Held => vec![],
                PointsFrom::Lot(lot) => vec![(lot_of(user, lot), quantity)],
                PointsFrom::Both(lot) => {
                    let half = quantity / 2;
                    vec![(lot_of(user, lot), quantity - half), (points_of(user), half)]
                }
                PointsFrom::Another(lot) => vec![(lot_of((user + 1) % USERS, lot), quantity)],
                PointsFrom::More(lot) => vec![(lot_of(user, lot), quantity + 1)],
            };
            takes.extend((points == PointsFrom::Held).then_some(*line));
            for (place, quantity) in wanted.into_iter().filter(|(_, quantity)| *quantity > 0) {
                let Some(account) = self.open(place)? else {
                    return Ok(None);
                };
                takes.push(Line { account, quantity });
            }
        }
        Ok(Some(takes))
    }

    /// Whether these are points of this user that the user took an order's from.
    fn is_points_of(&self, account: AccountId, user: usize) -> bool {
        self.books.names.get(&account) == Some(self.key_at(points_of(user)))
    }

    /// The same once more, with its key or, as another request, without.
    pub(super) fn reacquire_again(&mut self, pick: usize, keeps_key: bool) -> Checked {
        let recent = &self.revived[self.revived.len().saturating_sub(6)..];
        let Some(mut revived) = recent.get(pick % recent.len().max(1)).cloned() else {
            return Ok(());
        };
        if !keeps_key {
            revived.key = None;
        }
        // A crash may have taken back that an account was opened, and that anything happened with
        // the number; and a restart forgets how what is old ended, which only history tells then.
        let reservation = revived.reservation;
        if let Some(held) = self.books.expired.get(&reservation) {
            revived.held = held.clone();
        }
        let is_known = |account| self.books.accounts.contains_key(&account);
        let is_told = self.books.ended.contains_key(&reservation);
        let is_faded = self.books.faded.contains(&reservation);
        let is_expired = self.books.expired.contains_key(&reservation);
        let mut lines = revived.held.lines.iter().chain(&revived.takes);
        if !lines.all(|line| is_known(line.account)) || !is_expired && (!is_told || is_faded) {
            return Ok(());
        }
        self.counts.add("requests", "reacquire again");
        self.revive(&revived)
    }

    fn revive(&mut self, revived: &Revived) -> Checked {
        let engine = self.engine()?;
        let (now, terms, key) = (engine.now_ms(), self.plan.setup.terms(), revived.key());
        let asked = Reacquire::new(revived.reservation).key(key);
        let due = self.books.decide_revive(&asked, Some(&revived.takes), now, &terms.bounds);
        let held = held_of(revived.reservation, &revived.held);
        let said = engine.revive(&Held { takes: &revived.takes, ..held }, &asked);
        self.counts.add("revivals", name_of(&due));
        if matches!(due, Due::Facts(..)) && revived.takes != revived.held.lines {
            self.counts.add("revivals", "revived with other points");
        }
        let request = key.map(|key| terms.request(key, now));
        self.hear_other(now, due, request, said, Then::Wait)
    }

    /// What a history that is not this ledger's would tell is refused: of one that waits, and of one
    /// that is known to be confirmed.
    fn revive_foreign(&mut self, pick: usize) -> Checked {
        let engine = self.engine()?;
        let pending = self.books.pending.iter();
        let waits = pending.map(|(id, held)| (*id, held.clone())).nth(pick % 4);
        let ended = self.books.ended.iter().rev();
        let confirmed =
            ended.filter(|(id, how)| **how == Ended::Confirmed && !self.books.faded.contains(id));
        let confirmed = confirmed.filter_map(|(id, _)| {
            let lines = &self.books.consumed.get(id)?.lines;
            let lines =
                lines.iter().map(|line| Line { account: line.account, quantity: line.consumed });
            let lines = lines.collect();
            Some((*id, PendingReservation { owner: None, lines, expires_at: 0 }))
        });
        let confirmed = confirmed.take(1).collect::<Vec<_>>();
        for (reservation, held) in waits.into_iter().chain(confirmed) {
            let said = engine.revive(&held_of(reservation, &held), &Reacquire::new(reservation));
            let said = said.map(|ticket| Said::from(ticket.outcome()));
            let said = said.map_err(|error| error.kind());
            if said.is_err_and(|kind| self.excuses(kind)) {
                continue;
            }
            self.counts.add("requests", "reacquire of what has not expired");
            agree("a revival of what has not expired", &said, &Err(ErrorKind::Conflict))?;
        }
        Ok(())
    }
}

fn held_of(reservation: ReservationId, held: &PendingReservation) -> Held<'_> {
    let PendingReservation { owner, lines, expires_at } = held;
    Held { reservation, owner: *owner, lines, takes: lines, expires_at: *expires_at }
}

fn name_of(due: &Due) -> &'static str {
    match due {
        Due::Facts(..) => "revived",
        Due::Nothing(_) => "short",
        Due::Again(..) => "first answer again",
        Due::Error(ErrorKind::Conflict) => "revived before",
        Due::Error(ErrorKind::Invalid) => "other points than its user's",
        Due::Error(_) => "refused",
    }
}
