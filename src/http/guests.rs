//! Connections: bounds in all and for each address, which one is closed to make room, and which is
//! overdue.
//!
//! A connection that never sent a whole request goes first, then the one that has rested longest;
//! one whose request is being handled or answered never does.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Limits;
use super::listener::Peer;
use super::running::RunningClock;

/// How long what a client still sends is read after the last answer: to close with bytes unread
/// would reset the connection, and the client might lose the answer.
const LINGER: Duration = Duration::from_secs(1);
/// One of this many connections is closed at once when there is no room: each look at all of them
/// makes room for many.
const SENT_AWAY_OF: usize = 64;

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Address {
    /// At its IPv4 address, or in the /64 of its IPv6 address, of which one subscriber has all.
    Net(IpAddr),
    /// On this machine, with no address: whoever comes by a Unix socket. Behind it stands a proxy
    /// more often than not, so bounds of each address are not for them.
    Local,
}

impl Address {
    pub(super) fn of(peer: Peer) -> Self {
        match peer {
            Peer::At(ip) => Self::of_ip(ip),
            Peer::Local => Self::Local,
        }
    }

    fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) => Self::Net(IpAddr::V6((ip.to_bits() >> 64 << 64).into())),
            ip => Self::Net(ip),
        }
    }

    /// Whether the bounds of each address hold for it.
    pub(super) fn is_bounded(self) -> bool {
        match self {
            Self::Net(_) => true,
            Self::Local => false,
        }
    }
}

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No request was ever whole.
    Silent,
    /// A request is read and handled; its handler bounds the time.
    Busy,
    /// Its answer is on the way.
    Answering,
    /// It waits for the next request.
    Resting,
    /// The next request has begun.
    Asking,
    /// Everything is answered; what comes is thrown away.
    Closing,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    since_ms: u64,
    /// Since when the client takes nothing of what is to be written.
    stalled_since_ms: Option<u64>,
    /// It was told to go, and no request of it is begun any more.
    dismissed: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Guest {
    number: u64,
    address: Address,
    clock: Arc<RunningClock>,
    state: Mutex<State>,
    dismissal: Notify,
}

/// Why a request is not begun: the connection is being closed.
#[derive(Debug)]
pub(super) struct Dismissed;

impl std::fmt::Display for Dismissed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was closed before its request was begun")
    }
}

impl std::error::Error for Dismissed {}

impl Guest {
    pub(super) fn address(&self) -> Address {
        self.address
    }

    /// A whole head has come: its request is begun, unless the connection was dismissed in that
    /// moment.
    pub(super) fn begin(&self) -> Result<(), Dismissed> {
        let mut state = self.state.lock();
        if state.dismissed {
            return Err(Dismissed);
        }
        self.enter(&mut state, Stage::Busy);
        Ok(())
    }

    /// The answer is handed over for writing.
    pub(super) fn answered(&self) {
        self.step(Stage::Busy, Stage::Answering);
    }

    /// All that was handed over is written.
    pub(super) fn flushed(&self) {
        self.step(Stage::Answering, Stage::Resting);
    }

    /// Bytes came from the client.
    pub(super) fn heard(&self) {
        self.step(Stage::Resting, Stage::Asking);
    }

    pub(super) fn closing(&self) {
        let mut state = self.state.lock();
        if state.stage != Stage::Closing {
            self.enter(&mut state, Stage::Closing);
        }
    }

    /// Whether the client takes what is written.
    pub(super) fn takes(&self, takes: bool) {
        let mut state = self.state.lock();
        if takes {
            state.stalled_since_ms = None;
        } else {
            state.stalled_since_ms.get_or_insert_with(|| self.clock.now_ms());
        }
    }

    /// Resolves when the connection must be closed.
    pub(super) async fn dismissed(&self) {
        self.dismissal.notified().await;
    }

    fn step(&self, from: Stage, to: Stage) {
        let mut state = self.state.lock();
        if state.stage == from {
            self.enter(&mut state, to);
        }
    }

    fn enter(&self, state: &mut State, stage: Stage) {
        state.stage = stage;
        state.since_ms = self.clock.now_ms();
    }

    fn dismiss(&self, state: &mut State) {
        state.dismissed = true;
        self.dismissal.notify_one();
    }

    /// In which order it goes when there is no room: none while it has work with us.
    fn rank(&self) -> Option<(bool, u64)> {
        let state = self.state.lock();
        match state.stage {
            Stage::Silent => Some((false, self.number)),
            Stage::Resting | Stage::Asking | Stage::Closing => Some((true, state.since_ms)),
            Stage::Busy | Stage::Answering => None,
        }
    }

    /// Sends it away unless it has begun a request since it was chosen.
    fn make_room(&self) {
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Busy | Stage::Answering) {
            self.dismiss(&mut state);
        }
    }

    fn is_dismissed(&self) -> bool {
        self.state.lock().dismissed
    }

    /// Sends it away when it has taken longer than it may.
    fn check(&self, now_ms: u64, limits: &Limits) {
        let mut state = self.state.lock();
        let bound = match state.stage {
            Stage::Silent | Stage::Asking => Some(limits.header_timeout),
            Stage::Resting => Some(limits.idle_timeout),
            Stage::Answering => Some(limits.answer_timeout),
            Stage::Closing => Some(LINGER),
            Stage::Busy => None,
        };
        let over = |since_ms: u64, bound: Duration| {
            u128::from(now_ms.saturating_sub(since_ms)) > bound.as_millis()
        };
        let late = bound.is_some_and(|bound| over(state.since_ms, bound));
        let stalled =
            state.stalled_since_ms.is_some_and(|since_ms| over(since_ms, limits.write_timeout));
        if (late || stalled) && !state.dismissed {
            tracing::debug!(stage = ?state.stage, stalled, "a connection took too long");
            self.dismiss(&mut state);
        }
    }
}

/// All connections.
#[derive(Debug)]
pub(super) struct Guests {
    clock: Arc<RunningClock>,
    connections_max: usize,
    per_address_max: usize,
    house: Mutex<House>,
    /// A connection was closed.
    left: Notify,
}

#[derive(Debug, Default)]
struct House {
    by_address: HashMap<Address, BTreeMap<u64, Arc<Guest>>>,
    count: usize,
    next_number: u64,
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
    pub(super) async fn admit(&self, address: Address) -> Option<Arc<Guest>> {
        loop {
            match self.knock(address) {
                Door::In(guest) => return Some(guest),
                Door::Out => return None,
                // Who leaves between the look and this leaves a permit.
                Door::Wait => self.left.notified().await,
            }
        }
    }

    fn knock(&self, address: Address) -> Door {
        let mut house = self.house.lock();
        let same = house.by_address.get(&address).filter(|_| address.is_bounded());
        if let Some(same) = same.filter(|same| same.len() >= self.per_address_max) {
            return if send_away(same.values()) { Door::Wait } else { Door::Out };
        }
        if house.count >= self.connections_max {
            send_away(house.by_address.values().flat_map(BTreeMap::values));
            return Door::Wait;
        }
        let number = house.next_number;
        let state = State {
            stage: Stage::Silent,
            since_ms: self.clock.now_ms(),
            stalled_since_ms: None,
            dismissed: false,
        };
        let (clock, state, dismissal) = (Arc::clone(&self.clock), Mutex::new(state), Notify::new());
        let guest = Arc::new(Guest { number, address, clock, state, dismissal });
        house.by_address.entry(address).or_default().insert(number, Arc::clone(&guest));
        house.next_number += 1;
        house.count += 1;
        Door::In(guest)
    }

    /// The connection is closed.
    pub(super) fn leave(&self, guest: &Guest) {
        let mut house = self.house.lock();
        if let Some(same) = house.by_address.get_mut(&guest.address) {
            same.remove(&guest.number);
            if same.is_empty() {
                house.by_address.remove(&guest.address);
            }
            house.count -= 1;
        }
        drop(house);
        self.left.notify_one();
    }

    /// Closes connections that have taken longer than `limits` allow.
    pub(super) fn sweep(&self, now_ms: u64, limits: &Limits) {
        let house = self.house.lock();
        house
            .by_address
            .values()
            .flat_map(BTreeMap::values)
            .for_each(|guest| guest.check(now_ms, limits));
    }
}

/// Sends some of these away, the least needed first. False when each of them is at work; true also
/// when some are already on their way out.
fn send_away<'a>(guests: impl Iterator<Item = &'a Arc<Guest>>) -> bool {
    let mut count = 0;
    let mut ranked = Vec::new();
    for guest in guests {
        count += 1;
        if guest.is_dismissed() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn guests(connections: usize, connections_per_address: usize) -> Guests {
        let limits = Limits { connections, connections_per_address, ..Limits::default() };
        Guests::new(Arc::new(RunningClock::default()), &limits)
    }

    fn enter(guests: &Guests, ip: &str) -> Result<Arc<Guest>, &'static str> {
        match guests.knock(Address::of_ip(ip.parse().expect("an address"))) {
            Door::In(guest) => Ok(guest),
            Door::Wait => Err("wait"),
            Door::Out => Err("out"),
        }
    }

    #[test]
    fn one_subscriber_is_one_address() {
        let of = |ip: &str| Address::of_ip(ip.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"), "one /64");
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"), "two");
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"), "the same client through an IPv6 socket");
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn who_never_asked_goes_first_then_who_rests_and_never_who_is_at_work() {
        let guests = guests(3, 3);
        let [silent, resting, busy] =
            [0, 1, 2].map(|n| enter(&guests, &format!("10.0.0.{n}")).expect("there is room"));
        for guest in [&resting, &busy] {
            guest.begin().expect("it may ask");
        }
        resting.answered();
        resting.flushed();
        assert_eq!(enter(&guests, "10.0.0.9").err(), Some("wait"));
        assert!(silent.is_dismissed() && !resting.is_dismissed() && !busy.is_dismissed());
        assert!(silent.begin().is_err(), "a request that comes now is not begun");
        assert_eq!(
            enter(&guests, "10.0.0.9").err(),
            Some("wait"),
            "until it is gone, nobody else has to go"
        );
        assert!(!resting.is_dismissed());
        guests.leave(&silent);
        let next = enter(&guests, "10.0.0.9").expect("there is room");
        next.begin().expect("it may ask");
        assert_eq!(enter(&guests, "10.0.0.8").err(), Some("wait"));
        assert!(resting.is_dismissed() && !busy.is_dismissed() && !next.is_dismissed());
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let guests = guests(100, 2);
        let crowd =
            [0, 1].map(|n| enter(&guests, &format!("2001:db8::{n}")).expect("there is room"));
        crowd.iter().for_each(|guest| guest.begin().expect("it may ask"));
        assert_eq!(enter(&guests, "2001:db8::7").err(), Some("out"), "all of them are at work");
        enter(&guests, "10.0.0.1").expect("others have their own share");
        crowd[0].answered();
        crowd[0].flushed();
        assert_eq!(
            enter(&guests, "2001:db8::7").err(),
            Some("wait"),
            "its own connection makes room"
        );
        guests.leave(&crowd[0]);
        enter(&guests, "2001:db8::7").expect("there is room");
    }

    #[test]
    fn whoever_has_no_address_has_no_share_of_one() {
        let guests = guests(3, 1);
        let local: Vec<_> = (0..3).map(|_| guests.knock(Address::Local)).collect();
        assert!(local.iter().all(|door| matches!(door, Door::In(_))), "a proxy has many clients");
        assert!(matches!(guests.knock(Address::Local), Door::Wait), "all of them have a bound");
    }

    #[test]
    fn each_stage_has_its_time() {
        let limits = Limits {
            header_timeout: Duration::from_millis(10),
            idle_timeout: Duration::from_millis(30),
            write_timeout: Duration::from_millis(5),
            answer_timeout: Duration::from_millis(20),
            ..Limits::default()
        };
        let check = |what: &str, lead: &dyn Fn(&Guest), bound: Option<u64>| {
            let guests = Guests::new(Arc::default(), &limits);
            let guest = enter(&guests, "10.0.0.1").expect("there is room");
            lead(&guest);
            let bound_ms = bound.unwrap_or(u64::MAX / 2);
            guests.sweep(bound_ms, &limits);
            assert!(!guest.is_dismissed(), "{what} has {bound_ms} ms");
            guests.sweep(bound_ms + 1, &limits);
            assert_eq!(
                guest.is_dismissed(),
                bound.is_some(),
                "{what} has no more than {bound_ms} ms"
            );
        };
        let asked = |guest: &Guest| guest.begin().expect("it may ask");
        let rested = |guest: &Guest| {
            asked(guest);
            guest.answered();
            guest.flushed();
        };
        check("a first head", &Guest::heard, Some(10));
        check("a request", &asked, None);
        check("an answer", &|guest| (asked(guest), guest.answered()).1, Some(20));
        check(
            "a stalled answer",
            &|guest| (asked(guest), guest.answered(), guest.takes(false)).2,
            Some(5),
        );
        check("a rest", &rested, Some(30));
        check("a next head", &|guest| (rested(guest), guest.heard()).1, Some(10));
        check(
            "an end",
            &|guest| (rested(guest), guest.closing()).1,
            Some(LINGER.as_millis() as u64),
        );
    }
}
