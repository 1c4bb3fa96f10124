//! How much memory tables take at most, from how much is in them. What a table takes while it moves
//! what it holds into a larger place is not counted: that is for a moment, one shard after another.

/// What an allocation costs beside its content.
pub(crate) const ALLOCATION_BYTES: u64 = 16;

/// Sizes are added and multiplied without overflow: what cannot be counted is as much as there is.
pub(crate) const fn times(count: u64, bytes: u64) -> u64 {
    count.saturating_mul(bytes)
}

/// A vector that grew to `count` items by doubling.
pub(crate) fn vec_bytes<T>(count: u64) -> u64 {
    times(2 * size_of::<T>() as u64, count.max(4)).saturating_add(ALLOCATION_BYTES)
}

/// A node of a B-tree without children.
const fn leaf_bytes<K, V>() -> u64 {
    11 * (size_of::<K>() + size_of::<V>()) as u64 + 16 + ALLOCATION_BYTES
}

/// An entry of a B-tree, whose nodes have room for eleven and hold five or more.
pub(crate) const fn tree_entry_bytes<K, V>() -> u64 {
    let leaf = leaf_bytes::<K, V>();
    // Five nodes or more have one above them, which has twelve pointers besides.
    let share_of_inner = (leaf + 12 * 8).div_ceil(5);
    (leaf + share_of_inner).div_ceil(5)
}

/// A B-tree of `count` entries.
pub(crate) fn tree_bytes<K, V>(count: u64) -> u64 {
    times(count, tree_entry_bytes::<K, V>()).saturating_add(leaf_bytes::<K, V>())
}

/// A hash table of `count` items and its control bytes. Seven eighths of its places are used at
/// most; what was removed may have made it twice as large.
pub(crate) fn hash_table_bytes<T>(count: u64) -> u64 {
    let places = count.saturating_mul(8) / 7 + 8;
    let places = places.checked_next_power_of_two().unwrap_or(u64::MAX);
    times(places, 2 * (size_of::<T>() as u64 + 1)).saturating_add(32 + ALLOCATION_BYTES)
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;

    #[test]
    fn tables_that_grow_and_shrink_stay_within_their_size() {
        let mut list: Vec<u64> = Vec::new();
        let mut table: hashbrown::HashTable<u32> = hashbrown::HashTable::new();
        let hash = |item: &u32| u64::from(*item).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for count in 1..=5_000_u32 {
            list.push(0);
            assert!((list.capacity() * 8) as u64 <= vec_bytes::<u64>(count.into()), "{count}");
            table.insert_unique(hash(&count), count, hash);
            let bytes = table.allocation_size() as u64;
            assert!(bytes <= hash_table_bytes::<u32>(count.into()), "{count} items take {bytes}");
        }
        // Places that were left are reused or make it grow, and never beyond twice.
        for count in 5_001..=200_000_u32 {
            let old = count - 5_000;
            table.find_entry(hash(&old), |item| *item == old).expect("it is there").remove();
            table.insert_unique(hash(&count), count, hash);
            assert!(table.allocation_size() as u64 <= hash_table_bytes::<u32>(5_000), "{count}");
        }
    }

    #[test]
    fn what_cannot_be_counted_is_as_much_as_there_is() {
        assert_eq!(times(u64::MAX, 2), u64::MAX);
        assert!(hash_table_bytes::<u64>(u64::MAX) >= u64::MAX / 2);
    }
}
