//! What a count makes of an account: the difference is decided with it, and reserved units are there.

use super::*;

fn counted(account: AccountId, units: u64) -> Command<'static> {
    Command::Adjust(Adjust::counted(account, units))
}

fn changed(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Adjust(ChangeOutcome::Changed(changed)) => changed.available,
        other => panic!("expected a change, got {other:?}"),
    }
}

#[test]
fn what_is_reserved_is_there_to_be_counted() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    fixture.reserve(tea, 4, 0);
    assert_eq!(changed(fixture.execute(counted(tea, 12), 0)), 8);
    assert_eq!(changed(fixture.execute(counted(tea, 5), 0)), 1);
    assert_eq!(changed(fixture.execute(counted(tea, 4), 0)), 0);
    let refusal = Refusal {
        line: 0,
        account: tea,
        available: 0,
        next_release_at: Some(100),
        has_line: false,
    };
    assert_eq!(
        fixture.execute(counted(tea, 3), 0),
        Outcome::Adjust(ChangeOutcome::Refused(refusal))
    );
    // It is on record that it was right.
    let events = fixture.list.last_seq();
    assert_eq!(changed(fixture.execute(counted(tea, 4), 0)), 0);
    assert_eq!(fixture.list.last_seq(), events + 1);
    assert_eq!(fixture.numbers(tea), (0, 4, 0, 12, 8));
    for rebuilt in [fixture.rebuilt(&[]), fixture.rebuilt(&fixture.parts())] {
        assert_eq!(rebuilt.numbers(tea), fixture.numbers(tea));
    }
}

#[test]
fn a_backorder_is_made_up_for_by_what_is_counted() {
    let fixture = Fixture::new();
    let cup = fixture.open("stock/cup", Policy::backorder(9));
    fixture.reserve(cup, 4, 0);
    // None are there, and four are promised.
    assert_eq!(changed(fixture.execute(counted(cup, 0), 0)), -4);
    assert_eq!(changed(fixture.execute(counted(cup, 6), 0)), 2);
}

#[test]
fn a_quota_cannot_be_counted_nor_more_than_can_be_there() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let quota = fixture.open("quota/ann", Policy::quota(5, Window::Never));
    for command in [counted(quota, 1), counted(tea, crate::base::QUANTITY_MAX + 1)] {
        let error = fixture.ledger.execute(&command, 0, &fixture.list).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{command:?}");
    }
}

/// A retry hears what the count came to, whatever was sold since; another count is another request.
#[test]
fn a_count_with_a_key_happens_once() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let key = IdempotencyKey::new("ops", "count").expect("a short key");
    let count = |units| Command::Adjust(Adjust::counted(tea, units).key(key));
    assert_eq!(changed(fixture.execute(count(7), 0)), 7);
    fixture.reserve(tea, 2, 0);
    assert_eq!(changed(fixture.execute(count(7), 0)), 7);
    assert_eq!(fixture.numbers(tea).0, 5);
    for other in [count(8), Command::Adjust(Adjust::new(tea, 7).key(key))] {
        let error = fixture.ledger.execute(&other, 0, &fixture.list).expect_err("it is another");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{other:?}");
    }
}
