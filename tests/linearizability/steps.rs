//! What a thread asks next.

use stockhold::command::Deadline;
use stockhold::{Engine, ReservationId};

use super::wish::Wish;
use super::{CAP, Group, LOT, Made, PLACES, Rng, STOCKS, Stage, USERS};
use crate::reference::{Ask, Place};

impl Group {
    /// One of the newest, so that threads meet at them.
    fn pick(&self, rng: &mut Rng, among: usize) -> Option<Made> {
        let made = self.made.lock().expect("no thread panics");
        let newest = made.len().min(among) as u64;
        (newest > 0).then(|| made[made.len() - 1 - rng.below(newest) as usize].clone())
    }

    /// One that has expired, mostly.
    fn lapsed(&self, rng: &mut Rng) -> Option<ReservationId> {
        let lapsed = self.lapsed.lock().expect("no thread panics");
        let newest = lapsed.len().min(3) as u64;
        let picked = (newest > 0).then(|| lapsed[lapsed.len() - 1 - rng.below(newest) as usize]);
        drop(lapsed);
        picked.or_else(|| self.pick(rng, 3).filter(|_| rng.below(4) == 0).map(|(id, _)| id))
    }

    /// Whoever is first in a line takes a unit.
    fn grant(&self, engine: &Engine, account: Place, rng: &mut Rng) -> Option<Wish> {
        let first = engine.next_waiting(self.accounts[account].0).expect("the account is open");
        let (first, _) = first?;
        let owner = self.accounts.iter().position(|(id, ..)| *id == first.owner);
        // Now and then one that nobody has yet.
        let number = first.place + 2 * u64::from(rng.below(6) == 0);
        let owner = owner.expect("only users wait");
        let lines = vec![(owner, 1), (account, 1)];
        Some(Wish::Grant { account, number, owner, lines, ttl_ms: 1 + rng.below(6) })
    }

    /// Some of what a reservation took goes back; now and then more than that.
    fn give_back(&self, rng: &mut Rng) -> Option<Wish> {
        let (reservation, lines) = self.pick(rng, 6)?;
        let more = u64::from(rng.below(6) == 0);
        let part = lines.into_iter().map(|(place, units)| (place, 1 + rng.below(units) + more));
        let part: Vec<_> = part.collect();
        let stock = part.iter().map(|(place, _)| *place).find(|place| STOCKS.contains(place));
        let broken = stock.filter(|_| rng.below(3) == 0);
        Some(Wish::GiveBack { reservation, part, broken })
    }
}

fn reserve(rng: &mut Rng) -> Ask {
    let [tea, cup] = STOCKS;
    let points = USERS[rng.below(2) as usize];
    let lines = match rng.below(7) {
        0 => vec![(tea, 1)],
        1 => vec![(tea, 1), (tea, 1)],
        2 => vec![(tea, 1 + rng.below(2)), (cup, 1)],
        3 => vec![(cup, 1), (points, 2)],
        4 => vec![(USERS[0], 1), (CAP, 1), (tea, 1)],
        5 => vec![(LOT, 1), (tea, 1)],
        _ => vec![(points, 1), (tea, 1)],
    };
    Ask::Reserve { lines, ttl_ms: 1 + rng.below(6), confirm: rng.below(6) == 0, owner: None }
}

/// What an operator does to an account that no rule grants.
fn correct(rng: &mut Rng) -> Ask {
    let account = rng.below(4) as Place;
    match rng.below(6) {
        0 => Ask::Adjust { account, delta: -1 },
        1 => Ask::WriteOff { account: [account, LOT][rng.below(2) as usize], quantity: 1 },
        2 => Ask::Count { account, units: rng.below(4) },
        3 => {
            let pair = [STOCKS, USERS, [LOT, USERS[0]]][rng.below(3) as usize];
            let [from, to] = if rng.below(2) == 0 { pair } else { [pair[1], pair[0]] };
            Ask::Transfer { from, to, quantity: 1 }
        }
        _ => Ask::Receive { account, quantity: 1 },
    }
}

/// The request of a key, the same for every thread, but for now and then.
fn keyed(group: &Group, seed: u64, rng: &mut Rng) -> (Ask, Option<u8>) {
    let key = rng.below(3) as u8;
    let other = u64::from(rng.below(8) == 0);
    let mut of_key =
        Rng(seed ^ group.round << 8 ^ u64::from(key) << 4 ^ (group.number as u64) << 1 ^ other);
    let ask = match of_key.below(3) {
        0 => Ask::Receive { account: of_key.below(4) as Place, quantity: 1 + other },
        _ => reserve(&mut of_key),
    };
    (ask, Some(key))
}

pub fn step(stage: &Stage, group: &Group, rng: &mut Rng) {
    let account = STOCKS[rng.below(2) as usize];
    let owner = USERS[rng.below(2) as usize];
    match rng.below(32) {
        0..9 => stage.ask(group, reserve(rng), None),
        9..12 => {
            let (ask, key) = keyed(group, stage.seed, rng);
            stage.ask(group, ask, key);
        }
        choice @ 12..18 => {
            let Some((reservation, lines)) = group.pick(rng, 3) else {
                return;
            };
            let ask = match choice {
                12..14 => Ask::Confirm { reservation, owner: None, parts: None },
                14 => {
                    let parts = (0..lines.len() as u64).map(|at| u64::from(at == 0)).collect();
                    Ask::Confirm { reservation, owner: None, parts: Some(parts) }
                }
                15 => {
                    let deadline = Deadline::After(1 + rng.below(6));
                    Ask::Extend { reservation, deadline, owner: None }
                }
                _ => Ask::Release { reservation, owner: None },
            };
            stage.ask(group, ask, None);
        }
        18..22 => stage.ask(group, correct(rng), None),
        22 => stage.level(group, rng.below(PLACES) as Place),
        23..25 => stage.takeable(group, rng.below(PLACES - 1) as Place),
        25 => {
            let only = (rng.below(3) == 0).then_some(0);
            stage.wish(group, Wish::Leave { account, owner, only });
        }
        26..29 => {
            let places_max = 1 + rng.below(2) as usize;
            let join = Wish::Join { account, owner, places_max };
            stage.wish(group, group.grant(&stage.engine, account, rng).unwrap_or(join));
        }
        29 => stage.standing(group, account),
        30 => {
            if let Some(reservation) = group.lapsed(rng) {
                stage.wish(group, Wish::Revive { reservation });
            }
        }
        _ => {
            // It waits for the disk, and with it for the time of others.
            if rng.below(2) == 0
                && let Some(back) = group.give_back(rng)
            {
                stage.wish(group, back);
            }
        }
    }
}
