use super::*;
use crate::http::listener::Peer;

fn gate(limits: Limits) -> Gate {
    Gate::new(&limits)
}

fn address(last: u8) -> Address {
    Address::of(Peer::At([10, 0, 0, last].into()))
}

fn counted(gate: &Gate) -> Vec<u64> {
    gate.seen().shed.into_iter().map(|(_, count)| count).collect()
}

const WAIT: Duration = Duration::from_millis(2);

/// Five hundred users ask for little, and one for as much as all of them.
#[test]
fn who_asks_most_is_turned_away_first() {
    let gate = gate(Limits { overload_wait: Some(WAIT), ..Limits::default() });
    let busy = |gate: &Gate| gate.admit_at(Asker::User("busy", Some(address(1))), 0).is_ok();
    assert!((0..500).all(|_| busy(&gate)), "while nothing waits everybody is let in");
    gate.now.store(8 * ONE, Ordering::Relaxed);
    let quiet = (0..500).filter(|user| {
        let user = format!("user-{user}");
        gate.admit_at(Asker::User(&user, Some(address((user.len() % 200) as u8 + 2))), 0).is_ok()
    });
    let (quiet, busy) = (quiet.count(), (0..500).filter(|_| busy(&gate)).count());
    assert!(quiet > 450, "{quiet} of 500 who ask for little are let in");
    assert!(busy < 50, "{busy} of 500 of one user are let in");
    let shed = counted(&gate);
    assert_eq!(shed[0] as usize, 1_000 - quiet - busy);
    assert_eq!(shed[1..], [0, 0, 0]);
}

#[test]
fn an_address_that_pretends_to_be_many_users_is_one_of_many() {
    let gate = gate(Limits { overload_wait: Some(WAIT), ..Limits::default() });
    gate.now.store(2 * ONE, Ordering::Relaxed);
    let let_in = |from: u8, users: usize| {
        let asked = (0..users).filter(|user| {
            let user = format!("{from}-{user}");
            gate.admit_at(
                match from {
                    0 => Asker::Served(&user),
                    from => Asker::User(&user, Some(address(from))),
                },
                0,
            )
            .is_ok()
        });
        asked.count()
    };
    let (one, service) = (let_in(1, 20_000), let_in(0, 2_000));
    assert!(one < 4_000, "{one} of an address's");
    assert!(service > 1_900, "{service} of those whom a service acts for, wherever that is");
}

#[test]
fn while_all_are_too_many_some_of_all_are_let_in() {
    let gate = gate(Limits { overload_wait: Some(WAIT), ..Limits::default() });
    gate.now.store(ONE / 2, Ordering::Relaxed);
    let let_in =
        (0..1_000).filter(|user| gate.admit_at(Asker::User(&format!("{user}"), None), 0).is_ok());
    let let_in = let_in.count();
    assert!((400..600).contains(&let_in), "{let_in} of 1,000");
    assert_eq!(counted(&gate), [0, 1_000 - let_in as u64, 0, 0]);
    assert!(
        (0..100).all(|_| gate.admit_at(Asker::Operator, 0).is_ok()),
        "operators are not of them"
    );
}

#[test]
fn operators_have_places_of_their_own() {
    let gate = gate(Limits::default());
    let all: Vec<_> = (0..OPERATORS_MAX).map(|_| gate.admit(Asker::Operator)).collect();
    assert!(all.iter().all(Result::is_ok));
    let refused = gate.admit(Asker::Operator).expect_err("they are too many");
    assert_eq!(refused.code, Code::Overloaded);
    gate.admit(Asker::Program).expect("others have nothing to do with them");
    drop(all);
    gate.admit(Asker::Operator).expect("there is room again");
    assert_eq!(counted(&gate), [0, 0, 0, 1]);
}

#[test]
fn a_user_has_so_many_requests_under_way_and_a_service_any_number() {
    let gate = gate(Limits { user_requests_under_way: Some(1), ..Limits::default() });
    let ann = Asker::User("ann", Some(address(1)));
    let first = gate.admit(ann).expect("there is room");
    let refused = gate.admit(ann).expect_err("one is under way").detail.expect("a reason");
    assert!(refused.contains("user_requests_under_way"), "{refused}");
    gate.admit(Asker::User("ben", Some(address(1)))).expect("others have their own");
    gate.admit(Asker::Served("ann")).expect("a service asks as much as it likes");
    drop(first);
    gate.admit(ann).expect("there is room again");
    assert_eq!(counted(&gate), [0, 0, 1, 0]);
}
