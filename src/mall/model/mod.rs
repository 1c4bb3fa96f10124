//! What the mall speaks of: its things, and its own words and numbers, each in one table.

mod category;
mod change;
mod order_id;
mod product;
mod status;

pub(crate) use category::CATEGORIES;
pub use category::Category;
pub(crate) use change::change_type;
#[cfg(feature = "mysql")]
pub(crate) use change::{PointsSource, points_source};
#[cfg(feature = "bin")]
pub(crate) use order_id::ORDER_NO_PREFIX;
pub(crate) use order_id::{order_id, order_no, parse_order_id};
pub(crate) use product::PRODUCTS;
pub use product::{Period, Product, PurchaseLimit};
pub(crate) use status::{OrderStatus, Wish};
