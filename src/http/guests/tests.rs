use std::time::Duration;

use hyper::body::Bytes;

use super::guest::{Going, LINGER};
use super::*;

fn guests(connections: usize, connections_per_address: usize) -> Guests {
    let limits = Limits { connections, connections_per_address, ..Limits::default() };
    Guests::new(Arc::new(RunningClock::default()), &limits)
}

fn enter(guests: &Guests, ip: &str) -> Result<Arc<Guest>, &'static str> {
    match guests.knock(Address::of_ip(ip.parse().expect("an address")), Share::OfAddress) {
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
    let _at_work = busy.begin(false).expect("it may ask");
    drop(resting.begin(false).expect("it may ask"));
    resting.flushed();
    assert_eq!(enter(&guests, "10.0.0.9").err(), Some("wait"));
    assert!(silent.is_sent_away() && !resting.is_sent_away() && !busy.is_sent_away());
    assert!(silent.begin(false).is_err(), "a request that comes now is not begun");
    assert_eq!(
        enter(&guests, "10.0.0.9").err(),
        Some("wait"),
        "until it is gone, nobody else has to go"
    );
    assert!(!resting.is_sent_away());
    guests.leave(&silent);
    let next = enter(&guests, "10.0.0.9").expect("there is room");
    let _next_at_work = next.begin(false).expect("it may ask");
    assert_eq!(enter(&guests, "10.0.0.8").err(), Some("wait"));
    assert!(resting.is_sent_away() && !busy.is_sent_away() && !next.is_sent_away());
}

#[test]
fn an_address_has_its_share_and_no_more() {
    let guests = guests(100, 2);
    let crowd = [0, 1].map(|n| enter(&guests, &format!("2001:db8::{n}")).expect("there is room"));
    let mut visits = crowd.each_ref().map(|guest| Some(guest.begin(false).expect("it may ask")));
    assert_eq!(enter(&guests, "2001:db8::7").err(), Some("out"), "all of them are at work");
    enter(&guests, "10.0.0.1").expect("others have their own share");
    visits[0] = None;
    crowd[0].flushed();
    assert_eq!(enter(&guests, "2001:db8::7").err(), Some("wait"), "its own connection makes room");
    guests.leave(&crowd[0]);
    enter(&guests, "2001:db8::7").expect("there is room");
}

#[test]
fn whoever_has_no_address_has_no_share_of_one() {
    let guests = guests(3, 1);
    let knock = || guests.knock(Address::Local, Share::OfAddress);
    let local: Vec<_> = (0..3).map(|_| knock()).collect();
    assert!(local.iter().all(|door| matches!(door, Door::In(_))), "a proxy has many clients");
    assert!(matches!(knock(), Door::Wait), "all of them have a bound");
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
    let check = |what: &str, lead: &dyn Fn(&Arc<Guest>) -> Option<Turn>, bound: Option<u64>| {
        let guests = Guests::new(Arc::default(), &limits);
        let guest = enter(&guests, "10.0.0.1").expect("there is room");
        let _visit = lead(&guest);
        let bound_ms = bound.unwrap_or(u64::MAX / 2);
        guests.sweep(bound_ms, &limits);
        assert!(!guest.is_sent_away(), "{what} has {bound_ms} ms");
        guests.sweep(bound_ms + 1, &limits);
        assert_eq!(guest.is_sent_away(), bound.is_some(), "{what} has no more than {bound_ms} ms");
    };
    let asked = |guest: &Arc<Guest>| guest.begin(false).expect("it may ask");
    let rested = |guest: &Arc<Guest>| {
        drop(asked(guest));
        guest.flushed();
    };
    check("a first head", &|guest| (guest.heard(), None).1, Some(10));
    check("a request", &|guest| Some(asked(guest)), None);
    check("an answer", &|guest| (drop(asked(guest)), None).1, Some(20));
    let answered = |guest: &Arc<Guest>| {
        let mut turn = asked(guest);
        turn.begins();
        turn
    };
    check("an answer that is not asked for", &|guest| Some(answered(guest)), Some(20));
    let followed = |guest: &Arc<Guest>| {
        let mut turn = answered(guest);
        turn.has_nothing();
        turn
    };
    check("an answer that has nothing to say", &|guest| Some(followed(guest)), None);
    check(
        "one that had, and was read",
        &|guest| {
            let mut turn = followed(guest);
            drop(turn.attach(Bytes::from_static(b"tea"), false));
            turn.has_nothing();
            Some(turn)
        },
        None,
    );
    check(
        "one that is asked for no more",
        &|guest| {
            let mut turn = followed(guest);
            drop(turn.attach(Bytes::from_static(b"tea"), false));
            Some(turn)
        },
        Some(20),
    );
    let piece = std::cell::Cell::new(Bytes::new());
    check(
        "one that had, and is not read",
        &|guest| {
            let mut turn = followed(guest);
            piece.set(turn.attach(Bytes::from_static(b"tea"), false));
            turn.has_nothing();
            Some(turn)
        },
        Some(20),
    );
    check("a stalled answer", &|guest| (drop(asked(guest)), guest.takes(false), None).2, Some(5));
    check("a rest", &|guest| (rested(guest), None).1, Some(30));
    check("a next head", &|guest| (rested(guest), guest.heard(), None).2, Some(10));
    check(
        "an end",
        &|guest| (rested(guest), guest.closing(), None).2,
        Some(LINGER.as_millis() as u64),
    );
}

fn shared(guest: &Arc<Guest>) -> Turn {
    guest.begin(true).expect("it may ask")
}

#[test]
fn a_connection_of_many_requests_is_at_work_while_any_is() {
    let guests = guests(1, 1);
    let guest = enter(&guests, "10.0.0.1").expect("there is room");
    let (first, mut second) = (shared(&guest), shared(&guest));
    drop(first);
    guest.flushed();
    assert_eq!(enter(&guests, "10.0.0.1").err(), Some("out"), "one is under way");
    let piece = second.attach(Bytes::from_static(b"tea"), true);
    drop(second);
    guest.flushed();
    guest.heard();
    assert_eq!(enter(&guests, "10.0.0.1").err(), Some("out"), "its client has not read it all");
    guests.sweep(u64::MAX / 2, &Limits::default());
    assert_eq!(guest.going(), Going::Out, "nor did it in the time that it has");
    drop(piece);
    assert!(guest.begin(true).is_err(), "nothing is begun any more");
}

#[test]
fn a_connection_of_many_requests_is_told_to_go_first() {
    let guests = guests(1, 1);
    let limits = Limits { idle_timeout: Duration::from_millis(30), ..Limits::default() };
    let guest = enter(&guests, "10.0.0.1").expect("there is room");
    drop(shared(&guest));
    guest.heard();
    guests.sweep(30, &limits);
    assert!(!guest.is_sent_away(), "what comes need not be a request: it rests");
    guests.sweep(31, &limits);
    assert_eq!(guest.going(), Going::Leaving);
    assert_eq!(enter(&guests, "10.0.0.1").err(), Some("wait"), "it makes room");
    let late = shared(&guest);
    assert_eq!(enter(&guests, "10.0.0.1").err(), Some("out"), "it asked before it heard");
    guests.sweep(u64::MAX / 2, &limits);
    assert_eq!(guest.going(), Going::Leaving, "what is under way is finished");
    drop(late);
    guests.sweep(LINGER.as_millis() as u64 + 1, &limits);
    assert_eq!(guest.going(), Going::Out, "it does not end by itself");
}

#[test]
fn an_answer_that_is_not_read_ends_a_connection_of_many_requests_when_others_have_heard() {
    let guests = guests(1, 1);
    let limits = Limits { answer_timeout: Duration::from_millis(20), ..Limits::default() };
    let guest = enter(&guests, "10.0.0.1").expect("there is room");
    let (mut unread, other) = (shared(&guest), shared(&guest));
    unread.begins();
    guests.sweep(20, &limits);
    assert!(!guest.is_sent_away(), "it has its time");
    guests.sweep(21, &limits);
    assert_eq!(guest.going(), Going::Leaving, "another is under way");
    let bound_ms = 20 + LINGER.as_millis() as u64;
    guests.sweep(bound_ms, &limits);
    assert_eq!(guest.going(), Going::Leaving, "that may be finished");
    drop(other);
    guests.sweep(bound_ms + 1, &limits);
    assert_eq!(guest.going(), Going::Out);
}

#[tokio::test]
async fn whoever_leaves_is_heard_of_by_all_who_wait() {
    let guests = Arc::new(guests(100, 1));
    let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    // They make room, and are not gone yet.
    let there = addresses.map(|ip| enter(&guests, ip).expect("there is room"));
    let mut waiting = addresses.map(|ip| {
        let (guests, address) = (guests.clone(), Address::of_ip(ip.parse().expect("an address")));
        tokio::spawn(async move { guests.admit(address, Share::OfAddress).await })
    });
    tokio::task::yield_now().await;
    assert!(there.iter().all(|guest| guest.is_sent_away()), "somebody waits for each");
    for (guest, waiting) in there.iter().zip(&mut waiting).rev() {
        guests.leave(guest);
        let seat = tokio::time::timeout(Duration::from_secs(60), waiting).await;
        let seat = seat.expect("it is heard of").expect("no panic").expect("there is room");
        assert_eq!(seat.guest().address, guest.address);
    }
}

#[tokio::test]
async fn who_was_at_work_makes_room_once_it_rests() {
    let guests = Arc::new(guests(1, 1));
    let there = enter(&guests, "10.0.0.1").expect("there is room");
    let turn = there.begin(false).expect("it may ask");
    let knocking = guests.clone();
    let next = Address::of_ip("10.0.0.2".parse().expect("an address"));
    let waiting = tokio::spawn(async move { knocking.admit(next, Share::OfAddress).await });
    tokio::task::yield_now().await;
    drop(turn);
    there.flushed();
    assert!(!there.is_sent_away(), "nobody looked again");
    guests.sweep(0, &Limits::default());
    tokio::task::yield_now().await;
    assert!(there.is_sent_away());
    guests.leave(&there);
    waiting.await.expect("no panic").expect("there is room");
}

#[tokio::test]
async fn a_connection_whose_handler_panics_leaves_its_place() {
    let guests = Arc::new(guests(1, 1));
    let address = Address::of_ip("10.0.0.1".parse().expect("an address"));
    let seat = guests.admit(address, Share::OfAddress).await.expect("there is room");
    let serving = tokio::spawn(async move {
        let _turn = seat.guest().begin(false).expect("it may ask");
        panic!("of a test");
    });
    assert!(serving.await.is_err());
    assert_eq!(guests.house.lock().count, 0);
    guests.admit(address, Share::OfAddress).await.expect("there is room again");
}

#[test]
fn a_proxys_connections_are_bounded_by_whom_they_are_for() {
    let guests = guests(100, 1);
    let of = |ip: &str| Address::of_ip(ip.parse().expect("an address"));
    let enter_by = |ip: &str| match guests.knock(of(ip), Share::OfAll) {
        Door::In(guest) => guest,
        Door::Wait | Door::Out => panic!("a proxy has no bound of its own"),
    };
    let [ann, bob] = [0, 1].map(|_| enter_by("10.0.0.1"));
    let moved = |guest: &Guest, ip: &str| match guests.try_move(guest, of(ip)) {
        Door::In(guest) => Ok(guest),
        Door::Wait => Err("wait"),
        Door::Out => Err("out"),
    };
    let ann = moved(&ann, "192.0.2.1").expect("there is room");
    let visit = ann.begin(false).expect("it may ask");
    assert_eq!(moved(&bob, "192.0.2.1").err(), Some("out"), "she has as many as she may");
    drop(visit);
    ann.flushed();
    assert_eq!(moved(&bob, "192.0.2.1").err(), Some("wait"), "her own makes room");
    guests.leave(&ann);
    let bob = moved(&bob, "192.0.2.1").expect("there is room");
    assert_eq!(guests.house.lock().count, 1, "nobody counts twice");
    guests.leave(&bob);
    guests.leave(&bob);
    assert_eq!(guests.house.lock().count, 0);
}
