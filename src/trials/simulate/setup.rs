//! What a run begins with: its accounts, and how its engine is set up.

use crate::base::TimeMs;
use crate::event::{Policy, Window};
use crate::trials::oracle::{Bounds, Terms};
use crate::vfs::crash::Chance;

/// An account by its place in [`accounts`].
pub(super) type AccountIndex = usize;

pub(super) const PRODUCTS: usize = 3;
pub(super) const USERS: usize = 3;
pub(super) const FOLLOWERS: usize = 3;

/// When the points end that a user may have besides: one lot while a run lasts, one long after it.
pub(super) const LOTS: [&str; 2] = ["1970-01-01T00:16:42Z", "1970-01-02T00:00:00Z"];

/// The accounts of a run: products, and for each user points, a quota of each product, and a cap on
/// what is outstanding. Points that end do so within a second of the start. Those that a user may
/// have besides come last.
pub(super) fn accounts(points_end: bool) -> Vec<(String, Policy)> {
    let mut accounts = vec![
        ("stock/tea".to_owned(), Policy::strict()),
        ("stock/cup".to_owned(), Policy::backorder(3)),
        ("stock/pot".to_owned(), Policy::strict()),
    ];
    let quotas = [
        Policy::quota(5, Window::Rolling { length_ms: 400 }),
        Policy::quota(4, Window::Fixed { length_ms: 300, offset_ms: 47 }),
        Policy::quota(9, Window::Never),
    ];
    for user in ["ann", "bob", "cem"] {
        let until = if points_end { "/1970-01-01T00:16:41Z" } else { "" };
        accounts.push((format!("points/{user}{until}"), Policy::strict()));
        for (product, quota) in ["tea", "cup", "pot"].into_iter().zip(quotas) {
            accounts.push((format!("quota/{user}/{product}"), quota));
        }
        accounts.push((format!("quota/{user}"), Policy::quota(6, Window::Outstanding)));
    }
    for user in ["ann", "bob", "cem"] {
        let lots = LOTS.map(|until| (format!("points/{user}/{until}"), Policy::strict()));
        accounts.extend(lots);
    }
    accounts
}

pub(super) fn points_of(user: usize) -> AccountIndex {
    PRODUCTS + user * (PRODUCTS + 2)
}

pub(super) fn quota_of(user: usize, product: usize) -> AccountIndex {
    points_of(user) + 1 + product
}

pub(super) fn cap_of(user: usize) -> AccountIndex {
    points_of(user) + 1 + PRODUCTS
}

/// Points that the user has besides.
pub(super) fn lot_of(user: usize, lot: usize) -> AccountIndex {
    points_of(USERS) + user * LOTS.len() + lot
}

/// How the engine of a run is set up.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) start_ms: TimeMs,
    pub(super) segment_bytes: u64,
    pub(super) queue_bytes_max: usize,
    pub(super) archive_bytes_max: Option<u64>,
    pub(super) window_ms: u64,
    pub(super) keys_per_owner: usize,
    pub(super) reservations_per_shard_max: usize,
    /// Whether points are good until a moment.
    pub(super) points_end: bool,
}

impl Setup {
    pub(super) fn terms(&self) -> Terms {
        let bounds = Bounds {
            reservations_per_shard_max: self.reservations_per_shard_max,
            keys_per_owner: self.keys_per_owner,
        };
        Terms { window_ms: self.window_ms, bounds }
    }
}

impl Setup {
    pub(super) fn new(chance: &mut Chance) -> Self {
        let start_ms = 1_000_000 + chance.below(1_000) as u64;
        let segment_bytes = [128 << 10, 128 << 10, 132 << 10, 256 << 10][chance.below(4)];
        let queue_bytes_max = [64 << 20, 64 << 20, 16 << 10][chance.below(3)];
        let archive_bytes_max = [None, Some(12 << 10), Some(1 << 20)][chance.below(3)];
        let (window_ms, keys_per_owner) =
            [(200, 1 << 20), (1_000, 6), (1 << 32, 1 << 20)][chance.below(3)];
        let reservations_per_shard_max = [3, 1 << 20, 1 << 20][chance.below(3)];
        Self {
            start_ms,
            segment_bytes,
            queue_bytes_max,
            archive_bytes_max,
            window_ms,
            keys_per_owner,
            reservations_per_shard_max,
            points_end: false,
        }
    }
}
