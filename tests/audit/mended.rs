//! Would catch an auditor that cries over what a clock that was ahead made forgotten, or that no
//! longer looks once time was set back.

use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::event::{Event, Fact, Kept, Request};
use stockhold::{AccountKey, Policy, Receive};
use tempfile::TempDir;

use crate::forge::{events, write_events};
use crate::sale::{NOW_MS, done, key, open_engine};
use crate::verify;

const DAY_MS: u64 = 24 * 3_600_000;

#[test]
fn a_key_does_something_twice_around_a_mend_of_the_clock() {
    let dir = TempDir::new().expect("a temporary directory");
    let engine = open_engine(dir.path(), &Arc::new(ManualClock::new(NOW_MS)));
    let tea = AccountKey::stock("tea").expect("a valid key");
    let tea = engine.open_account(&tea, Policy::strict()).expect("there is room");
    done(engine.receive(Receive::new(tea, 1).key(key("delivery"))));
    drop(engine);
    let mut events = events(dir.path());
    let request = events.last().expect("some").request.expect("it has a key");
    let Kept { owner, until } = request.kept.expect("it is promised");
    assert_eq!(until, NOW_MS + DAY_MS);
    let again = |at: u64, available: i64| {
        let kept = Some(Kept { owner, until: at + DAY_MS });
        let fact = Fact::Received { account: tea, quantity: 1, available, note: "".into() };
        Event { at, request: Some(Request { kept, ..request }), fact }
    };
    let mend = |from| Event { at: NOW_MS + 1, request: None, fact: Fact::ClockMended { from } };

    let mut expect = |what: &str, more: &[Event<'static>], code: i32| {
        let length = events.len();
        events.extend_from_slice(more);
        write_events(dir.path(), &events);
        events.truncate(length);
        let verdict = verify(dir.path());
        assert_eq!(verdict.code, code, "{what}: {}", verdict.told());
    };
    expect("without a mend", &[again(NOW_MS + 2, 2)], 17);
    expect("ahead by hours", &[mend(until - 1), again(NOW_MS + 2, 2)], 17);
    // Whoever came in the time that was ahead may have made the answer go.
    let far = mend(until + DAY_MS);
    expect("ahead by days", &[far.clone(), again(NOW_MS + 2, 2)], 0);
    expect("and once more", &[far, again(NOW_MS + 2, 2), again(NOW_MS + 3, 3)], 17);
}
