//! Requests by their route, by what became of them, and by how long they took. Every request passes
//! here, so each thread counts in a stripe of its own, as long as there are enough.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use hyper::StatusCode;

use crate::base::times::{Times, TimesSeen};
use crate::http::code::{CODES, Code};
use crate::http::row::Row;

const STRIPES_MAX: usize = 16;

/// The statuses of answers that are no failures; of others there is one place for all.
const STATUSES: [u16; 6] = [200, 201, 202, 204, 304, 503];
/// The place of answers with another status.
const OTHER: usize = STATUSES.len();
/// The place of the first code of a failure.
const FAILURES: usize = OTHER + 1;
/// The place of requests whose client has gone away before the answer.
const ABANDONED: usize = FAILURES + CODES.len();
const OUTCOMES: usize = ABANDONED + 1;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Outcome {
    /// It was answered with this status, and no code of a failure.
    Answered(StatusCode),
    Failed(Code),
    /// The client has gone away.
    Abandoned,
}

impl Outcome {
    fn place(self) -> usize {
        match self {
            Self::Answered(status) => {
                let found = STATUSES.iter().position(|known| *known == status.as_u16());
                found.unwrap_or(OTHER)
            }
            Self::Failed(code) => FAILURES + code as usize,
            Self::Abandoned => ABANDONED,
        }
    }
}

/// What is said of the requests at one place: their status, and their code where they failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) status: &'static str,
    /// `None` where they did not fail.
    pub(super) code: Option<&'static str>,
}

fn told(outcome: usize) -> Told {
    const SHOWN: [&str; OTHER + 1] = ["200", "201", "202", "204", "304", "503", "other"];
    if let Some(status) = SHOWN.get(outcome) {
        return Told { status, code: None };
    }
    match CODES.get(outcome - FAILURES) {
        Some(code) => {
            let row = code.row();
            Told { status: row.status.as_str(), code: Some(row.name) }
        }
        None => Told { status: "none", code: None },
    }
}

/// Counts requests.
#[derive(Debug)]
pub(super) struct Requests {
    /// By the routes' places in their table, and behind them what stands for none.
    names: Arc<[RouteName]>,
    stripes: Box<[CachePadded<Stripe>]>,
}

#[derive(Debug)]
struct Stripe {
    begun: AtomicU64,
    /// By route and outcome.
    outcomes: Box<[[AtomicU64; OUTCOMES]]>,
    /// By route.
    times: Box<[Times]>,
}

impl Stripe {
    fn new(places: usize) -> Self {
        let none = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            begun: AtomicU64::new(0),
            outcomes: (0..places).map(|_| none()).collect(),
            times: (0..places).map(|_| Times::default()).collect(),
        }
    }
}

/// The number of each thread that ever counted, from 0 on.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
}

impl Requests {
    /// For requests by these routes.
    pub(super) fn new<'r>(routes: impl Iterator<Item = &'r Row>) -> Self {
        let names: Arc<[RouteName]> =
            routes.map(|row| (method(&row.method), row.path)).chain([("other", "other")]).collect();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let stripe = |_| CachePadded::new(Stripe::new(names.len()));
        let stripes = (0..threads.min(STRIPES_MAX)).map(stripe).collect();
        Self { names, stripes }
    }

    /// The place of requests that found no route.
    fn unrouted(&self) -> usize {
        self.names.len() - 1
    }

    /// A request has come, which is not counted where `is_off` says so.
    pub(super) fn begin(&self, is_off: bool) -> UnderWay<'_> {
        let counting = (!is_off).then(|| {
            // Relaxed, here and below: the numbers are the whole message.
            self.stripe().begun.fetch_add(1, Ordering::Relaxed);
            (self, Instant::now())
        });
        UnderWay { counting, route: self.unrouted(), outcome: Outcome::Abandoned }
    }

    pub(super) fn count(&self, route: usize, outcome: Outcome, took: Duration) {
        let stripe = self.stripe();
        stripe.times[route].add(took);
        stripe.outcomes[route][outcome.place()].fetch_add(1, Ordering::Relaxed);
    }

    fn stripe(&self) -> &Stripe {
        // A thread that is ending counts with another.
        let thread = THREAD.try_with(Cell::get).unwrap_or_default();
        &self.stripes[thread % self.stripes.len()]
    }

    /// What was counted until now.
    pub(super) fn seen(&self) -> RequestsSeen {
        let mut seen = RequestsSeen {
            names: Arc::clone(&self.names),
            begun: 0,
            outcomes: vec![[0; OUTCOMES]; self.names.len()],
            times: vec![TimesSeen::default(); self.names.len()],
        };
        for stripe in &self.stripes {
            for (ours, more) in seen.outcomes.iter_mut().zip(&stripe.outcomes) {
                ours.iter_mut()
                    .zip(more)
                    .for_each(|(ours, it)| *ours += it.load(Ordering::Relaxed));
            }
            for (ours, more) in seen.times.iter_mut().zip(&stripe.times) {
                ours.include(&more.seen());
            }
        }
        // Behind what has ended, so that no more have ended than have begun.
        seen.begun = self.stripes.iter().map(|stripe| stripe.begun.load(Ordering::Relaxed)).sum();
        seen
    }
}

/// A request, until it is over.
#[derive(Debug)]
pub(in crate::http) struct UnderWay<'a> {
    /// Where to count it, and since when it is under way.
    counting: Option<(&'a Requests, Instant)>,
    route: usize,
    outcome: Outcome,
}

impl UnderWay<'_> {
    /// The place in the table of the route that it found.
    pub(in crate::http) fn found(&mut self, route: usize) {
        self.route = route;
    }

    pub(in crate::http) fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some((requests, began)) = self.counting {
            requests.count(self.route, self.outcome, began.elapsed());
        }
    }
}

/// What was counted.
#[derive(Clone, Debug)]
pub(super) struct RequestsSeen {
    names: Arc<[RouteName]>,
    begun: u64,
    outcomes: Vec<[u64; OUTCOMES]>,
    times: Vec<TimesSeen>,
}

/// A route as its series are told apart: the method and the path of its row.
pub(super) type RouteName = (&'static str, &'static str);

fn method(method: &hyper::Method) -> &'static str {
    const KNOWN: [hyper::Method; 5] = [
        hyper::Method::GET,
        hyper::Method::POST,
        hyper::Method::PUT,
        hyper::Method::PATCH,
        hyper::Method::DELETE,
    ];
    const NAMES: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let found = KNOWN.iter().zip(NAMES).find(|(known, _)| *known == method);
    found.map_or("other", |(_, name)| name)
}

impl RequestsSeen {
    /// How many are under way.
    pub(super) fn under_way(&self) -> u64 {
        self.begun.saturating_sub(self.outcomes.iter().flatten().sum())
    }

    /// What became of them, where there were any; those that differ by their codes alone come one
    /// after another.
    pub(super) fn by_route(&self) -> impl Iterator<Item = (RouteName, Told, u64)> {
        self.outcomes.iter().enumerate().flat_map(|(place, outcomes)| {
            let counted = outcomes.iter().enumerate().filter(|(_, count)| **count > 0);
            let name = self.names[place];
            counted.map(move |(outcome, count)| (name, told(outcome), *count))
        })
    }

    /// How long they took, where there were any.
    pub(super) fn times(&self) -> impl Iterator<Item = (RouteName, &TimesSeen)> {
        let asked = self.times.iter().enumerate().filter(|(_, times)| times.count() > 0);
        asked.map(|(place, times)| (self.names[place], times))
    }

    /// How many failed with each code there is, over all routes.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CODES.iter().map(|code| {
            let place = Outcome::Failed(*code).place();
            (code.row().name, self.outcomes.iter().map(|outcomes| outcomes[place]).sum())
        })
    }

    /// What became of the requests for one route: success, and each code that it failed with.
    pub(super) fn of(&self, route: RouteName) -> Vec<(&'static str, u64)> {
        let Some(place) = self.names.iter().position(|name| *name == route) else {
            return Vec::new();
        };
        let outcomes = &self.outcomes[place];
        let done = outcomes[..FAILURES].iter().sum();
        let failed =
            CODES.iter().map(|code| (code.row().name, outcomes[Outcome::Failed(*code).place()]));
        let counted = failed.filter(|(_, count)| *count > 0);
        [("SUCCESS", done), ("ABANDONED", outcomes[ABANDONED])].into_iter().chain(counted).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::http::route::ROUTES;

    fn requests() -> Requests {
        Requests::new(ROUTES.iter().map(|route| &route.row))
    }

    fn count(requests: &Requests, route: usize, outcome: Outcome) {
        let mut it = requests.begin(false);
        it.found(route);
        it.ended(outcome);
    }

    #[test]
    fn each_request_is_counted_once_by_route_and_outcome() {
        let requests = requests();
        count(&requests, 0, Outcome::Answered(StatusCode::OK));
        count(&requests, 0, Outcome::Answered(StatusCode::IM_A_TEAPOT));
        count(&requests, 0, Outcome::Failed(Code::OutOfStock));
        drop(requests.begin(false));
        let waits = requests.begin(false);
        let seen = requests.seen();
        assert_eq!(seen.under_way(), 1);
        let ok = Told { status: "200", code: None };
        let other = Told { status: "other", code: None };
        let refused = Told { status: "409", code: Some("OUT_OF_STOCK") };
        let gone = Told { status: "none", code: None };
        let (first, unrouted) = (requests.names[0], ("other", "other"));
        assert_eq!(
            seen.by_route().collect::<Vec<_>>(),
            [(first, ok, 1), (first, other, 1), (first, refused, 1), (unrouted, gone, 1)]
        );
        let times: Vec<_> = seen.times().map(|(name, times)| (name, times.count())).collect();
        assert_eq!(times, [(first, 3), (unrouted, 1)]);
        let failed: Vec<_> = seen.failures().filter(|(_, count)| *count > 0).collect();
        assert_eq!(failed, [("OUT_OF_STOCK", 1)]);
        drop(waits);
        drop(requests.begin(true));
        let seen = requests.seen();
        assert_eq!((seen.under_way(), seen.by_route().map(|(.., count)| count).sum()), (0, 5));
    }

    #[test]
    fn every_place_is_told_by_its_status_and_code() {
        for code in CODES {
            let row = code.row();
            let expected = Told { status: row.status.as_str(), code: Some(row.name) };
            assert_eq!(told(Outcome::Failed(*code).place()), expected);
        }
        for status in STATUSES {
            let answered = Outcome::Answered(StatusCode::from_u16(status).expect("a status"));
            assert_eq!(told(answered.place()).status, status.to_string());
        }
        let requests = requests();
        let names: std::collections::BTreeSet<&RouteName> = requests.names.iter().collect();
        assert_eq!(names.len(), ROUTES.len() + 1, "each route has a name of its own");
        assert!(ROUTES.iter().all(|route| method(&route.row.method) != "other"));
    }

    #[test]
    fn nothing_is_lost_among_more_threads_than_there_are_stripes() {
        let requests = requests();
        thread::scope(|scope| {
            for _ in 0..STRIPES_MAX + 3 {
                scope.spawn(|| {
                    (0..500).for_each(|_| count(&requests, 1, Outcome::Answered(StatusCode::OK)));
                });
            }
        });
        let (_, _, counted) = requests.seen().by_route().next().expect("some");
        assert_eq!(counted, 500 * (STRIPES_MAX as u64 + 3));
    }
}
