//! A sale with everything in it that can be in a journal, on a clock of its own.

use std::path::Path;
use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::command::{
    Adjust, Atomic, Command, Extend, Grant, Join, Leave, Note, PutDocument, Release, SetPolicy,
    Transfer, WriteOff,
};
use stockhold::engine::{DeferredTicket, RefundTicket};
use stockhold::outcome::{AtomicOutcome, GrantOutcome, Reserved};
use stockhold::{
    AccountId, AccountKey, Confirm, Engine, IdempotencyKey, Line, Policy, Reacquire,
    ReacquireOutcome, Receive, Refund, RefundOutcome, ReservationId, Reserve, ReserveOutcome,
    Ticket, Window,
};
use tempfile::TempDir;

pub(crate) const NOW_MS: u64 = 1_750_000_000_000;
pub(crate) const TTL_MS: u64 = 1_000;

pub(crate) struct Sale {
    pub(crate) engine: Engine,
    /// Dropped after the engine, whose files it has.
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) accounts: Accounts,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Accounts {
    pub(crate) points: AccountId,
    pub(crate) stock: AccountId,
    pub(crate) lifetime: AccountId,
    pub(crate) rolling: AccountId,
    pub(crate) outstanding: AccountId,
    pub(crate) backorder: AccountId,
}

pub(crate) fn open_engine(dir: &Path, clock: &Arc<ManualClock>) -> Engine {
    let builder = Engine::builder(dir).clock(Arc::clone(clock) as _).segment_bytes(128 << 10);
    builder.history_flush_rows(50).open().expect("the directory opens")
}

pub(crate) fn done<T>(ticket: stockhold::Result<Ticket<T>>) -> T {
    ticket.and_then(Ticket::wait).expect("it is decided and durable")
}

impl Accounts {
    fn open(engine: &Engine) -> Self {
        let open = |key: &str, policy| {
            let key: AccountKey = key.parse().expect("a valid key");
            engine.open_account(&key, policy).expect("there is room")
        };
        Self {
            points: open("points/ann", Policy::strict()),
            stock: open("stock/tea", Policy::strict()),
            lifetime: open("quota/ann/tea", Policy::quota(100_000, Window::Never)),
            rolling: open("quota/bob/tea", Policy::quota(3, Window::Rolling { length_ms: 50 })),
            outstanding: open("quota/ann", Policy::quota(10_000, Window::Outstanding)),
            backorder: open("stock/cup", Policy::backorder(100_000)),
        }
    }
}

impl Sale {
    /// A new directory with accounts that have something in them.
    pub(crate) fn open() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let engine = open_engine(dir.path(), &clock);
        let accounts = Accounts::open(&engine);
        let note = "first delivery";
        done(engine.receive(Receive::new(accounts.points, 1_000_000).note(note)));
        done(engine.receive(Receive::new(accounts.stock, 10_000).note(note).key(key("delivery"))));
        Self { dir, clock, engine, accounts }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Sells so much, and lets orders end in every way they can.
    pub(crate) fn sell(&self, orders: usize) {
        let Accounts { points, stock, lifetime, rolling, outstanding, backorder } = self.accounts;
        let engine = &self.engine;
        let details = [7; 3 << 10];
        let mut late = Vec::new();
        for number in 0..orders {
            let quantities =
                [(points, 10), (lifetime, 1), (outstanding, 1), (stock, 2), (backorder, 1)];
            let lines = quantities.map(|(account, quantity)| Line { account, quantity });
            let reserve = Reserve::new(&lines, TTL_MS).owner(points).details(&details);
            let order = reservation(done(
                engine.reserve(reserve.key(key(&format!("{}-{number}", self.last_seq())))),
            ));
            match number % 7 {
                0 => {
                    done(engine.confirm(order));
                    if number > 0 {
                        self.give_some_back(order);
                    }
                }
                1 => {
                    done(engine.confirm(Confirm::new(order).part(&[10, 0, 1, 1, 0])));
                }
                2 => {
                    done(engine.release(order));
                }
                3 => {
                    done(engine.confirm(order));
                    engine
                        .refund(Refund::new(order).owner(points).note("it broke"))
                        .and_then(RefundTicket::wait)
                        .expect("it is durable");
                }
                4 => {
                    done(engine.note(Note::new(order, b"call first")));
                }
                5 => {
                    let unit = [Line { account: rolling, quantity: 1 }];
                    done(engine.reserve(Reserve::new(&unit, TTL_MS).confirmed()));
                }
                // Its deadline ends it, a moved one; it may be paid late.
                _ => {
                    let extend = Extend::new(order, TTL_MS / 2).owner(points);
                    done(engine.extend(extend.key(key(&order.to_string()))));
                }
            }
            self.clock.advance(40);
            engine.expire_due().expect("it admits");
            late.push(order);
        }
        self.pay_late(&late);
        done(engine.adjust(
            Adjust::new(stock, -3).note("a count").key(key(&format!("count-{}", self.last_seq()))),
        ));
        done(engine.write_off(WriteOff::new(stock, 1).note("broken")));
        let repack = Transfer::new(stock, backorder, 5).note("repacked");
        done(engine.transfer(repack.key(key(&format!("repack-{}", self.last_seq())))));
        self.pack();
        self.wait_for_rare();
        done(
            engine.set_policy(
                SetPolicy::new(lifetime, Policy::quota(90_000, Window::Never))
                    .key(key(&format!("rule-{}", self.last_seq()))),
            ),
        );
        done(engine.put_document(PutDocument::new("product", "tea", br#"{"price":10}"#)));
        let gone = PutDocument::new("product", "gone", b"{}");
        done(engine.put_document(gone.key(key(&format!("gone-{}", self.last_seq())))));
        done(engine.put_document(PutDocument::remove("product", "gone")));
    }

    /// Of what has expired one is confirmed after all, and some of it returned.
    fn pay_late(&self, orders: &[ReservationId]) {
        for order in orders {
            let asked = Reacquire::new(*order).key(key(&format!("late-{order}")));
            let told = self.engine.reacquire(asked).and_then(DeferredTicket::wait);
            if matches!(told, Ok(ReacquireOutcome::Revived { .. })) {
                return self.give_some_back(*order);
            }
        }
    }

    /// Half of it comes back, and the goods are broken; then the other half.
    fn give_some_back(&self, order: ReservationId) {
        let Accounts { points, lifetime, stock, .. } = self.accounts;
        let half = [(points, 5), (stock, 1)].map(|(account, quantity)| Line { account, quantity });
        let rest =
            [(lifetime, 1), (stock, 1)].map(|(account, quantity)| Line { account, quantity });
        let goods = [stock];
        let broken = Refund::new(order).part(&half).written_off(&goods).note("it broke");
        let keyed = Refund::new(order).part(&rest).key(key(&format!("rest-{order}")));
        for refund in [broken, keyed] {
            let refunded = self.engine.refund(refund).and_then(RefundTicket::wait);
            let in_part = RefundOutcome::ReturnedInPart { reservation: order };
            assert_eq!(refunded.expect("it is durable"), in_part);
        }
    }

    /// Many things together: each account changes more than once, a window gives back, and
    /// reservations are made, confirmed, extended and released. Then something that is refused.
    fn pack(&self) {
        let Accounts { points, stock, rolling, backorder, .. } = self.accounts;
        let engine = &self.engine;
        let take = |account, quantity| Line { account, quantity };
        let held: Vec<ReservationId> = (0..3)
            .map(|_| {
                let lines = [take(stock, 1), take(points, 1), take(stock, 1)];
                reservation(done(engine.reserve(Reserve::new(&lines, TTL_MS))))
            })
            .collect();
        let (one, three) = ([take(rolling, 1), take(stock, 1)], [take(rolling, 3)]);
        let other = [take(stock, 1)];
        done(engine.reserve(Reserve::new(&three, TTL_MS).confirmed()));
        self.clock.advance(60);
        let commands: [Command<'_>; 10] = [
            Receive::new(stock, 5).note("first").into(),
            Confirm::new(held[0]).part(&[1, 0, 1]).into(),
            Reserve::new(&one, TTL_MS).owner(points).confirmed().into(),
            WriteOff::new(stock, 1).into(),
            Transfer::new(stock, backorder, 2).note("more").into(),
            Release::new(held[1]).into(),
            Extend::new(held[2], TTL_MS / 2).into(),
            Reserve::new(&other, TTL_MS / 2).details(b"together").into(),
            Adjust::new(points, 1).note("a gift").into(),
            Transfer::new(stock, backorder, 1).into(),
        ];
        let packed = Atomic::new(&commands).key(key(&format!("pack-{}", self.last_seq())));
        let first = done(engine.atomic(packed));
        assert!(matches!(&first, AtomicOutcome::Done(outcomes) if outcomes.len() == 10));
        assert_eq!(done(engine.atomic(packed)), first, "a retry");
        let refused = [commands[0], WriteOff::new(points, u64::MAX >> 16).into()];
        assert!(matches!(done(engine.atomic(&refused)), AtomicOutcome::Refused { index: 1, .. }));
    }

    /// A product that others wait for: somebody gets one, somebody leaves, and somebody waits on.
    fn wait_for_rare(&self) {
        let Accounts { points, backorder, .. } = self.accounts;
        let engine = &self.engine;
        let key = AccountKey::stock("rare").expect("a valid key");
        let rare = engine.open_account(&key, Policy::strict()).expect("there is room");
        done(engine.join(Join::new(rare, points, 9).body(b"one")));
        done(engine.join(Join::new(rare, backorder, 9)));
        done(engine.receive(Receive::new(rare, 1)));
        let (first, units) = engine.next_waiting(rare).expect("it exists").expect("two wait");
        assert_eq!(units, 1);
        let lines = [points, rare].map(|account| Line { account, quantity: 1 });
        let hers = Reserve::new(&lines, TTL_MS).owner(points).confirmed();
        let granted = done(engine.grant(Grant::new(rare, first.place, hers)));
        assert!(matches!(granted, GrantOutcome::Granted(_)), "{granted:?}");
        done(engine.leave(Leave::new(rare, backorder).note("had enough")));
        done(engine.join(Join::new(rare, points, 9).body(b"another")));
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.engine.status().last_seq
    }

    /// The directory after an orderly end.
    pub(crate) fn close(self) -> TempDir {
        self.engine.close().expect("it closes");
        self.dir
    }

    /// The directory after an end without a checkpoint.
    pub(crate) fn drop_engine(self) -> TempDir {
        drop(self.engine);
        self.dir
    }
}

pub(crate) fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new("ann", name).expect("a valid key")
}

pub(crate) fn reservation(outcome: ReserveOutcome) -> ReservationId {
    match outcome {
        ReserveOutcome::Reserved(Reserved { reservation, .. }) => reservation,
        other => panic!("expected a reservation, got {other:?}"),
    }
}
