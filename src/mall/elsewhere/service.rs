//! What the mall asks of a service that keeps points: see docs/points-service.md.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mall::facts::GivingBack;

/// Points to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Take {
    /// Takes with one key are one take.
    pub(crate) key: String,
    pub(crate) user_id: String,
    pub(crate) points: u64,
}

/// A take as it stands at the service, which answers every call about it so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TakeRecord {
    pub(crate) key: String,
    pub(crate) user_id: String,
    pub(crate) state: TakeState,
    /// How many points it took: all that were asked for, or none.
    pub(crate) taken: u64,
    /// How many of them were given back.
    pub(crate) returned: u64,
    /// What the user had when it was refused.
    #[serde(default)]
    pub(crate) balance: Option<u64>,
}

/// How a take stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TakeState {
    Taken,
    /// There was too little; the key stays refused.
    Refused,
    /// Everything is given back, and the key takes nothing any more.
    Closed,
}

/// Why a call came to nothing that is known.
#[cfg_attr(
    not(any(test, feature = "bin")),
    allow(dead_code, reason = "the program has the service that says so")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may have been done or not: no answer, or none that says so.
    Lost(String),
    /// The service has understood, and does not do it: only people can mend that.
    Refused(String),
    /// It was not made: the service has failed too often, and is left alone for so long.
    LeftAlone(Duration),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(why) => write!(f, "no answer of the points service: {why}"),
            Self::Refused(why) => write!(f, "the points service refuses: {why}"),
            Self::LeftAlone(_) => f.write_str("the points service has failed, and is left alone"),
        }
    }
}

pub(crate) type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// A service that keeps points. Every call may be made again with the same key, and has one effect.
pub(crate) trait PointsService: Debug + Send + Sync {
    /// Takes points, or refuses.
    fn take<'a>(&'a self, take: &'a Take) -> Answering<'a, TakeRecord>;

    /// What became of a take; `None` where the service has never heard of it.
    fn look<'a>(&'a self, key: &'a str) -> Answering<'a, Option<TakeRecord>>;

    /// Gives points of a take back. One that closes a take the service has not heard of makes sure
    /// that it never has any effect.
    fn give_back<'a>(&'a self, back: &'a GivingBack) -> Answering<'a, TakeRecord>;

    /// What a user has.
    fn balance<'a>(&'a self, user_id: &'a str) -> Answering<'a, u64>;
}
