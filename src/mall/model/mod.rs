//! What the mall speaks of: its own words and numbers, each in one table.

mod change;

pub(crate) use change::change_type;
#[cfg(feature = "mysql")]
pub(crate) use change::{PointsSource, points_source};
