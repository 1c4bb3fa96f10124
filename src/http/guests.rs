//! Connections: bounds in all and for each address, which one is closed to make room, and which is
//! overdue.
//!
//! A connection that never sent a whole request goes first, then the one that has rested longest;
//! one that has a request which is being handled or answered never does. One of HTTP/2 has many at a
//! time: it is at work while any of them is, and it is told to go before it is closed, so that its
//! client knows which of its requests were begun.

mod address;
mod guest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

pub(super) use self::address::Address;
use self::guest::State;
pub(super) use self::guest::{Dismissed, Farewell, Guest, Turn};
use super::Limits;
use super::running::RunningClock;

/// One of this many connections is closed at once when there is no room: each look at all of them
/// makes room for many.
const SENT_AWAY_OF: usize = 64;

/// All connections.
#[derive(Debug)]
pub(super) struct Guests {
    clock: Arc<RunningClock>,
    connections_max: usize,
    per_address_max: usize,
    house: Mutex<House>,
    /// A connection was closed, or it may be time to look again.
    left: Notify,
}

#[derive(Debug, Default)]
struct House {
    by_address: HashMap<Address, BTreeMap<u64, Arc<Guest>>>,
    count: usize,
    next_number: u64,
}

impl House {
    fn forget(&mut self, guest: &Guest) {
        if let Some(same) = self.by_address.get_mut(&guest.address)
            && same.remove(&guest.number).is_some()
        {
            if same.is_empty() {
                self.by_address.remove(&guest.address);
            }
            self.count -= 1;
        }
    }
}

/// Of what a connection takes a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Of all connections, and of those of its address.
    OfAddress,
    /// Of all connections alone: many clients stand behind its address.
    OfAll,
}

/// The place of a connection among all, until it is dropped: also where what serves it panics.
#[derive(Debug)]
pub(super) struct Seat {
    guests: Arc<Guests>,
    guest: Arc<Guest>,
}

impl Seat {
    pub(super) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// A client that came by way of another address and said nothing yet is at this one, and counts
    /// among those of this one; `None` when that has too many, all of them at work, or when the client
    /// was sent away. The guest it was is none any more.
    pub(super) async fn move_to(&self, address: Address) -> Option<Self> {
        self.guests.wait(|| self.guests.try_move(&self.guest, address)).await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guests.leave(&self.guest);
    }
}

/// What becomes of a client at the door.
enum Door {
    In(Arc<Guest>),
    Wait,
    /// Its address has too many connections, all of them at work.
    Out,
}

impl Guests {
    pub(super) fn new(clock: Arc<RunningClock>, limits: &Limits) -> Self {
        Self::bounded(clock, limits.connections, limits.connections_per_address)
    }

    /// Those of operators, who may all come from one address.
    pub(super) fn of_operators(clock: Arc<RunningClock>, limits: &Limits) -> Self {
        Self::bounded(clock, limits.operators_connections, limits.operators_connections)
    }

    fn bounded(clock: Arc<RunningClock>, connections_max: usize, per_address_max: usize) -> Self {
        Self {
            clock,
            connections_max,
            per_address_max,
            house: Mutex::default(),
            left: Notify::new(),
        }
    }

    /// A place for a client, once there is one; `None` when its address has too many, all of them
    /// at work.
    pub(super) async fn admit(self: &Arc<Self>, address: Address, share: Share) -> Option<Seat> {
        self.wait(|| self.knock(address, share)).await
    }

    /// Looks until whoever is at the door need not wait there.
    async fn wait(self: &Arc<Self>, look: impl Fn() -> Door) -> Option<Seat> {
        loop {
            let mut left = pin!(self.left.notified());
            // Before the look: who leaves after it is heard of.
            left.as_mut().enable();
            match look() {
                Door::In(guest) => return Some(Seat { guests: Arc::clone(self), guest }),
                Door::Out => return None,
                Door::Wait => left.await,
            }
        }
    }

    fn knock(&self, address: Address, share: Share) -> Door {
        let mut house = self.house.lock();
        if let Some(door) = self.check_share(&house, address, share) {
            return door;
        }
        if house.count >= self.connections_max {
            send_away(house.by_address.values().flat_map(BTreeMap::values));
            return Door::Wait;
        }
        Door::In(self.settle(&mut house, address, State::silent(&self.clock)))
    }

    /// Why a client at an address is not let in yet, if that is for its address.
    fn check_share(&self, house: &House, address: Address, share: Share) -> Option<Door> {
        let is_bounded = share == Share::OfAddress && address.is_bounded();
        let same = house.by_address.get(&address).filter(|_| is_bounded)?;
        let is_full = same.len() >= self.per_address_max;
        let door = || if send_away(same.values()) { Door::Wait } else { Door::Out };
        is_full.then(door)
    }

    fn settle(&self, house: &mut House, address: Address, state: State) -> Arc<Guest> {
        let number = house.next_number;
        let guest = Arc::new(Guest::new(number, address, Arc::clone(&self.clock), state));
        house.by_address.entry(address).or_default().insert(number, Arc::clone(&guest));
        house.next_number += 1;
        house.count += 1;
        guest
    }

    fn try_move(&self, guest: &Guest, address: Address) -> Door {
        let mut house = self.house.lock();
        let Some(state) = guest.staying() else { return Door::Out };
        if let Some(door) = self.check_share(&house, address, Share::OfAddress) {
            return door;
        }
        house.forget(guest);
        Door::In(self.settle(&mut house, address, state))
    }

    /// The connection is closed.
    fn leave(&self, guest: &Guest) {
        self.house.lock().forget(guest);
        // All of them: who waits for another address than this one's would keep it from the others.
        self.left.notify_waiters();
    }

    /// Closes connections that have taken longer than `limits` allow.
    pub(super) fn sweep(&self, now_ms: u64, limits: &Limits) {
        let house = self.house.lock();
        house
            .by_address
            .values()
            .flat_map(BTreeMap::values)
            .for_each(|guest| guest.check(now_ms, limits));
        drop(house);
        // One that was at work when somebody looked for room may rest by now.
        self.left.notify_waiters();
    }
}

/// Sends some of these away, the least needed first. False when each of them is at work; true also
/// when some are already on their way out.
fn send_away<'a>(guests: impl Iterator<Item = &'a Arc<Guest>>) -> bool {
    let mut count = 0;
    let mut ranked = Vec::new();
    for guest in guests {
        count += 1;
        if guest.is_on_its_way_out() {
            return true;
        }
        ranked.extend(guest.rank().map(|rank| (rank, guest)));
    }
    let enough = ranked.len().min(1 + count / SENT_AWAY_OF);
    if enough < ranked.len() {
        ranked.select_nth_unstable_by_key(enough, |(rank, _)| *rank);
    }
    ranked[..enough].iter().for_each(|(_, guest)| guest.make_room());
    enough > 0
}
