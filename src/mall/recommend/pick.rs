//! Which products of the shelf come first, and which of them the user can have at all.

use super::taste::{Taste, WHOLE};
use super::weights::Weights;
use super::{Recommended, Wanting, Why};
use crate::base::error::{ErrorKind, Result};
use crate::mall::catalogue::Row;
use crate::mall::rank::{Order, Ranked};
use crate::mall::{Eligible, Failure, Hindrance, Lack, Mall, Shelf, User, Wanted};

/// How many products are looked at, for each that is wanted, before it is given up that the user
/// can have them.
const LOOKED_AT: usize = 8;

/// What being a favourite adds: more than category, price and popularity together can.
const FAVOURITE: u64 = 4 * WHOLE;

/// For whom is picked, and from what.
pub(super) struct Picker<'a> {
    pub(super) mall: &'a Mall,
    pub(super) user: &'a User,
    pub(super) shelf: &'a Shelf,
    /// What the user can spend, and what it can soon.
    pub(super) points: u64,
    pub(super) reach: u64,
    pub(super) wanting: Wanting,
    /// What counts how much in what is affordable.
    pub(super) weights: Weights,
}

/// A product with what speaks for it.
struct Scored<'a> {
    score: u64,
    price: u64,
    ranked: Ranked<'a>,
}

type Picked = Result<Vec<Recommended>, Failure>;

impl<'a> Picker<'a> {
    /// What is within reach: what the user likes first, then what others do.
    pub(super) fn affordable(&self, taste: &Taste) -> Picked {
        let most = self.most_sold();
        let score = |row: &Row, price| {
            (price <= self.reach).then(|| {
                let shown = if row.is_hot { WHOLE / 10 } else { 0 };
                let shown = shown + if row.is_new { WHOLE / 20 } else { 0 };
                let weights = self.weights;
                weights.liking * self.liking(taste, row)
                    + weights.saving * taste.of_saving(price, self.reach)
                    + weights.price * taste.of_price(price)
                    + weights.popularity * popularity(row, most)
                    + weights.shown * shown
            })
        };
        self.pick(
            score,
            |_, price| {
                if price <= self.points { Why::Affordable } else { Why::SoonAffordable }
            },
        )
    }

    /// What the user has marked, and what is of the categories that it likes, whatever it costs.
    pub(super) fn preferred(&self, taste: &Taste) -> Picked {
        let most = self.most_sold();
        let score = |row: &Row, price| {
            let liked = self.liking(taste, row);
            (liked > 0).then(|| {
                let cheap = 2 * taste.of_saving(price, self.reach);
                4 * liked + cheap + taste.of_price(price) + popularity(row, most) / 2
            })
        };
        self.pick(score, |row, _| {
            let id = &*row.item.product.category_id;
            let category = self.shelf.category(id);
            let name = category.map_or_else(String::new, |it| it.name.clone());
            if taste.has_favourite(&row.item.product.id) {
                Why::Favourite
            } else if taste.said_of(self.shelf, id).is_some() {
                Why::Preferred { name }
            } else if taste.taken_of(id) > 0 {
                Why::Category { name }
            } else {
                Why::Viewed { name }
            }
        })
    }

    /// How much the user likes a product: what it has marked goes before anything else.
    fn liking(&self, taste: &Taste, row: &Row) -> u64 {
        let category = taste.of_category(self.shelf, &row.item.product.category_id);
        let marked = if taste.has_favourite(&row.item.product.id) { FAVOURITE } else { 0 };
        category + marked
    }

    /// What others took with what the user took.
    pub(super) fn together(&self, taste: &Taste) -> Picked {
        let with = |row: &Row| taste.with_it.get(&*row.item.product.id);
        self.pick(
            |row, _| with(row).map(|with| with.times),
            |row, _| {
                let other = with(row).and_then(|with| self.shelf.any_item(&with.product));
                Why::Together { name: other.map_or_else(String::new, |it| it.product.name.clone()) }
            },
        )
    }

    /// What sells.
    pub(super) fn popular(&self) -> Picked {
        self.pick(
            |row, _| Some(row.sales()).filter(|sales| *sales > 0),
            |row, _| Why::Popular { sales: row.sales() },
        )
    }

    /// What the mall calls hot.
    pub(super) fn hot(&self) -> Picked {
        self.pick(|row, _| row.is_hot.then_some(0), |_, _| Why::Hot)
    }

    /// The products with the highest scores that the user can have.
    fn pick(
        &self,
        score: impl Fn(&Row, u64) -> Option<u64>,
        why: impl Fn(&Row, u64) -> Why,
    ) -> Picked {
        let terms = self.mall.terms(self.user, self.shelf);
        let mut scored = Vec::new();
        for row in self.shelf.rows().filter(|row| row.is_active) {
            let price = terms.price(&row.item.product)?;
            if let Some(score) = score(row, price) {
                scored.push(Scored { score, price, ranked: Ranked::new(Order::Shelf, row) });
            }
        }
        let compare = |a: &Scored<'a>, b: &Scored<'a>| {
            b.score.cmp(&a.score).then_with(|| a.ranked.compare(&b.ranked))
        };
        let looked_at = self.wanting.limit.saturating_mul(LOOKED_AT).max(1);
        if scored.len() > looked_at {
            scored.select_nth_unstable_by(looked_at, compare);
            scored.truncate(looked_at);
        }
        scored.sort_unstable_by(compare);
        let mut picked = Vec::new();
        for Scored { price, ranked: Ranked { row, .. }, .. } in scored {
            if picked.len() == self.wanting.limit {
                break;
            }
            if self.can_have(row)? {
                let level = self.mall.engine().level(row.stock)?;
                picked.push(Recommended { item: row.item.clone(), level, why: why(row, price) });
            }
        }
        Ok(picked)
    }

    /// Whether nothing but points keeps the user from having one.
    fn can_have(&self, row: &Row) -> Result<bool, Failure> {
        let wanted = Wanted { product_id: &row.item.product.id, quantity: 1 };
        match self.mall.eligibility_with(self.user, 0, Eligible::Product(wanted)) {
            Ok(found) => Ok(found
                .hindrances
                .iter()
                .all(|it| matches!(it, Hindrance::Short(Lack::Points, _)))),
            // It is removed from the catalogue at this moment.
            Err(Failure::ProductNotFound) => Ok(false),
            Err(Failure::Engine(error)) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn most_sold(&self) -> u64 {
        self.shelf.rows().map(Row::sales).max().unwrap_or(0)
    }
}

/// How much is sold of a product, beside the one that sells most.
fn popularity(row: &Row, most: u64) -> u64 {
    // As parts of what doubles: the tenth sale says more than the thousandth.
    let doublings = |sales: u64| u64::from((sales + 1).ilog2());
    (doublings(row.sales()) * WHOLE).checked_div(doublings(most)).unwrap_or(0)
}
