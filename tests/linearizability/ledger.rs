//! Would catch an answer of the generic API over HTTP that no order of the requests explains: clients ask for a few units of a few accounts on
//! connections of their own, and what they are told is held to the same reference as the engine's answers.
//! The clock stands still, so nothing lapses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stockhold::http::Role;
use stockhold::outcome::{ChangeOutcome, Changed, NotPending, Outcome, Refusal, Reserved};
use stockhold::{
    AccountId, AccountKey, ConfirmOutcome, ErrorKind, Policy, ReleaseOutcome, ReservationId,
    ReserveOutcome, Window,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::Rng;
use crate::checker::Timed;
use crate::history::{Call, History, Op};
use crate::reference::{Ask, Place};
use crate::support::{Client, NOW_MS, Reply, Shop};

const ROUNDS: u64 = 25;
const CLIENTS: u64 = 3;
/// By each client in a round.
const STEPS: u64 = 14;
const TTL_MS: u64 = 60_000;

struct Round {
    number: u64,
    accounts: Vec<(AccountId, AccountKey, Policy)>,
    order: Arc<AtomicU64>,
    made: Mutex<Vec<ReservationId>>,
    calls: Mutex<Vec<Timed<Call>>>,
}

impl Round {
    fn enter(&self, called: u64, op: Op) {
        let returned = self.order.fetch_add(1, Ordering::SeqCst);
        let op = Call { op, times: vec![NOW_MS] };
        self.calls.lock().expect("no task panics").push(Timed { called, returned, op });
    }

    async fn ask(&self, client: &mut Client, ask: Ask, key: Option<u8>) {
        let (path, body) = self.request(&ask);
        let called = self.order.fetch_add(1, Ordering::SeqCst);
        let reply = match key {
            Some(key) => client.post_keyed(&path, &format!("{}-{key}", self.number), body).await,
            None => client.post(&path, body).await,
        };
        let said = told(&ask, &reply);
        if let Ok(Outcome::Reserve(ReserveOutcome::Reserved(Reserved { reservation, .. }))) = said {
            self.made.lock().expect("no task panics").push(reservation);
        }
        self.enter(called, Op::Ask { ask, key, said });
    }

    async fn level(&self, client: &mut Client, place: Place) {
        let called = self.order.fetch_add(1, Ordering::SeqCst);
        let path = format!("/v1/accounts/{}", self.accounts[place].0.number());
        let told = client.get(&path).await.data();
        let names = ["available", "reserved", "consumed", "received", "writtenOff"];
        let numbers = names.map(|name| told[name].as_i64().expect("a number"));
        self.enter(called, Op::Level { place, numbers });
    }

    fn request(&self, ask: &Ask) -> (String, Value) {
        let of = |place: &Place, act: &str| {
            format!("/v1/accounts/{}/{act}", self.accounts[*place].0.number())
        };
        let on = |reservation: &ReservationId, act: &str| {
            format!("/v1/reservations/{reservation}/{act}")
        };
        match ask {
            Ask::Receive { account, quantity } => {
                (of(account, "receive"), json!({"quantity": quantity}))
            }
            Ask::Adjust { account, delta } => (of(account, "adjust"), json!({"delta": delta})),
            Ask::Reserve { lines, ttl_ms, confirm, .. } => {
                let line = |(place, quantity): &(Place, u64)| json!({"account": self.accounts[*place].1.as_str(), "quantity": quantity});
                let lines: Vec<Value> = lines.iter().map(line).collect();
                let body = json!({"lines": lines, "ttlMs": ttl_ms, "confirm": confirm});
                ("/v1/reservations".to_owned(), body)
            }
            Ask::Confirm { reservation, parts, .. } => {
                (on(reservation, "confirm"), json!({"quantities": parts}))
            }
            Ask::Release { reservation, .. } => (on(reservation, "release"), json!({})),
            other => panic!("nobody asks for {other:?} here"),
        }
    }

    fn newest(&self, rng: &mut Rng) -> Option<ReservationId> {
        let made = self.made.lock().expect("no task panics");
        let newest = made.len().min(3) as u64;
        (newest > 0).then(|| made[made.len() - 1 - rng.below(newest) as usize])
    }

    async fn step(&self, client: &mut Client, rng: &mut Rng) {
        match rng.below(12) {
            0..4 => self.ask(client, reserve(rng), None).await,
            4..6 => {
                // The body of a key is the same, but for now and then.
                let (key, other) = (rng.below(2), u64::from(rng.below(6) == 0));
                let lines = vec![(0, 1 + other), (key as Place, 1)];
                let ask = Ask::Reserve { lines, ttl_ms: TTL_MS, confirm: false, owner: None };
                self.ask(client, ask, Some(key as u8)).await;
            }
            choice @ 6..9 => {
                let Some(reservation) = self.newest(rng) else { return };
                let ask = match choice {
                    6 => Ask::Confirm { reservation, owner: None, parts: None },
                    7 => Ask::Confirm { reservation, owner: None, parts: Some(vec![1, 0]) },
                    _ => Ask::Release { reservation, owner: None },
                };
                self.ask(client, ask, None).await;
            }
            9 => {
                self.ask(client, Ask::Receive { account: rng.below(2) as Place, quantity: 1 }, None)
                    .await
            }
            10 => {
                self.ask(client, Ask::Adjust { account: rng.below(2) as Place, delta: -1 }, None)
                    .await
            }
            _ => self.level(client, rng.below(3) as Place).await,
        }
    }
}

fn reserve(rng: &mut Rng) -> Ask {
    let lines = match rng.below(4) {
        0 => vec![(0, 1)],
        1 => vec![(0, 1 + rng.below(2)), (1, 1)],
        2 => vec![(1, 1), (2, 1)],
        _ => vec![(2, 1), (0, 1)],
    };
    Ask::Reserve { lines, ttl_ms: TTL_MS, confirm: rng.below(5) == 0, owner: None }
}

/// What an answer says, as the engine says it.
fn told(ask: &Ask, reply: &Reply) -> Result<Outcome, ErrorKind> {
    let envelope = reply.envelope();
    let (code, data) = (envelope["code"].as_str().expect("a code"), &envelope["data"]);
    let number = |name: &str| data[name].as_u64().expect("a number");
    let account = |name: &str| AccountId::from_number(number(name) as u32);
    let why = || match data["status"].as_str() {
        Some("confirmed") => NotPending::Confirmed,
        Some("released") => NotPending::Released,
        other => panic!("{other:?}: {envelope}"),
    };
    match (code, ask) {
        ("IDEMPOTENCY_CONFLICT", _) => Err(ErrorKind::Conflict),
        ("INVALID_REQUEST", _) => Err(ErrorKind::Invalid),
        ("SUCCESS", Ask::Receive { .. } | Ask::Adjust { .. }) => {
            let available = data["available"].as_i64().expect("a number");
            let changed = Changed { account: account("account"), available };
            Ok(match ask {
                Ask::Receive { .. } => Outcome::Receive(changed),
                _ => Outcome::Adjust(ChangeOutcome::Changed(changed)),
            })
        }
        ("SUCCESS", Ask::Reserve { .. }) => {
            let reservation = data["reservation"].as_str().and_then(|it| it.parse().ok());
            Ok(Outcome::Reserve(ReserveOutcome::Reserved(Reserved {
                reservation: ReservationId::from_number(reservation.expect("a number")),
                expires_at: number("expiresAt"),
                confirmed: data["status"] == "confirmed",
            })))
        }
        ("INSUFFICIENT_UNITS", _) => {
            let refusal = Refusal {
                line: number("line") as usize,
                account: account("account"),
                available: number("available"),
                next_release_at: data["nextReleaseAt"].as_u64(),
                has_line: false,
            };
            Ok(match ask {
                Ask::Adjust { .. } => Outcome::Adjust(ChangeOutcome::Refused(refusal)),
                _ => Outcome::Reserve(ReserveOutcome::Refused(refusal)),
            })
        }
        ("SUCCESS", Ask::Confirm { reservation, .. }) => {
            Ok(Outcome::Confirm(ConfirmOutcome::Confirmed { reservation: *reservation }))
        }
        ("SUCCESS", Ask::Release { reservation, .. }) => {
            Ok(Outcome::Release(ReleaseOutcome::Released { reservation: *reservation }))
        }
        ("RESERVATION_STATE", Ask::Confirm { reservation, .. }) => {
            Ok(Outcome::Confirm(ConfirmOutcome::NotPending {
                reservation: *reservation,
                why: why(),
            }))
        }
        ("RESERVATION_STATE", Ask::Release { reservation, .. }) => {
            Ok(Outcome::Release(ReleaseOutcome::NotPending {
                reservation: *reservation,
                why: why(),
            }))
        }
        _ => panic!("{ask:?}: {envelope}"),
    }
}

async fn play(shop: &Shop, number: u64, order: &Arc<AtomicU64>, seed: u64) -> History {
    let account = |kind: &str, policy: Policy| {
        let key = AccountKey::custom(kind, &[&format!("r{number}")]).expect("a key");
        let id = shop.engine.open_account(&key, policy).expect("there is room");
        (id, key, policy)
    };
    let round = Arc::new(Round {
        number,
        accounts: vec![
            account("tea", Policy::strict()),
            account("cup", Policy::backorder(1)),
            account("cap", Policy::quota(2, Window::Outstanding)),
        ],
        order: Arc::clone(order),
        made: Mutex::default(),
        calls: Mutex::default(),
    });
    let mut office = shop.client("box-office", Role::Service).await;
    round.ask(&mut office, Ask::Receive { account: 0, quantity: 4 }, None).await;
    round.ask(&mut office, Ask::Receive { account: 1, quantity: 1 }, None).await;
    let start = Arc::new(Barrier::new(CLIENTS as usize));
    let mut tasks = JoinSet::new();
    for task in 0..CLIENTS {
        let mut client = shop.client("box-office", Role::Service).await;
        let (round, start) = (Arc::clone(&round), Arc::clone(&start));
        let mut rng = Rng(seed ^ number << 16 ^ task);
        tasks.spawn(async move {
            start.wait().await;
            for _ in 0..STEPS {
                round.step(&mut client, &mut rng).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no task panics");
    }
    for place in 0..3 {
        round.level(&mut office, place).await;
    }
    let calls = std::mem::take(&mut *round.calls.lock().expect("no task panics"));
    History { accounts: round.accounts.clone(), calls }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_order_explains_what_programs_were_told() {
    let given =
        std::env::var("STOCKHOLD_LINEARIZABILITY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand_seed);
    println!("STOCKHOLD_LINEARIZABILITY_SEED={seed}");
    let shop = Shop::open().await;
    let order = Arc::new(AtomicU64::new(0));
    let (mut overlaps, mut refused, mut conflicts, mut ended) = (0, 0, 0, 0);
    for number in 0..ROUNDS {
        let history = play(&shop, number, &order, seed).await;
        history.check();
        overlaps += history.overlaps();
        for Timed { op: Call { op, .. }, .. } in &history.calls {
            let Op::Ask { said, .. } = op else { continue };
            match said {
                Ok(Outcome::Confirm(ConfirmOutcome::NotPending { .. })) => ended += 1,
                Ok(outcome) if outcome.refusal().is_some() => refused += 1,
                Err(ErrorKind::Conflict) => conflicts += 1,
                Ok(_) | Err(_) => {}
            }
        }
    }
    let tried = [overlaps, refused, conflicts, ended];
    assert!(tried.iter().all(|count| *count > 0), "something was never tried: {tried:?}");
}

fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
