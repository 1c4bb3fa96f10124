//! Units that move from one account to another: what is told, what is refused, and that events and
//! snapshots rebuild it.

use super::*;

fn transfer(from: AccountId, to: AccountId, quantity: u64) -> Command<'static> {
    Command::Transfer(Transfer::new(from, to, quantity))
}

fn transferred(outcome: Outcome) -> (i64, i64) {
    match outcome {
        Outcome::Transfer(TransferOutcome::Transferred(Transferred { from, to })) => {
            (from.available, to.available)
        }
        other => panic!("expected a transfer, got {other:?}"),
    }
}

#[test]
fn units_leave_one_account_and_are_in_the_other() {
    let fixture = Fixture::new();
    let (tea, cup) = (fixture.stock(10), fixture.open("stock/cup", Policy::strict()));
    assert_eq!(transferred(fixture.execute(transfer(tea, cup, 4), 0)), (6, 4));
    assert_eq!(fixture.numbers(tea), (6, 0, 0, 10, 4), "written off there");
    assert_eq!(fixture.numbers(cup), (4, 0, 0, 4, 0), "received here");
    assert_eq!(transferred(fixture.execute(transfer(cup, tea, 4), 0)), (0, 10));
    fixture.reserve(tea, 7, 0);
    let parts = fixture.parts();
    fixture.execute(transfer(tea, cup, 3), 1);
    for rebuilt in [fixture.rebuilt(&[]), fixture.rebuilt(&parts)] {
        for account in [tea, cup] {
            assert_eq!(rebuilt.numbers(account), fixture.numbers(account));
        }
    }
}

#[test]
fn what_is_held_or_only_allowed_cannot_leave() {
    let fixture = Fixture::new();
    let (tea, cup) = (fixture.stock(5), fixture.open("stock/cup", Policy::backorder(9)));
    fixture.reserve(tea, 3, 0);
    let refused = |account, available, next_release_at| {
        let refusal = Refusal { line: 0, account, available, next_release_at, has_line: false };
        Outcome::Transfer(TransferOutcome::Refused(refusal))
    };
    assert_eq!(fixture.execute(transfer(tea, cup, 3), 0), refused(tea, 2, Some(100)));
    assert_eq!(fixture.execute(transfer(cup, tea, 1), 0), refused(cup, 0, None));
    // Units that come to an account whose allowance was used pay it back.
    fixture.reserve(cup, 4, 0);
    assert_eq!(transferred(fixture.execute(transfer(tea, cup, 2), 0)), (0, -2));
    assert_eq!(fixture.numbers(cup), (-2, 4, 0, 2, 0));
}

#[test]
fn a_transfer_is_between_two_accounts_of_one_kind_that_have_units_of_their_own() {
    let fixture = Fixture::new();
    let tea = fixture.stock(5);
    let ann = fixture.open("points/ann", Policy::strict());
    let (own, other) =
        (fixture.open("seat/a", Policy::strict()), fixture.open("bed/a", Policy::strict()));
    let quotas = [
        fixture.open("quota/ann", Policy::quota(5, Window::Never)),
        fixture.open("quota/bob", Policy::quota(5, Window::Never)),
    ];
    let granted = fixture.open("stock/daily", Policy::quota(5, Window::Rolling { length_ms: 9 }));
    let nobody = AccountId::from_number(u32::MAX);
    let events = fixture.list.last_seq();
    for (from, to, quantity, kind) in [
        (tea, ann, 1, ErrorKind::Invalid),
        (own, other, 1, ErrorKind::Invalid),
        (tea, tea, 1, ErrorKind::Invalid),
        (quotas[0], quotas[1], 1, ErrorKind::Invalid),
        (tea, granted, 1, ErrorKind::Invalid),
        (granted, tea, 1, ErrorKind::Invalid),
        (tea, ann, 0, ErrorKind::Invalid),
        (tea, nobody, 1, ErrorKind::NotFound),
        (nobody, tea, 1, ErrorKind::NotFound),
    ] {
        let command = transfer(from, to, quantity);
        let error = fixture.ledger.execute(&command, 0, &fixture.list).expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{command:?}: {error}");
    }
    let full = fixture.open("stock/full", Policy::strict());
    let receive = Receive::new(full, crate::base::RECEIVED_MAX);
    fixture.execute(Command::Receive(receive), 0);
    let error = fixture.ledger.execute(&transfer(tea, full, 1), 0, &fixture.list);
    assert_eq!(error.expect_err("it has all that it can").kind(), ErrorKind::Invalid);
    assert_eq!(fixture.list.last_seq(), events + 2, "the refused ones left no event");
}

#[test]
fn a_retry_hears_the_first_answer_in_every_rebuilt_ledger() {
    let fixture = Fixture::new();
    let (tea, cup) = (fixture.stock(10), fixture.open("stock/cup", Policy::strict()));
    let key = IdempotencyKey::new("ann", "1").expect("a valid key");
    let moved = Command::Transfer(Transfer::new(tea, cup, 4).key(key));
    let first = fixture.execute(moved, 0);
    fixture.execute(transfer(tea, cup, 1), 0);
    for ledger in [&fixture, &fixture.rebuilt(&[]), &fixture.rebuilt(&fixture.parts())] {
        assert_eq!(ledger.execute(moved, 1), first);
        assert_eq!(ledger.numbers(cup).0, 5, "a retry moves nothing");
        for other in [Transfer::new(tea, cup, 5), Transfer::new(cup, tea, 4)] {
            let other = Command::Transfer(other.key(key));
            let error =
                ledger.ledger.execute(&other, 1, &ledger.list).expect_err("another request");
            assert_eq!(error.kind(), ErrorKind::Conflict);
        }
    }
}
