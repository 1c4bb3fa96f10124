//! Would catch a day that is delivered twice, or never, or before it is over; a file that is seen half
//! written; and reports that are lost while no server runs.

#![allow(clippy::disallowed_methods, reason = "looks at the files that were delivered")]

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::directory::Directory;
use super::*;
use crate::base::clock::ManualClock;
use crate::engine::Engine;
use crate::mall::MallConfig;
use crate::vfs::{RealVfs, Vfs};
use crate::webhooks::{Make, WebhookSettings};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Sunday, the 15th of June 2025, at one in the morning.
const SUNDAY_MS: u64 = 1_749_945_600_000 + HOUR_MS;

struct Fixture {
    clock: Arc<ManualClock>,
    engine: Engine,
    mall: Mall,
    /// Dropped after the engine, whose files it has.
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::on(TempDir::new().expect("a directory"), Arc::new(ManualClock::new(SUNDAY_MS)))
    }

    fn on(dir: TempDir, clock: Arc<ManualClock>) -> Self {
        let builder = Engine::builder(dir.path().join("data")).clock(clock.clone() as _);
        let engine = builder.open().expect("it opens");
        let mall = Mall::open(engine.clone(), MallConfig::default()).expect("it opens");
        Self { clock, engine, mall, dir }
    }

    fn reopen(self) -> Self {
        self.engine.close().expect("it closes");
        drop((self.engine, self.mall));
        Self::on(self.dir, self.clock)
    }

    fn receiver(&self) -> Directory {
        Directory::open(&self.dir.path().join("out").join("reports")).expect("it can be made")
    }

    /// Delivers all that is due; how many rounds had something.
    fn deliver(&self) -> usize {
        let receiver = self.receiver();
        let mut rounds = 0;
        while deliver_next(&self.mall, &&receiver).expect("it can be delivered") {
            rounds += 1;
        }
        rounds
    }

    /// The pages that are there.
    fn pages(&self) -> Vec<String> {
        let files = RealVfs.list(&self.receiver().0).expect("it can be read");
        files.into_iter().filter(|name| name.ends_with(".html")).collect()
    }
}

#[test]
fn each_day_and_each_week_is_delivered_once_when_it_is_over() {
    let mall = Fixture::new();
    assert_eq!(mall.deliver(), 1, "yesterday, and the week before");
    let first = ["daily-2025-06-14.html", "weekly-2025-W23.html"];
    assert_eq!(mall.pages(), first);
    assert_eq!(mall.deliver(), 0);

    // What was taken away does not come again, after a restart neither.
    let dir = mall.receiver().0;
    for name in ["daily-2025-06-14.html", "weekly-2025-W23.html"] {
        fs::remove_file(dir.join(name)).expect("it is there");
    }
    let mall = mall.reopen();
    assert_eq!(mall.deliver(), 0);
    assert!(mall.pages().is_empty());

    // A day that has just ended is left to settle, and then delivered, with the week.
    mall.clock.advance(23 * HOUR_MS);
    assert_eq!(mall.deliver(), 0);
    mall.clock.advance(REPORT_SETTLED_MS);
    assert_eq!(mall.deliver(), 1);
    assert_eq!(mall.pages(), ["daily-2025-06-15.html", "weekly-2025-W24.html"]);

    // What ended while no server ran is made up for, one after the other.
    mall.clock.advance(3 * DAY_MS);
    let mall = mall.reopen();
    assert_eq!(mall.deliver(), 3);
    assert_eq!(mall.pages().iter().filter(|name| name.starts_with("daily")).count(), 4);
    let told = fs::read(dir.join("daily-2025-06-18.json")).expect("it is there");
    let told: Report = serde_json::from_slice(&told).expect("it is a report");
    assert!(told.is_over && told.period == "2025-06-18");
    let files = RealVfs.list(&dir).expect("it can be read");
    assert!(files.iter().all(|name| !name.ends_with(".new")), "{files:?}");
}

/// A server that was killed between the files and the note that says so writes the same again.
#[test]
fn what_was_cut_off_is_delivered_again_and_is_the_same() {
    let mall = Fixture::new();
    mall.deliver();
    let dir = mall.receiver().0;
    let before = fs::read(dir.join("daily-2025-06-14.html")).expect("it is there");
    fs::remove_file(dir.join("delivered.json")).expect("it is there");
    let mall = mall.reopen();
    assert_eq!(mall.deliver(), 1);
    assert_eq!(fs::read(dir.join("daily-2025-06-14.html")).expect("it is there"), before);
    fs::write(dir.join("delivered.json"), "{").expect("there is room");
    let error = deliver_next(&mall.mall, &&mall.receiver()).expect_err("nobody knows what was");
    assert!(error.to_string().contains("delivered.json"), "{error}");
}

/// The receivers of webhooks of this mall, none of which is sent anything.
fn webhooks(mall: &Fixture) -> Webhooks {
    Webhooks::open(mall.engine.clone(), WebhookSettings::default()).expect("they can be read")
}

fn make(webhooks: &Webhooks, id: &str, events: &[&str]) {
    let make = Make {
        id: id.to_owned(),
        url: "https://hooks.example/in".to_owned(),
        events: events.iter().map(|it| (*it).to_owned()).collect(),
        description: String::new(),
        secret: None,
        by: "ops".to_owned(),
        key: None,
    };
    webhooks.make(make).expect("it is made");
}

/// Delivers all that is due to all; what waits for each of these receivers.
fn deliver_to<const N: usize>(mall: &Fixture, webhooks: &Webhooks, ids: [&str; N]) -> [usize; N] {
    let receivers = Receivers::open(None, Some(webhooks.clone())).expect("nothing is opened");
    let mut resting = HashMap::new();
    while deliver_to_all(&mall.mall, &receivers, &mut resting).expect("it is not closed") {}
    assert!(resting.is_empty(), "{resting:?}");
    ids.map(|id| webhooks.standing(id).expect("it is there").waiting)
}

#[test]
fn a_receiver_of_webhooks_gets_each_report_that_it_wants_once_also_through_a_restart() {
    let ids = ["all", "daily", "both"];
    let mall = Fixture::new();
    let hooks = webhooks(&mall);
    make(&hooks, "all", &[]);
    make(&hooks, "daily", &["report.daily", "order.*"]);
    make(&hooks, "both", &["report.*"]);
    assert_eq!(deliver_to(&mall, &hooks, ids), [0, 1, 2], "reports are for those who name them");
    assert_eq!(deliver_to(&mall, &hooks, ids), [0, 1, 2]);

    let mall = mall.reopen();
    let hooks = webhooks(&mall);
    assert_eq!(deliver_to(&mall, &hooks, ids), [0, 1, 2], "what waited waits, and no more");
    // Sunday ends, and with it the week.
    mall.clock.advance(23 * HOUR_MS + REPORT_SETTLED_MS);
    assert_eq!(deliver_to(&mall, &hooks, ids), [0, 2, 4]);
    // Two days without a server are made up for.
    mall.clock.advance(2 * DAY_MS);
    let mall = mall.reopen();
    let hooks = webhooks(&mall);
    assert_eq!(deliver_to(&mall, &hooks, ids), [0, 4, 6]);
    let last = hooks.last_reported("both", Span::Weekly).expect("it is there");
    assert_eq!(last.as_deref(), Some("2025-W24"));
}

/// Would catch a receiver that cannot take its reports and keeps others from theirs.
#[test]
fn a_receiver_that_has_no_room_is_left_alone_and_holds_up_no_other() {
    let mall = Fixture::new();
    let hooks = webhooks(&mall);
    make(&hooks, "full", &["report.*"]);
    make(&hooks, "late", &["report.*"]);
    while hooks.test("full", None).is_ok() {}
    let full = hooks.standing("full").expect("it is there").waiting;
    let receivers = Receivers::open(None, Some(hooks.clone())).expect("nothing is opened");
    let mut resting = HashMap::new();
    while deliver_to_all(&mall.mall, &receivers, &mut resting).expect("it is not closed") {}
    assert_eq!(resting.keys().collect::<Vec<_>>(), ["full"]);
    let waiting = |id| hooks.standing(id).expect("it is there").waiting;
    assert_eq!([waiting("full"), waiting("late")], [full, 2]);
    assert_eq!(hooks.last_reported("full", Span::Daily).expect("it is there"), None);
}
