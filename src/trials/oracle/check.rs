//! Saying why something does not hold.

use std::fmt::{Debug, Display};

/// What was checked, or why it does not hold.
pub type Checked<T = ()> = Result<T, String>;

/// Says why unless it holds.
///
/// # Errors
/// Why.
pub fn hold(holds: bool, why: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(why()) }
}

/// Says what is and what should be unless they are the same.
///
/// # Errors
/// Both, when they are not.
pub fn agree<T: PartialEq + Debug>(what: impl Display, is: &T, should: &T) -> Checked {
    hold(is == should, || format!("{what}: {is:?}, but it should be {should:?}"))
}
