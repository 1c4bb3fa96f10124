//! What the callers ask, and how it goes over the pipe: as numbers, a request or an answer a row.

use stockhold::command::{Adjust, Atomic, Command, Grant, Join, Leave, Transfer, WriteOff};
use stockhold::outcome::{
    Changed, GrantOutcome, JoinOutcome, LeaveOutcome, Outcome, Reserved, TransferOutcome,
    Transferred,
};
use stockhold::{
    Confirm, ConfirmOutcome, Engine, IdempotencyKey, Line, Reacquire, ReacquireOutcome, Receive,
    Refund, RefundOutcome, Release, ReleaseOutcome, ReservationId, Reserve, TimeMs,
};

use super::shop::{Order, Shop, parts};

/// How many may wait for a product.
const PLACES_MAX: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Reserve {
        order: Order,
        ttl_ms: u64,
        at_once: bool,
    },
    /// With 0 units: the whole reservation.
    Confirm {
        reservation: ReservationId,
        units: u64,
    },
    Release {
        reservation: ReservationId,
    },
    /// Whatever is left of it.
    Refund {
        reservation: ReservationId,
    },
    /// So many units of what was ordered, and their points; `is_broken` ones are written off.
    RefundPart {
        reservation: ReservationId,
        order: Order,
        is_broken: bool,
    },
    /// Whatever it held, when it has expired.
    Reacquire {
        reservation: ReservationId,
    },
    /// Points that are good until then, or, with 0, for ever.
    Award {
        user: u64,
        quantity: u64,
        until: TimeMs,
    },
    Receive {
        product: u64,
        quantity: u64,
    },
    WriteOff {
        product: u64,
        quantity: u64,
    },
    /// So many units were counted.
    Count {
        product: u64,
        units: u64,
    },
    /// Between what is for sale and the depot.
    Move {
        product: u64,
        quantity: u64,
        is_back: bool,
    },
    /// Points that have ended go.
    End {
        user: u64,
        until: TimeMs,
        quantity: u64,
    },
    Join {
        user: u64,
        product: u64,
    },
    Leave {
        user: u64,
        product: u64,
    },
    /// Whoever is first, at this place, gets what was waited for.
    Grant {
        order: Order,
        place: u64,
        ttl_ms: u64,
    },
}

pub type Row = [u64; 7];

impl Ask {
    pub fn to_row(self) -> Row {
        match self {
            Self::Reserve { order, ttl_ms, at_once } => {
                let Order { user, product, quantity, until } = order;
                [0, user, product, quantity, ttl_ms, at_once.into(), until]
            }
            Self::Confirm { reservation, units } => [1, reservation.number(), units, 0, 0, 0, 0],
            Self::Release { reservation } => [2, reservation.number(), 0, 0, 0, 0, 0],
            Self::Refund { reservation } => [3, reservation.number(), 0, 0, 0, 0, 0],
            Self::RefundPart { reservation, order, is_broken } => {
                let Order { user, product, quantity, until } = order;
                [7, reservation.number(), user, product, quantity, is_broken.into(), until]
            }
            Self::Reacquire { reservation } => [8, reservation.number(), 0, 0, 0, 0, 0],
            Self::Award { user, quantity, until } => [4, user, quantity, until, 0, 0, 0],
            Self::Receive { product, quantity } => [5, product, quantity, 0, 0, 0, 0],
            Self::WriteOff { product, quantity } => [6, product, quantity, 0, 0, 0, 0],
            Self::Grant { order, place, ttl_ms } => {
                [9, order.user, order.product, order.quantity, ttl_ms, place, order.until]
            }
            Self::Join { user, product } => [10, user, product, 0, 0, 0, 0],
            Self::Leave { user, product } => [11, user, product, 0, 0, 0, 0],
            Self::Count { product, units } => [12, product, units, 0, 0, 0, 0],
            Self::Move { product, quantity, is_back } => {
                [13, product, quantity, is_back.into(), 0, 0, 0]
            }
            Self::End { user, until, quantity } => [14, user, until, quantity, 0, 0, 0],
        }
    }

    pub fn from_row(row: Row) -> Self {
        let reservation = ReservationId::from_number(row[1]);
        match row {
            [0, user, product, quantity, ttl_ms, at_once, until] => Self::Reserve {
                order: Order { user, product, quantity, until },
                ttl_ms,
                at_once: at_once != 0,
            },
            [1, _, units, ..] => Self::Confirm { reservation, units },
            [2, ..] => Self::Release { reservation },
            [3, ..] => Self::Refund { reservation },
            [4, user, quantity, until, ..] => Self::Award { user, quantity, until },
            [5, product, quantity, ..] => Self::Receive { product, quantity },
            [6, product, quantity, ..] => Self::WriteOff { product, quantity },
            [8, ..] => Self::Reacquire { reservation },
            [7, _, user, product, quantity, is_broken, until] => Self::RefundPart {
                reservation,
                order: Order { user, product, quantity, until },
                is_broken: is_broken != 0,
            },
            [9, user, product, quantity, ttl_ms, place, until] => {
                Self::Grant { order: Order { user, product, quantity, until }, place, ttl_ms }
            }
            [10, user, product, ..] => Self::Join { user, product },
            [11, user, product, ..] => Self::Leave { user, product },
            [12, product, units, ..] => Self::Count { product, units },
            [13, product, quantity, is_back, ..] => {
                Self::Move { product, quantity, is_back: is_back != 0 }
            }
            [14, user, until, quantity, ..] => Self::End { user, until, quantity },
            _ => panic!("no request is written as {row:?}"),
        }
    }

    /// Asks the engine and waits until the answer is durable.
    pub fn ask(
        self,
        engine: &Engine,
        shop: &Shop<'_>,
        key: Option<IdempotencyKey>,
    ) -> stockhold::Result<Option<Effect>> {
        match self {
            Self::Refund { reservation } => refund(engine, Refund::new(reservation).key(key)),
            Self::Reacquire { reservation } => {
                let asked = Reacquire::new(reservation).key(key);
                Ok(match engine.reacquire(asked)?.wait()? {
                    ReacquireOutcome::Revived { reservation } => {
                        Some([6, reservation.number(), 0, 0])
                    }
                    _ => None,
                })
            }
            Self::RefundPart { reservation, order, is_broken } => {
                let [points, quota, _, stock] = shop.lines(order);
                let (part, broken) = ([points, quota, stock], [stock.account]);
                let refund_part = Refund::new(reservation).part(&part).key(key);
                match is_broken {
                    true => refund(engine, refund_part.written_off(&broken)),
                    false => refund(engine, refund_part),
                }
            }
            Self::Join { user, product } => {
                let join = Join::new(shop.stock(product), shop.points(user), PLACES_MAX);
                Ok(match engine.join(join)?.wait()? {
                    JoinOutcome::Waiting { place, .. } => Some([WAITS, place, 0, 0]),
                    _ => None,
                })
            }
            Self::Leave { user, product } => {
                let leave = Leave::new(shop.stock(product), shop.points(user)).note("kill");
                Ok(match engine.leave(leave)?.wait()? {
                    LeaveOutcome::Left { place } => Some([LEFT, place, 0, 0]),
                    _ => None,
                })
            }
            Self::Grant { order, place, ttl_ms } => {
                let lines = shop.lines(order);
                let reserve = Reserve::new(&lines, ttl_ms).details(b"details");
                let reserve = reserve.owner(shop.points(order.user));
                let grant = Grant::new(shop.stock(order.product), place, reserve);
                Ok(match engine.grant(grant)?.wait()? {
                    GrantOutcome::Granted(reserved) => Some(reserved_as(reserved)),
                    _ => None,
                })
            }
            _ => {
                let mut borrowed = Borrowed::default();
                engine.execute(&self.command(shop, key, &mut borrowed))?.wait().map(done)
            }
        }
    }

    /// Whether it is a command, and can be one of several.
    pub fn is_command(self) -> bool {
        match self {
            Self::Refund { .. } | Self::RefundPart { .. } | Self::Reacquire { .. } => false,
            Self::Join { .. } | Self::Leave { .. } | Self::Grant { .. } => false,
            Self::Reserve { .. } | Self::Confirm { .. } | Self::Release { .. } => true,
            Self::Award { .. } | Self::Receive { .. } | Self::WriteOff { .. } => true,
            Self::Count { .. } | Self::Move { .. } | Self::End { .. } => true,
        }
    }

    /// Whether it may have a key: places in a line do without.
    pub fn takes_a_key(self) -> bool {
        !matches!(self, Self::Join { .. } | Self::Leave { .. } | Self::Grant { .. })
    }

    /// The command, for anything that is one.
    pub fn command<'a>(
        self,
        shop: &Shop<'_>,
        key: Option<IdempotencyKey>,
        borrowed: &'a mut Borrowed,
    ) -> Command<'a> {
        let note = "kill";
        match self {
            Self::Reserve { order, ttl_ms, at_once } => {
                borrowed.lines = shop.lines(order).to_vec();
                let reserve = Reserve::new(&borrowed.lines, ttl_ms).details(b"details");
                let mut reserve = reserve.owner(shop.points(order.user)).key(key);
                reserve.confirm = at_once;
                Command::Reserve(reserve)
            }
            Self::Confirm { reservation, units } => {
                borrowed.parts = parts(units).to_vec();
                let mut confirm = Confirm::new(reservation).key(key);
                confirm.quantities = (units > 0).then_some(&borrowed.parts[..]);
                Command::Confirm(confirm)
            }
            Self::Release { reservation } => Command::Release(Release::new(reservation).key(key)),
            Self::Refund { .. } | Self::RefundPart { .. } | Self::Reacquire { .. } => {
                panic!("what is asked of history is no command")
            }
            Self::Join { .. } | Self::Leave { .. } | Self::Grant { .. } => {
                panic!("what is asked of a line is no command")
            }
            Self::Award { user, quantity, until } => Command::Receive(
                Receive::new(shop.purse(user, until), quantity).note(note).key(key),
            ),
            Self::Count { product, units } => {
                Command::Adjust(Adjust::counted(shop.stock(product), units).note(note).key(key))
            }
            Self::Move { product, quantity, is_back } => {
                let (stock, depot) = (shop.stock(product), shop.depots[product as usize]);
                let (from, to) = if is_back { (depot, stock) } else { (stock, depot) };
                Command::Transfer(Transfer::new(from, to, quantity).note(note).key(key))
            }
            Self::End { user, until, quantity } => Command::WriteOff(
                WriteOff::new(shop.purse(user, until), quantity).note("ended").key(key),
            ),
            Self::Receive { product, quantity } => {
                Command::Receive(Receive::new(shop.stock(product), quantity).note(note).key(key))
            }
            Self::WriteOff { product, quantity } => {
                Command::WriteOff(WriteOff::new(shop.stock(product), quantity).note(note).key(key))
            }
        }
    }
}

/// Asks for one of these, or for several that happen together, and waits until the answer is
/// durable; `None` when nothing happens.
pub fn ask_all(
    asks: &[Ask],
    engine: &Engine,
    shop: &Shop<'_>,
    key: Option<IdempotencyKey>,
) -> stockhold::Result<Option<Vec<Effect>>> {
    if let [ask] = asks {
        return Ok(ask.ask(engine, shop, key)?.map(|answer| vec![answer]));
    }
    let mut borrowed: Vec<Borrowed> = asks.iter().map(|_| Borrowed::default()).collect();
    let commands = asks.iter().zip(&mut borrowed);
    let commands: Vec<Command<'_>> =
        commands.map(|(ask, borrowed)| ask.command(shop, None, borrowed)).collect();
    let outcome = engine.atomic(Atomic::new(&commands).key(key))?.wait()?;
    let did = |outcome| done(outcome).expect("what happens together happens");
    Ok(outcome.done().ok().map(|outcomes| outcomes.into_iter().map(did).collect()))
}

fn refund(engine: &Engine, refund: Refund<'_>) -> stockhold::Result<Option<Effect>> {
    Ok(match engine.refund(refund.note("refund"))?.wait()? {
        RefundOutcome::Returned { reservation } => Some([4, reservation.number(), 0, 0]),
        RefundOutcome::ReturnedInPart { reservation } => Some([5, reservation.number(), 0, 0]),
        _ => None,
    })
}

/// What a command borrows.
#[derive(Default)]
pub struct Borrowed {
    lines: Vec<Line>,
    parts: Vec<u64>,
}

pub fn key(number: u64) -> Option<IdempotencyKey> {
    (number > 0).then(|| IdempotencyKey::new("kill", &number.to_string()).expect("a valid key"))
}

/// What a request did, as numbers: what kind of effect, and of what.
pub type Effect = [u64; 4];

/// The kinds of effects that callers tell apart.
pub const RESERVED: u64 = 1;
pub const WAITS: u64 = 8;
pub const LEFT: u64 = 9;

/// What a command did, as a retry with its key hears it; `None` for one that had no effect.
pub fn done(outcome: Outcome) -> Option<Effect> {
    match outcome {
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation }) => {
            Some([2, reservation.number(), 0, 0])
        }
        Outcome::Release(ReleaseOutcome::Released { reservation }) => {
            Some([3, reservation.number(), 0, 0])
        }
        Outcome::Transfer(TransferOutcome::Transferred(Transferred { from, to })) => {
            Some([7, from.available as u64, to.available as u64, 0])
        }
        other => other.reserved().map(reserved_as).or(other.changed().map(
            |Changed { account, available, .. }| [0, account.number().into(), available as u64, 0],
        )),
    }
}

fn reserved_as(Reserved { reservation, expires_at, confirmed }: Reserved) -> Effect {
    [RESERVED, reservation.number(), expires_at, confirmed.into()]
}

/// splitmix64: enough to vary requests, and the same from the same seed.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len() as u64) as usize].clone())
    }
}
