//! What a user may like to have: what it can afford, what it says that it likes, what is like what it
//! took before, what others took with that, and what sells.
//!
//! Nothing is kept for it but who was shown a variant of an experiment. A recommendation follows from
//! the catalogue, the stock, the user's points, preferences and history as they are, so the same state
//! gives the same answer, also after a restart. Numbers are whole, and what is equal is ordered as the
//! shelf is.

mod pick;
mod taste;
#[cfg(all(test, feature = "bin"))]
mod tests;
mod together;
mod weights;

use std::sync::Arc;
use std::time::Duration;

use self::pick::Picker;
use self::taste::Taste;
use self::weights::Weights;
use super::experiments::{Strategy, Subject};
use super::facts::Preferences;
use super::{Decided, Failure, Item, Mall, Shelf, User};
use crate::base::QUANTITY_MAX;
use crate::base::error::Result;
use crate::ledger::Level;

/// How long a recommendation waits for history; what is hot does not need it.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanting {
    /// Points that the user is about to get.
    pub(crate) expected_points: u64,
    /// How many products each list has at most.
    pub(crate) limit: usize,
}

/// Why a product is recommended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The user's points are enough for it.
    Affordable,
    /// They are with those that are expected.
    SoonAffordable,
    /// It is among the user's favourites.
    Favourite,
    /// The user says that it likes this category.
    Preferred { name: String },
    /// The user often takes something of this category.
    Category { name: String },
    /// The user looked at something of this category.
    Viewed { name: String },
    /// Who took this product took that, too.
    Together { name: String },
    /// So many were taken.
    Popular { sales: u64 },
    /// The mall says so, and nothing is known of the user at this moment.
    Hot,
}

#[cfg(feature = "server")]
impl Why {
    /// For people, as the mall says it.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Affordable => "积分足够，可立即兑换".to_owned(),
            Self::SoonAffordable => "加上即将到账的积分即可兑换".to_owned(),
            Self::Favourite => "您收藏的商品".to_owned(),
            Self::Preferred { name } => format!("您偏好「{name}」类商品"),
            Self::Category { name } => format!("您常兑换「{name}」类商品"),
            Self::Viewed { name } => format!("您最近浏览过「{name}」类商品"),
            Self::Together { name } => format!("兑换「{name}」的用户也兑换了"),
            Self::Popular { sales } => format!("热门兑换，已兑换{sales}件"),
            Self::Hot => "为您推荐热门商品".to_owned(),
        }
    }
}

/// A product, and why.
#[derive(Debug)]
pub(crate) struct Recommended {
    pub(crate) item: Arc<Item>,
    pub(crate) level: Level,
    pub(crate) why: Why,
}

/// What is recommended to a user.
#[derive(Debug)]
pub(crate) struct Recommendations {
    /// What the user can spend.
    pub(crate) balance: i64,
    /// With what is expected.
    pub(crate) reach: u64,
    pub(crate) mall_level: u8,
    pub(crate) lists: Lists,
    /// The variants of experiments that decided on them.
    pub(crate) decided: Vec<Decided>,
}

#[derive(Debug)]
pub(crate) enum Lists {
    /// From what is known of the user.
    Personal {
        affordable: Vec<Recommended>,
        preferred: Vec<Recommended>,
        together: Vec<Recommended>,
        popular: Vec<Recommended>,
    },
    /// History cannot be read, or is behind: what the mall calls hot, for everybody.
    Hot(Vec<Recommended>),
}

impl Mall {
    /// Whether history shows everything as of this call, or does so in a moment.
    pub(crate) async fn is_history_near(&self) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.engine().catch_up()).await, Ok(Ok(())))
    }

    /// What a user may like who can spend so much. Blocks on the disk, unless `is_near` says that history is not to be read.
    ///
    /// # Errors
    /// What the engine reports of the user's points and of stock.
    pub(crate) fn recommend(
        &self,
        user: &User,
        balance: i64,
        wanting: Wanting,
        is_near: bool,
    ) -> Result<Recommendations, Failure> {
        let shelf = self.shelf();
        self.refresh_sales(&shelf)?;
        let points = u64::try_from(balance).unwrap_or(0);
        let reach = points.saturating_add(wanting.expected_points).min(QUANTITY_MAX);
        let mall_level = self.terms(user, &shelf).level()?;
        let taste = if is_near { self.taste(user, &shelf) } else { None };
        let assigned = self.shared.trials.of(user);
        let weights = Weights::of(assigned.strategy(Subject::Weights));
        let picker = Picker { mall: self, user, shelf: &shelf, points, reach, wanting, weights };
        // What everybody is shown for want of history no variant has decided on.
        let (lists, subjects) = match taste {
            Some(_) if assigned.strategy(Subject::Lists) == Some(Strategy::Hot) => {
                (Lists::Hot(picker.hot()?), &[Subject::Lists][..])
            }
            Some(taste) => {
                let lists = Lists::Personal {
                    affordable: picker.affordable(&taste)?,
                    preferred: picker.preferred(&taste)?,
                    together: picker.together(&taste)?,
                    popular: picker.popular()?,
                };
                (lists, &[Subject::Lists, Subject::Weights][..])
            }
            None => (Lists::Hot(picker.hot()?), &[][..]),
        };
        let decided = assigned.decided(subjects, self.now_ms());
        Ok(Recommendations { balance, reach, mall_level, lists, decided })
    }

    /// `None` when history cannot be read: then the sale goes on, and so does the shelf.
    fn taste(&self, user: &User, shelf: &Shelf) -> Option<Taste> {
        let said = self.preferences(user).map(|kept| kept.content).unwrap_or_else(|error| {
            tracing::warn!(%error, "what a user says that it likes is left out");
            Preferences::default()
        });
        match Taste::read(self, user, shelf, said) {
            Ok(taste) => Some(taste),
            Err(error) => {
                tracing::warn!(%error, "history cannot be read: what is hot is recommended");
                None
            }
        }
    }
}
