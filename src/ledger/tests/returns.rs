//! Returns of a part: each unit goes back once, to where it was taken from, and no other does.

use super::*;

/// What ann bought: for points, under a limit, from a stock.
struct Order {
    fixture: Fixture,
    reservation: ReservationId,
    /// As history would tell it.
    used: Vec<PartLine>,
    points: AccountId,
    quota: AccountId,
    tea: AccountId,
}

impl Order {
    fn new() -> Self {
        let fixture = Fixture::new();
        let tea = fixture.stock(9);
        let points = fixture.open("points/ann", Policy::strict());
        fixture.execute(Command::Receive(Receive::new(points, 500)), 0);
        let rolling = Policy::quota(5, Window::Rolling { length_ms: 100 });
        let quota = fixture.open("quota/ann/tea", rolling);
        let lines = [(points, 300), (quota, 3), (tea, 3)]
            .map(|(account, quantity)| Line { account, quantity });
        let reserve = Command::Reserve(Reserve::new(&lines, 100).confirmed());
        let reservation = reservation_of(fixture.execute(reserve, 10));
        Self { fixture, reservation, used: consumed(&lines), points, quota, tea }
    }

    fn of(&self, units: u64) -> [Line; 3] {
        [(self.points, 100 * units), (self.quota, units), (self.tea, units)]
            .map(|(account, quantity)| Line { account, quantity })
    }

    /// Asks for a return, and remembers what history would.
    fn ask(&mut self, asked: &Return<'_>, now: TimeMs) -> Result<Executed<RefundOutcome>> {
        let Fixture { ledger, list } = &self.fixture;
        let (reservation, events) = (self.reservation, list.last_seq());
        let used = Used { reservation, lines: &self.used, consumed_at: 10 };
        let answer = ledger.return_used(&used, asked, now, list)?;
        if list.last_seq() > events {
            self.used = self.told();
        }
        Ok(answer)
    }

    fn say(&mut self, asked: &Return<'_>, now: TimeMs) -> RefundOutcome {
        self.ask(asked, now).expect("it is sound").0
    }

    /// What the last event tells of the reservation.
    fn told(&self) -> Vec<PartLine> {
        let events = self.fixture.list.0.lock();
        let (kind, payload) = events.last().expect("there is an event");
        let event = decode(*kind, payload).expect("a recorded event decodes").into_owned();
        let Fact::Returned { part, .. } = event.fact else { panic!("no return: {event:?}") };
        part.map_or_else(Vec::new, |part| part.lines)
    }

    /// What each account has, here and in whatever is made of the events.
    #[track_caller]
    fn check(&self, points: i64, quota: u64, tea: i64) {
        let rebuilt = [self.fixture.rebuilt(&[]), self.fixture.rebuilt(&self.fixture.parts())];
        for fixture in rebuilt.iter().chain([&self.fixture]) {
            let of = |account| fixture.ledger.level(account).expect("it is open").available;
            let takeable = fixture.ledger.takeable(self.quota, 20).expect("it is open").0;
            assert_eq!((of(self.points), takeable, of(self.tea)), (points, quota, tea));
        }
    }
}

fn part(lines: &[Line]) -> Return<'_> {
    Return { part: Some(lines), ..Return::default() }
}

#[test]
fn parts_go_back_until_nothing_is_left() {
    let mut order = Order::new();
    let reservation = order.reservation;
    order.check(200, 2, 6);
    let one = order.of(1);
    assert_eq!(order.say(&part(&one), 20), RefundOutcome::ReturnedInPart { reservation });
    order.check(300, 3, 7);
    let tea = [Line { account: order.tea, quantity: 1 }];
    assert_eq!(order.say(&part(&tea), 20), RefundOutcome::ReturnedInPart { reservation });
    order.check(300, 3, 8);
    let ended = || order.fixture.execute(confirm(reservation), 20);
    let why = NotPending::Confirmed;
    assert_eq!(ended(), Outcome::Confirm(ConfirmOutcome::NotPending { reservation, why }));
    // Whoever names no part gets the rest.
    assert_eq!(order.say(&Return::default(), 20), RefundOutcome::Returned { reservation });
    order.check(500, 5, 9);
    let ended = order.fixture.execute(confirm(reservation), 20);
    let why = NotPending::Returned;
    assert_eq!(ended, Outcome::Confirm(ConfirmOutcome::NotPending { reservation, why }));
    assert!(order.used.iter().all(|line| line.left() == 0), "{:?}", order.used);
}

#[test]
fn more_than_is_left_is_refused_and_changes_nothing() {
    let mut order = Order::new();
    let (reservation, tea) = (order.reservation, order.tea);
    let too_much = |account, left| RefundOutcome::TooMuch { reservation, account, left };
    let four = order.of(4);
    assert_eq!(order.say(&part(&four), 20), too_much(order.points, 300));
    let two = order.of(2);
    order.say(&part(&two), 20);
    // Two lines of one account count together.
    let twice = [Line { account: tea, quantity: 1 }; 2];
    let events = order.fixture.list.last_seq();
    assert_eq!(order.say(&part(&twice), 20), too_much(tea, 1));
    let other = [Line { account: order.fixture.open("stock/cup", Policy::strict()), quantity: 1 }];
    assert_eq!(order.say(&part(&other), 20), too_much(other[0].account, 0), "it was not bought");
    order.check(400, 4, 8);
    assert_eq!(order.fixture.list.last_seq(), events + 1, "an account was opened");
    for lines in [&[][..], &[Line { account: tea, quantity: 0 }]] {
        let error = order.ask(&part(lines), 20).expect_err("that is no part");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{lines:?}");
    }
}

#[test]
fn what_came_back_broken_is_written_off() {
    let mut order = Order::new();
    let (reservation, tea) = (order.reservation, order.tea);
    let one = order.of(1);
    let broken = Return { written_off: &[tea], ..part(&one) };
    assert_eq!(order.say(&broken, 20), RefundOutcome::ReturnedInPart { reservation });
    order.check(300, 3, 6);
    assert_eq!(order.fixture.numbers(tea), (6, 0, 2, 9, 1));
    let points = order.of(1)[..1].to_vec();
    for (written_off, lines) in [(order.quota, &one[..]), (tea, &points)] {
        let asked = Return { written_off: &[written_off], ..part(lines) };
        let error = order.ask(&asked, 20).expect_err("that cannot be written off");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    let rest = Return { written_off: &[tea], ..Return::default() };
    assert_eq!(order.say(&rest, 20), RefundOutcome::Returned { reservation });
    order.check(500, 5, 6);
    assert_eq!(order.fixture.numbers(tea), (6, 0, 0, 9, 3));
}

#[test]
fn a_whole_return_that_is_written_off_is_the_last_one() {
    let mut order = Order::new();
    let tea = [order.tea];
    let broken = Return { written_off: &tea, ..Return::default() };
    let reservation = order.reservation;
    assert_eq!(order.say(&broken, 20), RefundOutcome::Returned { reservation });
    assert_eq!(order.fixture.numbers(order.tea), (6, 0, 0, 9, 3));
}

#[test]
fn a_part_has_its_own_key() {
    let mut order = Order::new();
    let reservation = order.reservation;
    let name = |name| Some(IdempotencyKey::new("ops", name).expect("a valid key"));
    let (one, two) = (order.of(1), order.of(2));
    let first = Return { key: name("a"), ..part(&one) };
    let last = Return { key: name("b"), ..part(&two) };
    let said = order.ask(&first, 20).expect("it is sound");
    assert_eq!(order.ask(&first, 21).expect("a retry"), said);
    order.check(300, 3, 7);
    assert_eq!(order.say(&last, 22), RefundOutcome::Returned { reservation });
    for fixture in [&order.fixture, &order.fixture.rebuilt(&order.fixture.parts())] {
        // Whatever is left by now.
        let told = |asked: &Return<'_>| {
            let told = fixture.ledger.returned_before(reservation, asked, 23);
            told.map(|told| told.map(|(outcome, _)| outcome)).map_err(|error| error.kind())
        };
        assert_eq!(told(&first), Ok(Some(RefundOutcome::ReturnedInPart { reservation })));
        assert_eq!(told(&last), Ok(Some(RefundOutcome::Returned { reservation })));
        let others = [
            Return { key: name("a"), ..part(&two) },
            Return { key: name("a"), ..Return::default() },
            Return { written_off: &[order.tea], ..first },
        ];
        for other in others {
            assert_eq!(told(&other), Err(ErrorKind::Conflict), "{other:?}");
        }
        assert_eq!(told(&Return { key: name("c"), ..first }), Ok(None));
        let release = Release { reservation, owner: None, key: name("b") };
        let released = fixture.ledger.execute(&Command::Release(release), 23, &fixture.list);
        let kind = released.map(drop).map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Conflict), "a part is no giving up");
    }
}

#[test]
fn what_a_window_gave_back_before_is_not_given_back_again() {
    let mut order = Order::new();
    let one = order.of(1);
    order.say(&part(&one), 20);
    order.check(300, 3, 7);
    // The window is over: what is left no longer counts, and another unit does.
    let lines = [Line { account: order.quota, quantity: 1 }];
    order.fixture.execute(Command::Reserve(Reserve::new(&lines, 100).confirmed()), 110);
    order.say(&part(&one), 110);
    let takeable = order.fixture.ledger.takeable(order.quota, 110).expect("it is open").0;
    assert_eq!(takeable, 4, "the new use counts still");
    order.say(&part(&one), 111);
    assert_eq!(order.fixture.ledger.takeable(order.quota, 111).expect("it is open").0, 4);
}

#[test]
fn a_part_of_several_lines_of_one_account_takes_those_that_come_first() {
    let mut order = Order::new();
    let tea = order.tea;
    let lines = [1, 2].map(|quantity| Line { account: tea, quantity });
    let reserve = Command::Reserve(Reserve::new(&lines, 100).confirmed());
    order.reservation = reservation_of(order.fixture.execute(reserve, 10));
    order.used = consumed(&lines);
    order.say(&part(&[Line { account: tea, quantity: 2 }]), 20);
    let returned: Vec<u64> = order.used.iter().map(|line| line.returned).collect();
    assert_eq!(returned, [1, 1]);
}
