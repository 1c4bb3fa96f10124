//! Requests that own what they name, and the commands they are.

use crate::base::{AccountId, IdempotencyKey, ReservationId};
use crate::ledger::{
    Adjust, Command, Confirm, Deadline, Extend, Line, Receive, Release, Reserve, Transfer, WriteOff,
};

/// What details, notes and documents are made of.
pub static FILLER: [u8; 64 << 10] = [b'7'; 64 << 10];

/// A request.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the command of the same name")]
pub enum Ask {
    Receive {
        account: AccountId,
        quantity: u64,
    },
    Adjust {
        account: AccountId,
        delta: i64,
    },
    /// An adjustment to what was counted.
    Count {
        account: AccountId,
        units: u64,
    },
    WriteOff {
        account: AccountId,
        quantity: u64,
    },
    Reserve {
        lines: Vec<Line>,
        ttl_ms: u64,
        confirm: bool,
        owner: Option<AccountId>,
        /// How many bytes.
        details: usize,
    },
    Confirm {
        reservation: ReservationId,
        owner: Option<AccountId>,
        parts: Option<Vec<u64>>,
    },
    Release {
        reservation: ReservationId,
        owner: Option<AccountId>,
    },
    Transfer {
        from: AccountId,
        to: AccountId,
        quantity: u64,
    },
    Extend {
        reservation: ReservationId,
        deadline: Deadline,
        owner: Option<AccountId>,
    },
}

impl Ask {
    /// The command that it is.
    pub fn command(&self, key: Option<IdempotencyKey>) -> Command<'_> {
        match self {
            Self::Receive { account, quantity } => Command::Receive(Receive {
                account: *account,
                quantity: *quantity,
                note: "in",
                key,
            }),
            Self::Adjust { account, delta } => {
                Command::Adjust(Adjust::new(*account, *delta).note("count").key(key))
            }
            Self::Count { account, units } => {
                Command::Adjust(Adjust::counted(*account, *units).note("count").key(key))
            }
            Self::WriteOff { account, quantity } => Command::WriteOff(WriteOff {
                account: *account,
                quantity: *quantity,
                note: "broken",
                key,
            }),
            Self::Reserve { lines, ttl_ms, confirm, owner, details } => Command::Reserve(Reserve {
                lines,
                deadline: Deadline::After(*ttl_ms),
                confirm: *confirm,
                owner: *owner,
                details: &FILLER[..*details],
                key,
            }),
            Self::Confirm { reservation, owner, parts } => Command::Confirm(Confirm {
                reservation: *reservation,
                owner: *owner,
                quantities: parts.as_deref(),
                key,
            }),
            Self::Release { reservation, owner } => {
                Command::Release(Release { reservation: *reservation, owner: *owner, key })
            }
            Self::Transfer { from, to, quantity } => Command::Transfer(Transfer {
                from: *from,
                to: *to,
                quantity: *quantity,
                note: "moved",
                key,
            }),
            Self::Extend { reservation, deadline, owner } => Command::Extend(Extend {
                reservation: *reservation,
                deadline: *deadline,
                owner: *owner,
                key,
            }),
        }
    }

    /// The accounts that it names.
    pub fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Receive { account, .. }
            | Self::Adjust { account, .. }
            | Self::Count { account, .. }
            | Self::WriteOff { account, .. } => {
                vec![*account]
            }
            Self::Reserve { lines, owner, .. } => {
                lines.iter().map(|line| line.account).chain(*owner).collect()
            }
            Self::Transfer { from, to, .. } => vec![*from, *to],
            Self::Confirm { .. } | Self::Release { .. } | Self::Extend { .. } => Vec::new(),
        }
    }

    /// What it is called in counts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Receive { .. } => "receive",
            Self::Adjust { .. } => "adjust",
            Self::Count { .. } => "count",
            Self::WriteOff { .. } => "write off",
            Self::Reserve { confirm: true, .. } => "buy",
            Self::Reserve { .. } => "reserve",
            Self::Confirm { parts: None, .. } => "confirm",
            Self::Confirm { .. } => "confirm in part",
            Self::Release { .. } => "release",
            Self::Transfer { .. } => "transfer",
            Self::Extend { .. } => "extend",
        }
    }

    /// The name of this request. A retry is told by what is asked.
    pub fn key(&self, key: u8) -> IdempotencyKey {
        key_of(key, &format!("{self:?}"))
    }
}

/// The name of a request for this: one of three callers' by its number.
pub fn key_of(key: u8, asked: &str) -> IdempotencyKey {
    let owner = ["ann", "bob", "eve"][usize::from(key % 3)];
    let key = IdempotencyKey::new("caller", &key.to_string()).expect("a number is a short key");
    key.owned_by(owner).with_body(asked.as_bytes())
}
