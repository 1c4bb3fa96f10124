//! What the ledger's tables take at most under given limits, from the sizes of what they hold.

use std::collections::BTreeMap;

use crossbeam_utils::CachePadded;

use super::account::Account;
use super::documents::NAME_BYTES_MAX;
use super::ended::Ended;
use super::gauge::Gauge;
use super::idempotency::{KeyRecord, KeySpace, busiest_shard};
use super::queue::{Queue, SERVED_MAX, Waiting};
use super::reservations::Reservation;
use super::shard::Shard;
use super::uses::{USES_MAX, Use, Uses};
use super::wheel::Wheel;
use super::{Limits, Line};
use crate::base::chunks::Chunks;
use crate::base::sizes::{ALLOCATION_BYTES, hash_table_bytes, times, tree_bytes, vec_bytes};
use crate::base::sync::Mutex;
use crate::base::{AccountKey, BODY_BYTES_MAX, LINES_MAX, PLACE_BYTES_MAX, SHARD_COUNT, TimeMs};

const SHARDS: u64 = SHARD_COUNT as u64;

/// A key beside the structure that points to it.
const KEY_BYTES: u64 = AccountKey::BYTES_MAX as u64 + ALLOCATION_BYTES;

/// What the directory of names takes for each: papaya allocates each entry, and has up to eight
/// places of nine bytes for it while it grows.
const DIRECTORY_ENTRY_BYTES: u64 = 8 * 9 + 40 + ALLOCATION_BYTES;

/// What a gauge takes in its boxcar: buckets double, and the next one is made before it is needed.
const GAUGE_BYTES: u64 = 4 * (size_of::<Gauge>() as u64 + 8);
/// Its first two buckets.
const GAUGES_MIN: u64 = 32;

/// The largest that each table gets, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableBytes {
    pub(crate) accounts: u64,
    /// When quotas and what has a window were used.
    pub(crate) uses: u64,
    pub(crate) reservations: u64,
    /// Records of keyed requests.
    pub(crate) keys: u64,
    pub(crate) documents: u64,
    /// Places in lines.
    pub(crate) places: u64,
}

impl Limits {
    pub(crate) fn bytes_max(&self) -> TableBytes {
        let of = |count: usize| count as u64;
        TableBytes {
            accounts: times(SHARDS, accounts(of(self.accounts_per_shard_max))),
            uses: times(SHARDS, uses(of(self.accounts_per_shard_max))),
            reservations: times(SHARDS, reservations(of(self.reservations_per_shard_max))),
            keys: keys(of(self.keys.records_max)),
            documents: documents(of(self.documents_max)),
            places: times(SHARDS, places(of(self.places_per_shard_max))),
        }
    }
}

/// Of one shard.
fn accounts(count: u64) -> u64 {
    let shard = size_of::<CachePadded<Mutex<Shard>>>() as u64;
    let lapses = size_of::<BTreeMap<TimeMs, u32>>() as u64 + ALLOCATION_BYTES;
    let each = 2 * KEY_BYTES + DIRECTORY_ENTRY_BYTES + lapses;
    shard
        .saturating_add(vec_bytes::<Account>(count))
        .saturating_add(times(count.saturating_add(GAUGES_MIN), GAUGE_BYTES))
        .saturating_add(times(count, each))
}

/// Of one shard.
fn uses(count: u64) -> u64 {
    let each = (USES_MAX as u64 + 1).next_power_of_two() * size_of::<Use>() as u64;
    times(count, size_of::<Uses>() as u64 + each + 2 * ALLOCATION_BYTES)
}

/// Of one shard. Each has as many lines as there may be, and each line a deadline of its own in the
/// account that it takes from.
fn reservations(count: u64) -> u64 {
    let lines = (LINES_MAX * size_of::<Line>()) as u64 + ALLOCATION_BYTES;
    Chunks::<Option<Reservation>>::bytes_for(count)
        .saturating_add(Wheel::bytes_for(count))
        .saturating_add(vec_bytes::<u32>(count))
        .saturating_add(hash_table_bytes::<u32>(count))
        .saturating_add(times(count, lines))
        .saturating_add(tree_bytes::<TimeMs, u32>(times(count, LINES_MAX as u64)))
        .saturating_add(Ended::bytes_max())
}

/// By how many records a full window may be exceeded: by those of callers who found the last room at
/// the same moment, and by those that came while some shard had old ones and had not had its turn.
const RECORDS_BEYOND: u64 = 2048;

/// Of all shards.
fn keys(count: u64) -> u64 {
    let count = count.saturating_add(RECORDS_BEYOND);
    let here = busiest_shard(count);
    let of_shard = vec_bytes::<KeyRecord>(here)
        .saturating_add(vec_bytes::<u32>(here))
        .saturating_add(hash_table_bytes::<u32>(here))
        .saturating_add(tree_bytes::<(TimeMs, u32), ()>(here));
    times(SHARDS, of_shard).saturating_add(KeySpace::bytes_for(count))
}

/// Of one shard. Each may be the only one in its line.
fn places(count: u64) -> u64 {
    let served = (SERVED_MAX.next_power_of_two() * size_of::<TimeMs>()) as u64;
    let line = size_of::<Queue>() as u64 + served + 3 * ALLOCATION_BYTES;
    // What is alone has room for three more.
    let place = 4 * size_of::<Waiting>() as u64 + PLACE_BYTES_MAX as u64 + ALLOCATION_BYTES;
    times(count, line + place)
}

fn documents(count: u64) -> u64 {
    let texts = (BODY_BYTES_MAX + 2 * NAME_BYTES_MAX) as u64 + 3 * ALLOCATION_BYTES;
    times(count, texts).saturating_add(tree_bytes::<(String, String), Vec<u8>>(count))
}

#[cfg(test)]
impl super::Ledger {
    /// What the tables take now, as far as they tell.
    pub(super) fn table_bytes(&self) -> TableBytes {
        let mut bytes = TableBytes {
            accounts: 0,
            uses: 0,
            reservations: 0,
            keys: self.key_space.bytes(),
            documents: self.documents.lock().bytes(),
            places: 0,
        };
        for (shard, gauges) in self.shards.iter().zip(&self.gauges) {
            let shard = shard.lock();
            let keys = shard.accounts.iter().map(|account| account.key.as_str().len() as u64);
            bytes.accounts += size_of::<CachePadded<Mutex<Shard>>>() as u64
                + (shard.accounts.capacity() * size_of::<Account>()) as u64
                // Each key is in the directory, too.
                + 2 * keys.sum::<u64>()
                + (gauges.count() * size_of::<Gauge>()) as u64;
            let deadlines = shard.accounts.iter().map(|account| account.lapses.iter().count());
            let deadlines = deadlines.sum::<usize>() * size_of::<(TimeMs, u32)>();
            bytes.reservations +=
                shard.reservations.bytes() + shard.wheel.bytes() + deadlines as u64;
            bytes.keys += shard.keys.bytes();
            let uses = shard.accounts.iter().filter_map(|account| account.uses.as_ref());
            bytes.uses += uses.map(|uses| uses.bytes()).sum::<u64>();
        }
        bytes
    }
}
