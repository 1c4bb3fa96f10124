//! The rules of an account.

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::{QUANTITY_MAX, TTL_MS_MAX};

/// When units of a quota come back after they were consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Window {
    /// Never: stock, points, and quotas for a lifetime.
    #[default]
    Never,
    /// All at once, at every multiple of `length_ms` past `offset_ms` (of Unix time).
    Fixed {
        /// The window's length in milliseconds, at least 1.
        length_ms: u64,
        /// Where windows start, in milliseconds after the epoch: 57,600,000 is midnight in UTC+8.
        offset_ms: u64,
    },
    /// Each `length_ms` after it was consumed.
    Rolling {
        /// The window's length in milliseconds, at least 1.
        length_ms: u64,
    },
    /// At once: the quota caps what is reserved at one time, not what is consumed.
    Outstanding,
}

/// The rules of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    /// How many units may be taken beyond what is there. 0, the default, never oversells.
    pub backorder: u64,
    /// For quotas: how many units a window has. They count as received when the account is opened.
    pub limit: u64,
    /// For quotas: when consumed units come back.
    pub window: Window,
}

impl Policy {
    /// Strict: what is not there cannot be taken.
    pub fn strict() -> Self {
        Self::default()
    }

    /// A named allowance: up to `units` may be taken before they are received.
    pub fn backorder(units: u64) -> Self {
        Self { backorder: units, ..Self::default() }
    }

    /// A quota of `limit` units in each window.
    pub fn quota(limit: u64, window: Window) -> Self {
        Self { limit, window, ..Self::default() }
    }

    /// # Errors
    /// `Invalid` when a number is out of bounds.
    pub(crate) fn check(&self) -> Result<()> {
        const WINDOW_MS_MAX: u64 = 10 * TTL_MS_MAX;
        if self.limit > QUANTITY_MAX || self.backorder > QUANTITY_MAX {
            return Err(Error::invalid(format!(
                "a limit or a backorder allowance is at most {QUANTITY_MAX} units"
            )));
        }
        match self.window {
            Window::Fixed { length_ms, .. } | Window::Rolling { length_ms }
                if !(1..=WINDOW_MS_MAX).contains(&length_ms) =>
            {
                Err(Error::invalid(format!("a window is 1 to {WINDOW_MS_MAX} milliseconds long")))
            }
            _ => Ok(()),
        }
    }
}
