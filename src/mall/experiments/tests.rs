//! Would catch a user that is counted twice or for the wrong variant, an exchange that counts though
//! it has nothing to do with what was shown, counts that a restart or a crash changes, and runs with
//! different definitions in one count.

use std::sync::Arc;

use tempfile::TempDir;

use super::members::{Exchanged, USERS_MAX};
use super::*;
use crate::base::clock::ManualClock;
use crate::base::{AccountId, AccountKey, ReservationId};
use crate::event::Policy;
use crate::ledger::{Confirm, Line, PutDocument, Receive, Reserve};
use crate::mall::catalogue::tests::{category, product};

const NOW_MS: TimeMs = 1_750_000_000_000;
const WINDOW_MS: u64 = 1_000;
/// Everybody takes part; one in a hundred has `control`.
const ALL: &str = "reco control=balanced:1 price=price:99";
/// These have `price`.
const USERS: [&str; 3] = ["ann", "bob", "cem"];

/// A run's number, whether it runs, and of each variant how many saw something and exchanged.
type RunCounts = (u64, bool, Vec<(u64, u64)>);

struct Fixture {
    clock: Arc<ManualClock>,
    engine: Engine,
    mall: Mall,
    dir: TempDir,
}

impl Fixture {
    fn new(experiments: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        let fixture = Self::on(dir, Arc::new(ManualClock::new(NOW_MS)), experiments);
        fixture.mall.put_category(&category("c", None)).expect("a valid category");
        fixture.mall.put_product(&product("tea")).expect("a valid product");
        fixture.give(&AccountKey::stock("tea").expect("a valid name"), 1_000);
        for user in USERS {
            fixture.give(&AccountKey::points(user).expect("a valid name"), 1_000);
        }
        fixture
    }

    fn on(dir: TempDir, clock: Arc<ManualClock>, experiments: &str) -> Self {
        let engine = Engine::builder(dir.path()).segment_bytes(256 << 10).clock(clock.clone() as _);
        let engine = engine.open().expect("it opens");
        let config = MallConfig {
            experiments: Experiments::parse(experiments).expect("valid"),
            experiment_window_ms: WINDOW_MS,
            ..MallConfig::default()
        };
        let mall = Mall::open(engine.clone(), config).expect("it opens");
        Self { clock, engine, mall, dir }
    }

    /// Without an orderly end: what was not written is gone.
    fn crash(self, experiments: &str) -> Self {
        drop((self.engine, self.mall));
        Self::on(self.dir, self.clock, experiments)
    }

    fn account(&self, key: &AccountKey) -> AccountId {
        let account = self.engine.account(key).map(Ok);
        let open = || self.engine.open_account(key, Policy::strict());
        account.unwrap_or_else(open).expect("there is room")
    }

    fn give(&self, key: &AccountKey, units: u64) {
        let received = self.engine.receive(Receive::new(self.account(key), units));
        received.and_then(|ticket| ticket.wait()).expect("it comes");
    }

    /// The user is shown its variants, and whatever comes next is later.
    fn show(&self, user: &str) -> Vec<Decided> {
        let user = User::new(user).expect("a valid name");
        let assigned = self.mall.shared.trials.of(&user);
        let decided = assigned.decided(&[Subject::Weights, Subject::Lists], self.mall.now_ms());
        self.clock.advance(1);
        decided
    }

    fn order(&self, user: &str, confirm: bool) -> ReservationId {
        let points = self.account(&AccountKey::points(user).expect("a valid name"));
        let tea = self.account(&AccountKey::stock("tea").expect("a valid name"));
        let lines = [points, tea].map(|account| Line { account, quantity: 1 });
        let mut order = Reserve::new(&lines, 3_600_000);
        order.confirm = confirm;
        let made =
            self.engine.reserve(order).and_then(|ticket| ticket.wait()).expect("it is asked");
        made.reserved().expect("there is enough").reservation
    }

    fn confirm(&self, order: ReservationId) {
        self.engine.confirm(Confirm::new(order)).and_then(|it| it.wait()).expect("it waits");
    }

    fn follow(&self) {
        self.mall.follow_experiments_to_now().expect("the disk answers");
        self.mall.follow_experiments().expect("the disk answers");
    }

    /// Of each run, what was counted.
    fn counts(&self) -> Vec<RunCounts> {
        let shown = self.mall.shared.trials.shown();
        let of = |it: RunShown| {
            let shares = it.variants.iter().map(|it| (it.share.of, it.share.some));
            (it.run.run, it.run.end.is_none(), shares.collect())
        };
        shown.into_iter().map(of).collect()
    }

    fn documents(&self) -> (usize, usize) {
        let count = |collection| self.engine.documents(collection).len();
        (count(EXPERIMENTS), count(EXPERIMENT_USERS))
    }
}

#[test]
fn a_user_counts_once_and_so_does_its_first_exchange_through_crashes() {
    let mut fixture = Fixture::new(ALL);
    fixture.follow();
    let decided = fixture.show("ann");
    let price = Decided { experiment: "reco".into(), run: 1, variant: "price".into() };
    assert_eq!(decided, [price]);
    fixture.show("ann");
    fixture.show("bob");
    fixture.follow();
    let mut expected = [(0, 0), (2, 0)];
    for (user, confirmed) in [("ann", 1), ("ann", 1), ("cem", 1), ("bob", 2), ("bob", 2)] {
        fixture.order(user, true);
        expected[1].1 = confirmed;
        // Whatever comes first: the one that follows, or a crash.
        for _ in 0..2 {
            fixture = fixture.crash(ALL);
            fixture.follow();
            assert_eq!(fixture.counts(), [(1, true, expected.to_vec())], "after {user}");
            // What is read again, changes nothing.
            fixture.show(user);
            fixture.follow();
            let seen = if user == "cem" { 3 } else { expected[1].0 };
            expected[1].0 = seen;
            assert_eq!(fixture.counts(), [(1, true, expected.to_vec())], "after {user}");
        }
    }
}

#[test]
fn who_is_not_written_yet_is_written_before_an_orderly_end_and_forgotten_by_a_crash() {
    let fixture = Fixture::new(ALL);
    fixture.show("ann");
    fixture.mall.keep_experiments().expect("the disk answers");
    fixture.show("bob");
    let fixture = fixture.crash(ALL);
    assert_eq!(fixture.counts(), [(1, true, vec![(0, 0), (1, 0)])]);
}

#[test]
fn an_exchange_counts_that_was_begun_after_it_was_shown_and_within_the_window() {
    let fixture = Fixture::new(ALL);
    fixture.follow();
    fixture.order("ann", true);
    let before = fixture.order("ann", false);
    fixture.clock.advance(1);
    let user = User::new("ann").expect("a valid name");
    let shown_at = fixture.mall.now_ms();
    fixture.mall.shared.trials.of(&user).decided(&[Subject::Weights], shown_at);
    // In the same moment: nobody has seen it and ordered by then.
    fixture.order("ann", true);
    fixture.confirm(before);
    fixture.follow();
    assert_eq!(fixture.counts(), [(1, true, vec![(0, 0), (1, 0)])]);
    fixture.clock.advance(WINDOW_MS);
    let last = fixture.order("ann", false);
    fixture.clock.advance(1);
    fixture.order("ann", true);
    fixture.follow();
    assert_eq!(fixture.counts(), [(1, true, vec![(0, 0), (1, 0)])], "one waits, one is too late");
    fixture.confirm(last);
    fixture.follow();
    assert_eq!(fixture.counts(), [(1, true, vec![(0, 0), (1, 1)])], "it was begun in time");
}

#[test]
fn another_definition_is_another_run_and_what_happened_before_counts_for_the_one_before() {
    const OTHER: &str = "reco control=balanced:2 price=price:98";
    let fixture = Fixture::new(ALL);
    fixture.follow();
    fixture.show("ann");
    fixture.show("bob");
    fixture.follow();
    // Nobody looks at it before the end.
    fixture.order("ann", true);
    assert_eq!(fixture.documents(), (1, 1));
    let fixture = fixture.crash(OTHER);
    assert_eq!(fixture.show("ann")[0].run, 2);
    fixture.order("bob", true);
    fixture.order("ann", true);
    fixture.follow();
    let first = (1, false, vec![(0, 0), (2, 1)]);
    let second = (2, true, vec![(0, 0), (1, 1)]);
    assert_eq!(fixture.counts(), [second.clone(), first.clone()]);
    assert_eq!(fixture.documents(), (2, 1), "of the first run only the counts are kept");
    // The same again is a third; nothing is taken from the first.
    let fixture = fixture.crash(ALL);
    fixture.follow();
    let second = (2, false, second.2);
    let third = (3, true, vec![(0, 0), (0, 0)]);
    assert_eq!(fixture.counts(), [third, second.clone(), first.clone()]);
    // Without any, nothing is followed, and the journal is kept for nobody.
    let fixture = fixture.crash("");
    assert!(fixture.show("ann").is_empty());
    fixture.follow();
    let third = (3, false, vec![(0, 0), (0, 0)]);
    assert_eq!(fixture.counts(), [third, second, first]);
    assert_eq!(fixture.engine.claim("experiments").expect("a name").from_seq(), None);
    let before = fixture.counts();
    let fixture = fixture.crash("");
    fixture.follow();
    assert_eq!((fixture.counts(), fixture.documents()), (before, (3, 0)));
}

#[test]
fn two_experiments_about_different_things_are_counted_apart() {
    let both = format!("{ALL}; lists own=personal:1 hot=hot:99");
    let fixture = Fixture::new(&both);
    fixture.follow();
    let names = |decided: Vec<Decided>| -> Vec<_> {
        decided.into_iter().map(|it| (it.experiment, it.variant)).collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(names(fixture.show("ann")), [pair("reco", "price"), pair("lists", "hot")]);
    let bob = User::new("bob").expect("a valid name");
    let lists_alone =
        fixture.mall.shared.trials.of(&bob).decided(&[Subject::Lists], fixture.mall.now_ms());
    assert_eq!(names(lists_alone), [pair("lists", "hot")]);
    fixture.order("ann", true);
    fixture.follow();
    let (weights, lists) = ((1, true, vec![(0, 0), (1, 1)]), (1, true, vec![(0, 0), (2, 1)]));
    assert_eq!(fixture.counts(), [weights, lists]);
}

#[test]
fn what_cannot_be_read_is_left_out_and_the_rest_stays() {
    let fixture = Fixture::new(ALL);
    fixture.follow();
    let running = &fixture.mall.shared.trials.running[0];
    for number in 0..700 {
        running.members.lock().expose(Member(number), NOW_MS);
    }
    fixture.follow();
    assert_eq!(fixture.documents(), (1, 3));
    for (collection, name) in [
        (EXPERIMENT_USERS, "reco.1.1"),
        (EXPERIMENT_USERS, "reco"),
        (EXPERIMENTS, "other.1"),
        (EXPERIMENTS, "reco.9"),
    ] {
        let put = fixture.engine.put_document(PutDocument::new(collection, name, b"{}"));
        put.and_then(|ticket| ticket.wait()).expect("it is kept");
    }
    let mut fixture = fixture.crash(ALL);
    let left = fixture.counts()[0].2.iter().map(|(exposed, _)| exposed).sum::<u64>();
    assert_eq!(left, 700 - 256);
    // Those behind it are written anew in their places: nothing is lost by it.
    for _ in 0..2 {
        fixture.follow();
        fixture = fixture.crash(ALL);
        let after = fixture.counts()[0].2.iter().map(|(exposed, _)| exposed).sum::<u64>();
        assert_eq!(after, left);
    }
}

#[test]
fn so_many_users_are_counted_and_no_more() {
    let mut members = Members::default();
    let experiment = Experiment::parse(ALL).expect("valid");
    for number in 0..USERS_MAX as u64 + 10 {
        members.expose(Member(number << 12), 5);
    }
    assert!(members.is_full());
    let of = |counts: Vec<RunCount>| counts.iter().map(|count| count.exposed).sum::<u64>();
    assert_eq!(of(members.counts(&experiment)), USERS_MAX as u64);
    for place in [3, USERS_MAX as u64 + 3] {
        let exchanged = Exchanged { member: Member(place << 12), made_at: 6, at: 6 };
        members.convert(exchanged, 100);
    }
    let converted = members.counts(&experiment).iter().map(|count| count.converted).sum::<u64>();
    assert_eq!(converted, 1);
    // A piece fits into a document, whatever is in it.
    let (_, piece) = members.take_changed().expect("all are to be written");
    let (_, body) = document::written(piece, document::Stamp::default()).expect("it writes");
    assert!(body.len() * 2 < crate::base::BODY_BYTES_MAX, "{}", body.len());
}
