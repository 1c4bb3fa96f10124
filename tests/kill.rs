//! Would catch an acknowledged request that a SIGKILL takes back, units that it makes or loses, a
//! retry that it makes act twice, and history that disagrees afterwards: a child process works on a
//! real directory and is killed at random moments, over and over, and what it acknowledged is held
//! against what is there.
//!
//! `STOCKHOLD_KILL_SEED` repeats a run's requests and moments, as far as the machine's timing
//! allows.
#![cfg(feature = "test-util")]

mod books;
#[path = "kill/child.rs"]
mod child;
#[path = "kill/counts.rs"]
mod counts;
#[path = "kill/line.rs"]
mod line;
#[path = "kill/request.rs"]
mod request;
#[path = "kill/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use stockhold::clock::ManualClock;
use stockhold::event::{Event, Fact};
use stockhold::history::ReservationState;
use stockhold::test_util::oracle::Ended;
use stockhold::{Engine, EngineBuilder, ReservationId, TimeMs};
use tempfile::TempDir;

use self::books::Books;
use self::child::{BATCH_MAX, THREADS};
use self::counts::Counts;
use self::line::Places;
use self::request::{Ask, Effect, Rng, Row, ask_all, key};
use self::shop::{Order, PRICE, Shop};

const KILLS: u64 = 50;
/// In the child's environment: the directory.
const CHILD: &str = "STOCKHOLD_KILL_CHILD";
/// What the child does wrong, on purpose.
const MISTAKE: &str = "STOCKHOLD_KILL_MISTAKE";
const SIGKILL: i32 = 9;

/// Small files and short intervals, so that kills meet rollovers, checkpoints and the archive.
fn builder(dir: &Path) -> EngineBuilder {
    Engine::builder(dir).segment_bytes(128 << 10).checkpoint_events(600).history_flush_rows(1_500)
}

#[test]
fn what_was_acknowledged_survives_kills() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child::run(Path::new(&dir));
    }
    let given = std::env::var("STOCKHOLD_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("STOCKHOLD_KILL_SEED={seed}");
    let started = Instant::now();
    let mut trial = Trial::new(seed);
    while trial.counts.kills < KILLS {
        trial.live();
        // Sometimes the next life begins with what the kill left, and not with what a check tidied
        // up.
        if trial.rng.below(3) > 0 {
            trial.check();
        }
    }
    trial.check();
    trial.finish();
    let counts = &trial.counts;
    // Past the test harness, which shows the output of failed tests only.
    let report =
        format!("kill test, seed {seed}, {:.1} s: {counts:?}\n", started.elapsed().as_secs_f64());
    std::io::stderr().write_all(report.as_bytes()).expect("standard error takes a line");
    counts.assert_tried();
}

/// Would catch a kill test that does not see what it is there to see.
#[test]
fn a_part_return_of_too_much_is_seen_and_named() {
    is_seen("ReturnsTooMuch", "went back, where no more than");
}

#[test]
fn what_is_sold_past_a_line_taken_after_its_end_or_revived_in_part_is_seen_and_named() {
    is_seen("SellsPastQueue", "waits");
    is_seen("TakesEnded", "after their end");
    is_seen("RevivesBeyondLimits", "what is revived");
}

#[track_caller]
fn is_seen(mistake: &'static str, words: &str) {
    let mut trial = Trial { mistake: Some(mistake), ..Trial::new(1) };
    let seen = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..KILLS {
            trial.live();
            trial.check();
        }
    }));
    let told = seen.expect_err("nobody sees it");
    let told = told.downcast_ref::<String>().expect("a message");
    assert!(told.contains(words), "{mistake} is seen as something else: {told}");
}

/// What the child said of a reservation last.
#[derive(Clone, Copy, Debug)]
struct Acked {
    quantity: u64,
    expires_at: TimeMs,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    /// With so many units consumed, of which so many are back.
    Confirmed {
        units: u64,
        back: u64,
    },
    Released,
    Returned,
}

struct Trial {
    dir: TempDir,
    seed: u64,
    rng: Rng,
    lives: u64,
    books: Books,
    acked: BTreeMap<ReservationId, Acked>,
    places: Places,
    keyed: Vec<(Vec<Ask>, u64, Vec<Effect>)>,
    /// Since the last check.
    fresh: Fresh,
    /// Checkpoint, history and oldest event as the last check left them.
    left: (u64, u64, u64),
    counts: Counts,
    mistake: Option<&'static str>,
}

/// The child. Dropped, it is killed.
struct Living(Child);

impl Drop for Living {
    fn drop(&mut self) {
        // It may be dead.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Default)]
struct Fresh {
    lives: u64,
    effects: u64,
    reservations: Vec<ReservationId>,
    keyed_from: usize,
}

impl Trial {
    fn new(seed: u64) -> Self {
        Self {
            dir: TempDir::new().expect("a temporary directory"),
            seed,
            rng: Rng(seed),
            lives: 0,
            books: Books::default(),
            acked: BTreeMap::new(),
            places: Places::default(),
            keyed: Vec::new(),
            fresh: Fresh::default(),
            left: (0, 0, 1),
            counts: Counts::default(),
            mistake: None,
        }
    }

    /// One life of the child, up to its death.
    fn live(&mut self) {
        self.lives += 1;
        let mut child = Living(self.spawn());
        let lines = listen(&mut child.0);
        let mut heard = 0;
        if self.rng.below(4) == 0 {
            // Most of these die while they open the directory.
            let moment = Instant::now() + Duration::from_micros(self.rng.below(60_000));
            while let Ok(line) =
                lines.recv_timeout(moment.saturating_duration_since(Instant::now()))
            {
                heard += u64::from(self.hear(&line));
            }
        } else {
            let moment = 1 + self.rng.below(1_200);
            while heard < moment {
                let line = lines
                    .recv()
                    .expect("the child answers until it is killed; see its message above");
                heard += u64::from(self.hear(&line));
            }
        }
        child.0.kill().expect("the child can be killed");
        let status = child.0.wait().expect("the child can be waited for");
        assert_eq!(
            status.signal(),
            Some(SIGKILL),
            "the child died of something else; see its message above"
        );
        // What it said before it died counts, though it is read after.
        for line in lines {
            heard += u64::from(self.hear(&line));
        }
        self.fresh.lives += 1;
        self.counts.kills += 1;
        self.counts.kills_before_an_answer += u64::from(heard == 0);
    }

    fn spawn(&self) -> Child {
        let this = std::env::current_exe().expect("a test knows its binary");
        let mut child = Command::new(this)
            .args(["--exact", "--nocapture", "what_was_acknowledged_survives_kills"])
            .env(CHILD, self.dir.path())
            .envs(self.mistake.map(|mistake| (MISTAKE, mistake)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test's own binary runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        let pending = self.books.pending.iter().rev().take(100);
        let handed = pending.map(|(id, _)| format!("{}\n", id.number()));
        let said = format!("{} {}\n{}", self.seed, self.lives, handed.collect::<String>());
        stdin.write_all(said.as_bytes()).expect("the child listens");
        child
    }

    /// Takes in a line; true for an acknowledgement.
    fn hear(&mut self, line: &str) -> bool {
        let mut words = line.split(' ');
        match words.next() {
            Some("ack") => {}
            Some("refused") => {
                self.counts.refused += 1;
                return true;
            }
            Some("retry") => {
                self.counts.retried_by_callers += 1;
                return true;
            }
            // The child's test harness.
            _ => return false,
        }
        let numbers: Vec<u64> = words.map(|word| word.parse().expect("a number")).collect();
        let (key, rest) = numbers.split_first().expect("a line is whole");
        let (mut asks, mut effects) = (Vec::new(), Vec::new());
        for both in rest.chunks(Row::default().len() + Effect::default().len()) {
            let (row, effect) = both.split_first_chunk().expect("a line is whole");
            asks.push(Ask::from_row(*row));
            effects.push(effect.try_into().expect("a line is whole"));
        }
        self.acknowledge(asks, *key, effects);
        true
    }

    /// Takes in what was acknowledged: one event, of one request or of several together.
    fn acknowledge(&mut self, asks: Vec<Ask>, key: u64, effects: Vec<Effect>) {
        self.counts.acknowledged += 1;
        self.counts.together += u64::from(asks.len() > 1);
        // Who waits already is told so, and nothing happens.
        let is_known = |(ask, effect): (&Ask, &Effect)| !self.places.is_news(*ask, *effect);
        let is_event = !asks.iter().zip(&effects).any(is_known);
        self.fresh.effects += u64::from(is_event);
        for (ask, effect) in asks.iter().zip(&effects) {
            self.take_in(*ask, *effect);
        }
        if key > 0 {
            self.keyed.push((asks, key, effects));
        }
    }

    fn take_in(&mut self, ask: Ask, effect: Effect) {
        self.places.take_in(ask, effect);
        let id = ReservationId::from_number(effect[1]);
        match ask {
            Ask::Reserve { order: Order { quantity, until, .. }, at_once, .. } => {
                self.counts.bought_until += u64::from(until > 0);
                let confirmed = State::Confirmed { units: quantity, back: 0 };
                let state = if at_once { confirmed } else { State::Pending };
                let before =
                    self.acked.insert(id, Acked { quantity, expires_at: effect[2], state });
                assert!(before.is_none(), "the number {id} was given twice");
            }
            Ask::Confirm { units, .. } => {
                self.counts.confirmed += 1;
                self.counts.confirmed_in_part += u64::from(units > 0);
                let acked = self.known(id);
                let units = if units > 0 { units } else { acked.quantity };
                acked.state = State::Confirmed { units, back: 0 };
            }
            Ask::Reacquire { .. } => {
                self.counts.revived += 1;
                let acked = self.known(id);
                acked.state = State::Confirmed { units: acked.quantity, back: 0 };
            }
            Ask::Release { .. } => {
                self.counts.released += 1;
                self.known(id).state = State::Released;
            }
            Ask::Refund { .. } => {
                self.counts.returned += 1;
                self.known(id).state = State::Returned;
            }
            Ask::RefundPart { order, .. } => {
                self.counts.returned_in_part += 1;
                let State::Confirmed { units, back } = &mut self.known(id).state else {
                    panic!("{id} goes back, and was not acknowledged as confirmed");
                };
                *back += order.quantity;
                assert!(
                    back <= units,
                    "{back} units of {id} went back, where no more than {units} can"
                );
            }
            Ask::Grant { order: Order { quantity, .. }, .. } => {
                self.counts.granted += 1;
                let acked = Acked { quantity, expires_at: effect[2], state: State::Pending };
                let before = self.acked.insert(id, acked);
                assert!(before.is_none(), "the number {id} was given twice");
            }
            Ask::Award { until, .. } => {
                self.counts.awarded_until += u64::from(until > 0);
                return;
            }
            Ask::Join { .. } => return self.counts.waited += 1,
            Ask::Leave { .. } => return self.counts.left += 1,
            Ask::Count { .. } => return self.counts.counted += 1,
            Ask::Move { .. } => return self.counts.moved += 1,
            Ask::End { .. } => return self.counts.ended += 1,
            Ask::Receive { .. } | Ask::WriteOff { .. } => return,
        }
        self.fresh.reservations.push(id);
    }

    /// The reservation, which may never have been acknowledged: then it was found pending and
    /// handed on.
    fn known(&mut self, id: ReservationId) -> &mut Acked {
        self.acked.entry(id).or_insert_with(|| {
            let held = self.books.pending.get(&id).expect("only what is known is ended");
            Acked {
                quantity: held.lines[3].quantity,
                expires_at: held.expires_at,
                state: State::Pending,
            }
        })
    }

    /// Opens what the last kill left, with the time standing still, and holds it to what was
    /// acknowledged.
    fn check(&mut self) {
        self.counts.checks += 1;
        let engine = builder(self.dir.path()).clock(Arc::new(ManualClock::new(0))).open();
        let engine = engine.expect("what a kill leaves behind opens");
        self.see_upkeep(&engine);
        self.check_events(&engine);
        self.books.assert_matches(&engine);
        self.check_prices();
        self.check_states();
        self.places.check(&self.books, &Shop::open(&engine));
        self.check_retries(&engine);
        self.check_history(&engine);
        self.fresh = Fresh { keyed_from: self.keyed.len(), ..Fresh::default() };
        if self.rng.below(2) == 0 {
            engine.close().expect("it closes");
        }
        let status = engine.status();
        let history = status.history_seq.map_or(0, |(_, watermark)| watermark);
        self.left = (status.checkpoint_seq, history.max(status.last_seq), status.oldest_seq);
    }

    /// What the child's background threads did: more than the last check left behind.
    fn see_upkeep(&mut self, engine: &Engine) {
        let status = engine.status();
        self.counts.checkpoints_seen += u64::from(status.checkpoint_seq > self.left.0);
        self.counts.flushes_seen +=
            u64::from(status.history_seq.is_some_and(|(_, watermark)| watermark > self.left.1));
        self.counts.archived_seen += u64::from(status.archive_bytes > 0);
    }

    /// Every acknowledged effect is an event, and no more events are there than were under way when
    /// the kills came.
    fn check_events(&mut self, engine: &Engine) {
        let (mut asked, mut expired) = (0, 0);
        self.books.follow(engine, |Event { fact, .. }| match fact {
            Fact::AccountOpened { .. } | Fact::Renewed { .. } => {}
            Fact::Expired(_) => expired += 1,
            _ => asked += 1,
        });
        self.counts.expired += expired;
        let effects = self.fresh.effects;
        assert!(asked >= effects, "{effects} effects were acknowledged, and {asked} are there");
        let unanswered = asked - effects;
        let under_way = self.fresh.lives * THREADS * BATCH_MAX;
        assert!(
            unanswered <= under_way,
            "{unanswered} events were not acknowledged, but {under_way} at most were asked for"
        );
        self.counts.unanswered += unanswered;
    }

    /// Points leave for units alone: an exchange moves both or neither.
    fn check_prices(&self) {
        let out = |kind: &str| {
            let named = self.books.keys.iter().filter(|(key, _)| key.to_string().starts_with(kind));
            let accounts = named.map(|(_, account)| &self.books.accounts[account]);
            accounts.map(|account| account.reserved + account.consumed).sum::<u64>()
        };
        assert_eq!(out("points/"), out("stock/") * PRICE, "points for units that were not taken");
    }

    /// Every acknowledged reservation is as it was acknowledged, or ended as it may have ended
    /// since.
    fn check_states(&mut self) {
        for (id, acked) in &self.acked {
            let there = (self.books.pending.get(id), self.books.ended.get(id));
            let agrees = match (acked.state, there) {
                (State::Pending, (Some(held), None)) => held.expires_at == acked.expires_at,
                // The books hold an expiry to its deadline. The other ends were asked for and not
                // acknowledged; the bound on those is checked with the events.
                (State::Pending, (None, Some(_))) => true,
                // What was confirmed may be returned since, and that not acknowledged.
                (State::Confirmed { .. }, (None, Some(Ended::Confirmed | Ended::Returned))) => true,
                (State::Returned, (None, Some(Ended::Returned))) => true,
                (State::Released, (None, Some(Ended::Released))) => true,
                _ => false,
            };
            assert!(agrees, "{id} was acknowledged as {acked:?}, and is {there:?}");
        }
        self.counts.reservations_checked += self.acked.len() as u64;
    }

    /// A retry gives the first answer, and nothing happens.
    fn check_retries(&mut self, engine: &Engine) {
        let shop = Shop::open(engine);
        let before = engine.status().last_seq;
        let older = (0..200.min(self.fresh.keyed_from))
            .map(|_| self.rng.below(self.fresh.keyed_from as u64) as usize);
        let chosen: Vec<usize> = (self.fresh.keyed_from..self.keyed.len()).chain(older).collect();
        for at in chosen {
            let (asks, key_number, first) = &self.keyed[at];
            let again = ask_all(asks, engine, &shop, key(*key_number)).expect("a retry is sound");
            assert_eq!(again.as_ref(), Some(first), "{asks:?} with key {key_number}");
            self.counts.retried_after_a_kill += 1;
        }
        assert_eq!(engine.status().last_seq, before, "a retry had an effect");
    }

    /// History says the same, and the chain of each product's changes is unbroken up to its level.
    fn check_history(&mut self, engine: &Engine) {
        engine.catch_up().wait().expect("history follows");
        let older: Vec<ReservationId> = self.acked.keys().copied().collect();
        let older = (0..100).filter_map(|_| self.rng.pick(&older)).collect::<Vec<_>>();
        for id in self.fresh.reservations.iter().copied().chain(older) {
            self.check_record(engine, id);
            self.counts.histories_checked += 1;
        }
        for stock in Shop::open(engine).stocks {
            let mut available = engine.level(stock).expect("the account is open").available;
            for change in engine.history().changes_of(stock, None, 300).expect("history reads") {
                assert_eq!(change.available, available, "{change:?}");
                available -= change.delta;
            }
        }
    }

    fn check_record(&self, engine: &Engine, id: ReservationId) {
        let record = engine.history().reservation(id).expect("history reads");
        let record =
            record.unwrap_or_else(|| panic!("{id} was acknowledged, and history does not know it"));
        let state = match self.books.ended.get(&id) {
            None => ReservationState::Pending,
            Some(Ended::Returned) => ReservationState::Returned,
            Some(Ended::Confirmed) => ReservationState::Confirmed,
            Some(Ended::Released) => ReservationState::Released,
            Some(Ended::Expired) => ReservationState::Expired,
        };
        assert_eq!(record.state, state, "{record:?}");
        assert_eq!(record.details, b"details");
        let acked = self.acked[&id];
        // The stock's line is the last.
        let stock = record.lines.last().expect("a reservation has lines");
        assert_eq!(stock.quantity, acked.quantity, "{record:?}");
        if let State::Confirmed { units, back } = acked.state {
            assert_eq!(stock.consumed, units, "{record:?}");
            // More may have gone back that was not acknowledged.
            assert!(stock.returned >= back, "{back} units are back: {record:?}");
        }
    }

    /// The whole journal from its first event on, archive included, and everything that is pending
    /// lapses.
    fn finish(&mut self) {
        let clock = Arc::new(ManualClock::new(0));
        let engine =
            builder(self.dir.path()).clock(Arc::clone(&clock) as _).open().expect("it opens");
        let whole = Books::of(&engine);
        assert_eq!((&whole.accounts, &whole.pending), (&self.books.accounts, &self.books.pending));
        clock.advance(engine.now_ms() + 4_000_000);
        assert_eq!(engine.expire_due().expect("it admits"), whole.pending.len());
        let levels = engine.levels();
        assert!(levels.iter().all(|level| level.reserved == 0), "everything lapsed: {levels:?}");
        engine.close().expect("it closes");
    }
}

/// The child's lines, as they come.
fn listen(child: &mut Child) -> Receiver<String> {
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
