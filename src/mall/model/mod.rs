//! What the mall speaks of: its things, and its own words and numbers, each in one table.

mod beside;
mod category;
mod change;
mod document;
mod level;
mod limit;
mod order_id;
mod product;
mod record_id;
mod rule;
mod source;
mod status;

pub(crate) use beside::{MOVED, NOT_EARNED};
pub use category::Category;
pub(crate) use category::{CATEGORIES, CATEGORIES_MAX, LEVEL_MAX};
pub(crate) use change::change_type;
pub(crate) use document::Document;
#[cfg_attr(not(feature = "mysql"), allow(unused_imports, reason = "the mirror shows more"))]
pub(crate) use level::LEVEL_NUMBER_MAX;
pub use level::{ByLevel, LevelTerms};
pub(crate) use level::{LEVELS, LEVELS_ID, LEVELS_MAX, MallLevel, MallLevels};
pub use limit::{Period, PurchaseLimit};
pub(crate) use order_id::{ORDER_NO_DIGITS, ORDER_NO_PREFIX, order_id, order_no, parse_order_id};
pub use product::Product;
#[cfg(test)]
pub(crate) use product::RESERVED_IDS;
pub(crate) use product::{FREE_ORDERS, PRODUCTS};
pub(crate) use record_id::RecordPlace;
pub(crate) use rule::{Violation, id as check_id, member};
pub(crate) use source::{Moving, PointsSource};
pub(crate) use status::{OrderStatus, Wish};
