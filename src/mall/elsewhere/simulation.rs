//! Both sides die at every step of a saga, alone and together, and the books are compared at rest.
//!
//! The service is a stand-in in this process with a book of its own. Of each call it can lose the
//! request, lose the answer, do it twice, or do it so late that everything else is over. Nothing
//! depends on time or chance, so a run that fails is told by its numbers.

use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::book::{Book, NotGivenBack};
use super::service::{Answering, PointsService, Take, TakeRecord, Trouble};
use super::{BreakerConfig, Driven, PointsElsewhere, kill};
use crate::base::clock::ManualClock;
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountKey, IdempotencyKey, ReservationId};
use crate::engine::Engine;
use crate::ledger::Receive;
use crate::mall::facts::GivingBack;
use crate::mall::{
    Because, DEMO_USER, Exchange, Failure, GiveBack, Mall, MallConfig, OrderFilter, OrderStatus,
    User, Wanted, order_id,
};

const PRODUCT: &str = "prod_movie";
const PRICE: u64 = 4_500;
const POINTS: u64 = 4 * PRICE;
const TTL_MS: u64 = 60_000;

/// What the service does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The request is lost.
    Unheard,
    /// It is done, and the answer is lost.
    Unanswered,
    /// It is done when everything else is over.
    Late,
    /// It is done twice, and answered.
    Twice,
}

#[derive(Clone, Debug)]
enum Call {
    Take(Take),
    GiveBack(GivingBack),
}

#[derive(Debug, Default)]
struct Desk {
    book: Book,
    /// Calls until the one that goes wrong.
    fault: Option<(usize, Fault)>,
    on_their_way: Vec<Call>,
}

/// The stand-in.
#[derive(Clone, Debug, Default)]
struct Service(Arc<Mutex<Desk>>);

impl Desk {
    fn carry(&mut self, call: &Call) -> Result<TakeRecord, Trouble> {
        let done = match call {
            Call::Take(take) => self.book.take(take).map_err(|_| NotGivenBack::KeyConflict),
            Call::GiveBack(back) => self.book.give_back(back),
        };
        done.map_err(|why| Trouble::Refused(format!("{why:?}")))
    }

    /// What goes wrong with this call.
    fn next_fault(&mut self) -> Option<Fault> {
        let (left, fault) = self.fault?;
        self.fault = left.checked_sub(1).map(|left| (left, fault));
        (left == 0).then_some(fault)
    }

    fn meet(&mut self, call: Call) -> Result<TakeRecord, Trouble> {
        let lost = || Err(Trouble::Lost("a fault".into()));
        match self.next_fault() {
            Some(Fault::Unheard) => lost(),
            Some(Fault::Late) => {
                self.on_their_way.push(call);
                lost()
            }
            Some(Fault::Unanswered) => {
                drop(self.carry(&call));
                lost()
            }
            Some(Fault::Twice) => {
                drop(self.carry(&call));
                self.carry(&call)
            }
            None => self.carry(&call),
        }
    }
}

impl Service {
    async fn call(&self, call: Call) -> Result<TakeRecord, Trouble> {
        kill::point().await;
        let answer = self.0.lock().meet(call);
        kill::point().await;
        answer
    }
}

impl PointsService for Service {
    fn take<'a>(&'a self, take: &'a Take) -> Answering<'a, TakeRecord> {
        Box::pin(self.call(Call::Take(take.clone())))
    }

    fn look<'a>(&'a self, key: &'a str) -> Answering<'a, Option<TakeRecord>> {
        Box::pin(async move {
            let mut desk = self.0.lock();
            match desk.next_fault() {
                None | Some(Fault::Twice) => Ok(desk.book.look(key)),
                Some(Fault::Unheard | Fault::Unanswered | Fault::Late) => {
                    Err(Trouble::Lost("a fault".into()))
                }
            }
        })
    }

    fn give_back<'a>(&'a self, back: &'a GivingBack) -> Answering<'a, TakeRecord> {
        Box::pin(self.call(Call::GiveBack(back.clone())))
    }

    fn balance<'a>(&'a self, user_id: &'a str) -> Answering<'a, u64> {
        Box::pin(async move { Ok(self.0.lock().book.balances.get(user_id).copied().unwrap_or(0)) })
    }
}

/// What somebody does with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Bought,
    Confirmed,
    Cancelled,
    Lapsed,
    Returned,
    ReturnedInParts,
    Poor,
}

const STORIES: [Story; 7] = [
    Story::Bought,
    Story::Confirmed,
    Story::Cancelled,
    Story::Lapsed,
    Story::Returned,
    Story::ReturnedInParts,
    Story::Poor,
];

/// A ledger that stays, and malls on it that come and go.
struct World {
    engine: Engine,
    clock: Arc<ManualClock>,
    service: Service,
    runs: u64,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let clock = Arc::new(ManualClock::new(1_750_000_000_000));
        let builder = Engine::builder(dir.path()).clock(Arc::clone(&clock) as _);
        let engine = builder.segment_bytes(1 << 20).open().expect("it opens");
        let world = Self { engine, clock, service: Service::default(), runs: 0, _dir: dir };
        world.mall().load_demo().expect("the demo loads");
        let stock = world.engine.account(&AccountKey::stock(PRODUCT).expect("a name"));
        let received = Receive::new(stock.expect("it has stock"), 100_000);
        world.engine.receive(received).expect("there is room").wait().expect("it is durable");
        world
    }

    /// The mall after a start.
    fn mall(&self) -> Mall {
        let points = PointsElsewhere {
            service: Arc::new(self.service.clone()),
            // The breaker has tests of its own, and would look at the clock.
            breaker: BreakerConfig { failures: u32::MAX, ..BreakerConfig::default() },
            patience: std::time::Duration::ZERO,
            queue: 8,
        };
        let config = MallConfig { reservation_ttl_ms: TTL_MS, ..MallConfig::default() };
        Mall::open_with(self.engine.clone(), config, Some(points)).expect("the catalogue reads")
    }

    /// Tells a story in which our side dies after `points` points, and one call goes wrong; whether
    /// it died.
    ///
    /// # Errors
    /// How the books differ at rest.
    async fn run(
        &mut self,
        story: Story,
        points: Option<usize>,
        fault: Option<(usize, Fault)>,
    ) -> Result<bool, String> {
        self.runs += 1;
        let user = User::new(&format!("user-{}", self.runs)).expect("a name");
        let has = if story == Story::Poor { PRICE - 1 } else { POINTS };
        {
            let mut desk = self.service.0.lock();
            desk.fault = fault;
            desk.book = Book { balances: [(user.id().to_owned(), has)].into(), ..Book::default() };
        }
        let mall = self.mall();
        let died = kill::at(points, self.tell(&mall, &user, story)).await.is_none();
        drop(mall);
        if self.runs % 2 == 1 {
            // The deadline comes first, whatever is under way.
            self.clock.advance(TTL_MS);
            self.engine.expire_due().expect("it is alive");
        }
        let mall = self.mall();
        // Who was not answered asks again.
        drop(exchange(&mall, &user, story, self.runs).await);
        self.rest(&mall).await?;
        let late = std::mem::take(&mut self.service.0.lock().on_their_way);
        for call in late {
            drop(self.service.0.lock().carry(&call));
        }
        self.compare(&mall, &user, has).await?;
        Ok(died)
    }

    async fn tell(&self, mall: &Mall, user: &User, story: Story) -> Result<(), Failure> {
        let order = exchange(mall, user, story, self.runs).await?;
        let by = Because { operator: "ops", reason: "broken" };
        let part =
            GiveBack { quantity: Some(1), product_id: None, restock: true, even_completed: false };
        match story {
            Story::Bought | Story::Lapsed | Story::Poor => {}
            Story::Confirmed => drop(mall.confirm(user, order, None).await?),
            Story::Cancelled | Story::Returned => drop(mall.cancel(user, order, None).await?),
            Story::ReturnedInParts => {
                mall.refund(order, &by, part, None).await?;
                mall.drive_saga(order).await;
                mall.refund(order, &by, part, None).await?;
            }
        }
        mall.drive_saga(order).await;
        Ok(())
    }

    /// Drives everything until nothing waits. Orders that wait for their users lapse.
    async fn rest(&self, mall: &Mall) -> Result<(), String> {
        for _ in 0..20 {
            let (sagas, count) = mall.sagas(None, usize::MAX).expect("it is alive");
            if count == 0 {
                return Ok(());
            }
            for saga in sagas {
                if mall.drive_saga(saga.order).await == Driven::Rests {
                    self.clock.advance(TTL_MS);
                    self.engine.expire_due().expect("it is alive");
                }
            }
        }
        Err(format!("sagas come to no end: {:?}", mall.sagas(None, 9).expect("it is alive").0))
    }

    async fn compare(&self, mall: &Mall, user: &User, had: u64) -> Result<(), String> {
        mall.show_orders().await.expect("it is alive");
        let user_there = User::new(user.id()).expect("a name");
        let filter = OrderFilter { user: Some(user_there), ..OrderFilter::default() };
        let found = mall.find_orders(&filter, None, 100, |_| true).expect("history reads");
        let book = self.service.0.lock().book.clone();
        let (mut spent, mut standing, mut known) = (0, 0, Vec::new());
        for order in found.iter() {
            let order = order.expect("it reads");
            let id = order_id(order.reservation);
            let holds = order.status.holds();
            if order.status == OrderStatus::Pending {
                return Err(format!("{id} waits still"));
            }
            let ours = if holds { order.details.points_cost - order.returned_points } else { 0 };
            let theirs = book.look(&id).map_or(0, |take| take.taken - take.returned);
            if ours != theirs {
                return Err(format!("{id} ({}): {ours} here, {theirs} there", order.status.name()));
            }
            (spent, standing) = (spent + ours, standing + u64::from(holds));
            known.push(id);
        }
        let unknown = book.page("", 100).into_iter().find(|take| !known.contains(&take.key));
        if let Some(take) = unknown {
            return Err(format!("nobody knows {take:?}"));
        }
        let has = book.balances[user.id()];
        if has + spent != had || standing > 1 {
            return Err(format!(
                "{had} points became {has}, with {spent} spent on {standing} orders"
            ));
        }
        Ok(())
    }
}

/// An exchange of a story, and of each try of it the same one.
async fn exchange(
    mall: &Mall,
    user: &User,
    story: Story,
    run: u64,
) -> Result<ReservationId, Failure> {
    let quantity = if story == Story::ReturnedInParts { 3 } else { 1 };
    let confirm = !matches!(story, Story::Confirmed | Story::Cancelled | Story::Lapsed);
    let items = [Wanted { product_id: PRODUCT, quantity }];
    let key = IdempotencyKey::new("sim", &format!("run-{run}")).expect("a key");
    let request = Exchange { confirm, key: Some(key), ..Exchange::of(&items) };
    mall.exchange(user, &request).await.map(|receipt| receipt.reservation)
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Every story, dying at every point, with every fault of every call; the first that goes wrong.
async fn everything(world: &mut World) -> (u64, Option<String>) {
    let faults = [Fault::Unheard, Fault::Unanswered, Fault::Late, Fault::Twice];
    let each = faults.into_iter().flat_map(|fault| (0..6).map(move |call| Some((call, fault))));
    let each: Vec<_> = std::iter::once(None).chain(each).collect();
    for story in STORIES {
        for fault in &each {
            // Both die where it matters most: of the first calls nobody knows what came of them.
            let dies = fault.is_none_or(|(call, fault)| call < 3 && fault != Fault::Twice);
            for points in std::iter::once(None).chain((0..).map(Some).take_while(|_| dies)) {
                match world.run(story, points, *fault).await {
                    Ok(false) if points.is_some() => break,
                    Ok(_) => {}
                    Err(why) => {
                        let told = format!("{story:?}, dead after {points:?}, {fault:?}: {why}");
                        return (world.runs, Some(told));
                    }
                }
            }
        }
    }
    (world.runs, None)
}

#[test]
fn both_sides_die_at_every_step_and_the_books_are_equal() {
    assert_eq!(DEMO_USER, "demo", "users of runs are others");
    let (runs, failure) = runtime().block_on(everything(&mut World::new()));
    println!("{runs} runs");
    assert_eq!(failure, None);
    assert!(runs > 500, "{runs} runs are not all");
}

/// An order of this user, with a saga that waits.
async fn begun(world: &World, mall: &Mall, story: Story, name: &str) -> (User, ReservationId) {
    let user = User::new(name).expect("a name");
    world.service.0.lock().book.balances.insert(name.to_owned(), POINTS);
    let order = exchange(mall, &user, story, 0).await.expect("there is enough");
    (user, order)
}

#[test]
fn an_operator_drives_on_what_waits_or_gives_it_up_and_stays_on_record() {
    let world = World::new();
    let by = Because { operator: "ops", reason: "asked by phone" };
    runtime().block_on(async {
        let mall = world.mall();
        let (_, order) = begun(&world, &mall, Story::Cancelled, "ann").await;
        let shown = mall.saga(order).expect("it waits for its user");
        assert_eq!((shown.saga.points, shown.rests), (PRICE, true));
        let shown = mall.retry_saga(order, &by).await.expect("it is there").expect("it waits");
        let act = &shown.saga.acts[0];
        assert_eq!((&*act.operator, &*act.reason), (by.operator, by.reason));
        drop(mall);
        let mall = world.mall();
        assert_eq!(mall.saga(order).expect("after a restart").saga.acts, shown.saga.acts);
        let left = mall.compensate_saga(order, &by, None).await.expect("it waits");
        assert!(left.is_none(), "{left:?}");
        let given_up = mall.any_order(order).await.expect("it is there");
        assert_eq!(given_up.status, OrderStatus::Cancelled);
        let why = given_up.facts.iter().map(|(_, fact)| fact.reason()).collect::<Vec<_>>();
        assert_eq!(why, [Some(by.reason)]);
        assert_eq!(world.service.0.lock().book.balances["ann"], POINTS);
        let gone = mall.retry_saga(order, &by).await;
        assert!(matches!(gone, Err(Failure::SagaNotFound)), "{gone:?}");
    });
}

#[test]
fn what_was_confirmed_is_not_given_up_and_no_more_wait_than_may() {
    let world = World::new();
    let by = Because { operator: "ops", reason: "asked by phone" };
    runtime().block_on(async {
        let mall = world.mall();
        let (user, order) = begun(&world, &mall, Story::Bought, "bob").await;
        // Its points are on their way back when somebody gives it up.
        world.service.0.lock().fault = Some((0, Fault::Unheard));
        let part =
            GiveBack { quantity: None, product_id: None, restock: true, even_completed: false };
        mall.refund(order, &by, part, None).await.expect("it is confirmed");
        mall.drive_saga(order).await;
        assert!(mall.saga(order).expect("it waits").saga.giving_back.is_some());
        let left = mall.compensate_saga(order, &by, None).await.expect("it is over already");
        assert!(left.is_none(), "{left:?}");
        assert_eq!(world.service.0.lock().book.balances["bob"], POINTS);

        let points = PointsElsewhere {
            service: Arc::new(world.service.clone()),
            breaker: BreakerConfig::default(),
            patience: std::time::Duration::ZERO,
            queue: 0,
        };
        let full = Mall::open_with(world.engine.clone(), MallConfig::default(), Some(points));
        let refused = exchange(&full.expect("it opens"), &user, Story::Bought, 1).await;
        let refused = match refused {
            Err(Failure::Engine(error)) => error.kind(),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused, crate::base::error::ErrorKind::Overloaded);
    });
}

#[test]
fn every_mistake_about_points_elsewhere_is_seen() {
    for (mistake, sign) in
        [(Flaw::TakesPointsAnew, "nobody knows"), (Flaw::KeepsPoints, "0 here, 4500 there")]
    {
        let mut world = World::new();
        let (_, failure) = flaw::with(mistake, || runtime().block_on(everything(&mut world)));
        let failure = failure.unwrap_or_else(|| panic!("{mistake:?} is not seen"));
        println!("{mistake:?}: {failure}");
        assert!(failure.contains(sign) || failure.contains("here,"), "{mistake:?}: {failure}");
    }
}
