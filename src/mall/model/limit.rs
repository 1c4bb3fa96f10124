//! How many units of a product one user may take.

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::event::{Policy, Window};

/// How many units of a product one user may take in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseLimit {
    /// How many units.
    pub quantity: u64,
    /// In which period.
    #[serde(default)]
    pub period: Period,
}

/// The period of a [`PurchaseLimit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Period {
    /// For ever.
    #[default]
    Lifetime,
    /// From each purchase on.
    Rolling {
        /// How long, in milliseconds.
        length_ms: u64,
    },
    /// In calendar windows.
    Fixed {
        /// How long a window is, in milliseconds.
        length_ms: u64,
        /// Where windows start after the epoch, in milliseconds.
        #[serde(default)]
        offset_ms: u64,
    },
}

impl PurchaseLimit {
    pub(crate) fn check(self) -> Result<()> {
        match self.quantity {
            0 => Err(Error::invalid("a purchase limit is at least 1 unit")),
            _ => self.policy().check(),
        }
    }

    pub(crate) fn policy(self) -> Policy {
        let window = match self.period {
            Period::Lifetime => Window::Never,
            Period::Rolling { length_ms } => Window::Rolling { length_ms },
            Period::Fixed { length_ms, offset_ms } => Window::Fixed { length_ms, offset_ms },
        };
        Policy::quota(self.quantity, window)
    }
}
