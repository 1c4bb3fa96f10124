//! Accounts that are closed: when they can be, what is told of them then, and whose their key is.

use super::*;

impl Fixture {
    fn close(&self, account: AccountId, now: TimeMs) -> CloseOutcome {
        self.ledger.close_account(account, now, &self.list).expect("it can be asked").0
    }

    fn found(&self, key: &str) -> Option<AccountId> {
        self.ledger.account(&key.parse().expect("a valid key"))
    }
}

fn not_empty(account: AccountId, available: i64, reserved: u64, counting: u64) -> CloseOutcome {
    CloseOutcome::NotEmpty { account, available, reserved, counting, waiting: 0 }
}

#[test]
fn a_stock_is_closed_when_nothing_is_in_it_and_nothing_is_held() {
    let fixture = Fixture::new();
    let tea = fixture.stock(5);
    assert_eq!(fixture.close(tea, 0), not_empty(tea, 5, 0, 0));
    let order = reservation_of(fixture.reserve(tea, 5, 0));
    assert_eq!(fixture.close(tea, 0), not_empty(tea, 0, 5, 0));
    fixture.execute(confirm(order), 1);
    let events = fixture.list.last_seq();
    let closed = CloseOutcome::Closed { account: tea };
    assert_eq!(fixture.close(tea, 2), closed, "what is sold is no unit of it");
    assert_eq!(fixture.close(tea, 3), closed, "a retry");
    assert_eq!(fixture.list.last_seq(), events + 1);
    assert_eq!(fixture.numbers(tea), (0, 0, 5, 5, 0), "it stays what it was");
}

#[test]
fn an_allowance_that_was_used_is_owed_to_somebody() {
    let fixture = Fixture::new();
    let cup = fixture.open("stock/cup", Policy::backorder(3));
    let lines = [Line { account: cup, quantity: 2 }];
    fixture.execute(Command::Reserve(Reserve::new(&lines, 100).confirmed()), 0);
    assert_eq!(fixture.close(cup, 0), not_empty(cup, -2, 0, 0));
}

#[test]
fn a_quota_is_closed_when_nothing_counts_against_it() {
    let fixture = Fixture::new();
    let window = |window| Policy::quota(3, window);
    let rolling = fixture.open("quota/ann/tea", window(Window::Rolling { length_ms: 100 }));
    let ever = fixture.open("quota/bob/tea", window(Window::Never));
    let cap = fixture.open("quota/ann", window(Window::Outstanding));
    let lines = [rolling, ever, cap].map(|account| Line { account, quantity: 1 });
    let order = reservation_of(fixture.execute(Command::Reserve(Reserve::new(&lines, 50)), 0));
    for account in [rolling, ever, cap] {
        assert_eq!(fixture.close(account, 1), not_empty(account, 2, 1, 0));
    }
    fixture.execute(confirm(order), 10);
    assert_eq!(fixture.close(cap, 10), CloseOutcome::Closed { account: cap });
    assert_eq!(fixture.close(rolling, 109), not_empty(rolling, 2, 0, 1));
    assert_eq!(fixture.close(rolling, 110), CloseOutcome::Closed { account: rolling });
    assert_eq!(fixture.close(ever, 1 << 40), not_empty(ever, 2, 0, 1), "for a lifetime");
}

#[test]
fn whatever_is_asked_of_it_then_says_that_it_is_closed() {
    let fixture = Fixture::new();
    let (tea, cup) = (fixture.stock(1), fixture.open("stock/cup", Policy::strict()));
    let lines = [Line { account: tea, quantity: 1 }];
    let order =
        reservation_of(fixture.execute(Command::Reserve(Reserve::new(&lines, 100).confirmed()), 0));
    fixture.close(tea, 0);
    for ledger in [&fixture, &fixture.rebuilt(&[]), &fixture.rebuilt(&fixture.parts())] {
        let said = |command: Command<'_>| {
            let error = ledger.ledger.execute(&command, 1, &ledger.list).expect_err("it is closed");
            assert!(error.to_string().contains("closed"), "{command:?}: {error}");
            error.kind()
        };
        let other = [Line { account: cup, quantity: 1 }];
        for command in [
            Command::Receive(Receive::new(tea, 1)),
            Command::Adjust(Adjust::new(tea, -1)),
            Command::WriteOff(WriteOff::new(tea, 1)),
            Command::Reserve(Reserve::new(&lines, 100)),
            Command::Reserve(Reserve::new(&lines, 100).confirmed()),
            Command::Reserve(Reserve::new(&other, 100).owner(tea)),
            Command::Transfer(Transfer::new(tea, cup, 1)),
            Command::Transfer(Transfer::new(cup, tea, 1)),
        ] {
            assert_eq!(said(command), ErrorKind::NotFound);
        }
        let takeable = ledger.ledger.takeable(tea, 1).expect_err("it is closed");
        assert_eq!(takeable.kind(), ErrorKind::NotFound);
        let policy =
            ledger.ledger.set_policy(&SetPolicy::new(tea, Policy::backorder(1)), 1, &ledger.list);
        assert_eq!(policy.expect_err("it is closed").kind(), ErrorKind::NotFound);
        let used = Used { reservation: order, lines: &consumed(&lines), consumed_at: 0 };
        let returned = ledger.ledger.return_used(&used, &Return::default(), 1, &ledger.list);
        assert_eq!(returned.expect_err("it is closed").kind(), ErrorKind::NotFound);
        assert!(ledger.ledger.level(tea).expect("it stays").closed);
    }
}

#[test]
fn its_key_is_free_and_its_number_is_not() {
    let fixture = Fixture::new();
    let tea = fixture.stock(1);
    fixture.execute(Command::WriteOff(WriteOff::new(tea, 1)), 0);
    let before = fixture.parts();
    fixture.close(tea, 0);
    assert_eq!(fixture.found("stock/tea"), None);
    let closed = fixture.parts();
    let anew = fixture.open("stock/tea", Policy::backorder(2));
    assert_ne!(anew, tea);
    fixture.execute(Command::Receive(Receive::new(anew, 7)), 0);
    let opened = fixture.parts();
    for ledger in [
        &fixture,
        &fixture.rebuilt(&[]),
        &fixture.rebuilt(&before),
        &fixture.rebuilt(&closed),
        &fixture.rebuilt(&opened),
    ] {
        assert_eq!(ledger.found("stock/tea"), Some(anew));
        assert_eq!((ledger.numbers(tea).0, ledger.numbers(anew).0), (0, 7));
        assert_eq!(ledger.close(tea, 1), CloseOutcome::Closed { account: tea });
        assert_eq!(ledger.found("stock/tea"), Some(anew), "another's key is not taken");
    }
    let mut gone = fixture.rebuilt(&closed[..]);
    gone = gone.rebuilt(&gone.parts());
    assert_eq!(gone.found("stock/tea"), Some(anew));
}
