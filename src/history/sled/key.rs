//! The keys of the store: 13 bytes, `prefix u8 | number u32 | rest u64`, and two more, `later u16`,
//! where that is not 0; big-endian, so that their order as bytes is their order as numbers. In memory
//! a key is one integer.

use std::fmt;

use smallvec::SmallVec;

use crate::base::{AccountId, ReservationId, Seq};
use crate::history::record::Course;

const META: u8 = b'm';
const QUOTAS: u8 = b'q';
const RESERVATION: u8 = b'r';
const OWNER: u8 = b'o';
const CHANGE: u8 = b'c';
const EVENT: u8 = b'e';

/// A key as sled has it.
pub(super) type KeyBytes = SmallVec<[u8; 16]>;

/// The key of one row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(u128);

/// The keys from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyRange {
    pub(super) first: Key,
    pub(super) last: Key,
}

impl KeyRange {
    pub(super) fn everything() -> Self {
        Self { first: Key::LEAST, last: Key::GREATEST }
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.first <= key && key <= self.last
    }
}

impl Key {
    const BYTES: usize = 13;
    pub(super) const BYTES_MAX: usize = 15;

    /// No row has a key below it; what is not a row has.
    pub(super) const LEAST: Self = Self((CHANGE as u128) << 112);
    /// No row has a key above it.
    pub(super) const GREATEST: Self = Self(u128::MAX >> (128 - 8 * Self::BYTES_MAX));

    fn new(prefix: u8, number: u32, rest: u64) -> Self {
        Self::with_later(prefix, number, rest, 0)
    }

    fn with_later(prefix: u8, number: u32, rest: u64, later: u16) -> Self {
        let whole = u128::from(prefix) << 96 | u128::from(number) << 64 | u128::from(rest);
        Self(whole << 16 | u128::from(later))
    }

    /// The one row that says what the store is and how far it has come.
    pub(super) fn meta() -> Self {
        Self::new(META, 0, 0)
    }

    /// A page of the set of quota accounts.
    pub(super) fn quotas(page: u32) -> Self {
        Self::new(QUOTAS, page, 0)
    }

    pub(super) fn all_quotas() -> KeyRange {
        KeyRange { first: Self::quotas(0), last: Self::quotas(u32::MAX) }
    }

    pub(super) fn reservation(reservation: ReservationId) -> Self {
        Self::new(RESERVATION, 0, reservation.number())
    }

    /// The reservations below `before`; `None` when nothing can be below it.
    pub(super) fn reservations_before(before: Option<ReservationId>) -> Option<KeyRange> {
        let last = match before {
            None => u64::MAX,
            Some(before) => before.number().checked_sub(1)?,
        };
        let last = Self::reservation(ReservationId::from_number(last));
        Some(KeyRange { first: Self::reservation(ReservationId::from_number(0)), last })
    }

    /// The entry of a reservation in the index of its owner. The number is inverted so that the
    /// newest comes first.
    pub(super) fn owner(owner: AccountId, reservation: ReservationId) -> Self {
        Self::new(OWNER, owner.number(), !reservation.number())
    }

    /// The entries of `owner` below `before`, newest first.
    pub(super) fn owner_before(
        owner: AccountId,
        before: Option<ReservationId>,
    ) -> Option<KeyRange> {
        Self::newest_before(OWNER, owner.number(), before.map(ReservationId::number))
    }

    /// A change of an account by the event `seq`; the newest comes first. `later` is how many changes
    /// of it the same event made after this one.
    pub(super) fn change(account: AccountId, seq: Seq, later: u16) -> Self {
        Self::with_later(CHANGE, account.number(), !seq, later)
    }

    /// Every change of an account by the event `seq`.
    pub(super) fn changes_by(account: AccountId, seq: Seq) -> KeyRange {
        KeyRange {
            first: Self::change(account, seq, 0),
            last: Self::change(account, seq, u16::MAX),
        }
    }

    /// The changes of `account` below `before`, newest first.
    pub(super) fn changes_before(account: AccountId, before: Option<Seq>) -> Option<KeyRange> {
        Self::newest_before(CHANGE, account.number(), before)
    }

    /// The entry of an event in the index of those that changed accounts in this way; the newest
    /// comes first.
    pub(super) fn event(course: Course, seq: Seq) -> Self {
        Self::new(EVENT, course.number(), !seq)
    }

    /// The entries of events below `before`, newest first.
    pub(super) fn events_before(course: Course, before: Option<Seq>) -> Option<KeyRange> {
        Self::newest_before(EVENT, course.number(), before)
    }

    /// `None` when nothing can be below `before`.
    fn newest_before(prefix: u8, number: u32, before: Option<u64>) -> Option<KeyRange> {
        let first = match before {
            None => 0,
            Some(before) => !before.checked_sub(1)?,
        };
        Some(KeyRange {
            first: Self::new(prefix, number, first),
            last: Self::with_later(prefix, number, u64::MAX, u16::MAX),
        })
    }

    /// Whether the other is a key of the same kind of rows.
    pub(super) fn is_of_kind(self, other: Self) -> bool {
        self.prefix() == other.prefix()
    }

    fn prefix(self) -> u8 {
        (self.0 >> 112) as u8
    }

    fn number(self) -> u32 {
        (self.0 >> 80) as u32
    }

    fn later(self) -> u16 {
        self.0 as u16
    }

    #[cfg(feature = "audit")]
    pub(super) fn is_owner(self) -> bool {
        self.prefix() == OWNER
    }

    #[cfg(feature = "audit")]
    pub(super) fn is_change(self) -> bool {
        self.prefix() == CHANGE
    }

    #[cfg(feature = "audit")]
    pub(super) fn is_event(self) -> bool {
        self.prefix() == EVENT
    }

    /// The reservation, when it is the key of one.
    pub(super) fn as_reservation(self) -> Option<ReservationId> {
        (self.prefix() == RESERVATION).then(|| ReservationId::from_number(self.rest()))
    }

    fn rest(self) -> u64 {
        (self.0 >> 16) as u64
    }

    /// Of a page of quota accounts: which page.
    pub(super) fn page(self) -> u32 {
        self.number()
    }

    /// Of an index entry: the reservation.
    pub(super) fn indexed_reservation(self) -> ReservationId {
        ReservationId::from_number(!self.rest())
    }

    /// Of a change: the account.
    pub(super) fn account(self) -> AccountId {
        AccountId::from_number(self.number())
    }

    /// Of a change, and of an entry of an event: the event.
    pub(super) fn changed_by(self) -> Seq {
        !self.rest()
    }

    pub(super) fn to_bytes(self) -> KeyBytes {
        let bytes = self.0.to_be_bytes();
        let whole = &bytes[bytes.len() - Self::BYTES_MAX..];
        KeyBytes::from_slice(if self.later() == 0 { &whole[..Self::BYTES] } else { whole })
    }

    /// The key in bytes of one length, in the same order.
    pub(super) fn to_fixed(self) -> [u8; Self::BYTES_MAX] {
        let bytes = self.0.to_be_bytes();
        bytes.last_chunk().copied().unwrap_or_default()
    }

    /// `None` when the bytes are not a key that we wrote.
    pub(super) fn from_fixed(bytes: [u8; Self::BYTES_MAX]) -> Option<Self> {
        let key = Self(bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)));
        key.is_known().then_some(key)
    }

    fn is_known(self) -> bool {
        let prefix = self.prefix();
        [META, QUOTAS, RESERVATION, OWNER, CHANGE, EVENT].contains(&prefix)
            && (self.later() == 0 || prefix == CHANGE)
    }

    /// `None` when the bytes are not a key that we wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (whole, later) = bytes.split_first_chunk::<{ Self::BYTES }>()?;
        let number = whole.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        let later = match later {
            [] => 0,
            later => u16::from_be_bytes(later.try_into().ok()?),
        };
        let key = Self(number << 16 | u128::from(later));
        // There is one way to write each.
        (key.is_known() && key.to_bytes()[..] == *bytes).then_some(key)
    }
}

/// As `c/7/18446744073709551611`: the prefix and the numbers as they are stored.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", char::from(self.prefix()), self.number(), self.rest())?;
        match self.later() {
            0 => Ok(()),
            later => write!(f, "/{later}"),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch rows of earlier releases under other keys, and an order on disk that is not the
    /// one in memory.
    #[test]
    fn keys_are_what_they_were_and_those_of_one_event_stand_together() {
        let account = AccountId::from_number(7);
        let plain = Key::change(account, 5, 0);
        assert_eq!(&plain.to_bytes()[..], b"c\x00\x00\x00\x07\xff\xff\xff\xff\xff\xff\xff\xfa");
        let mut keys: Vec<Key> = Vec::new();
        for seq in [6, 5, 4] {
            keys.extend([0, 1, 2, 320].map(|later| Key::change(account, seq, later)));
        }
        let mut bytes: Vec<KeyBytes> = keys.iter().map(|key| key.to_bytes()).collect();
        bytes.sort();
        let read: Option<Vec<Key>> = bytes.iter().map(|bytes| Key::from_bytes(bytes)).collect();
        assert_eq!(read.as_deref(), Some(&keys[..]), "the newest first, as in memory");
        keys.sort();
        assert_eq!(read.as_deref(), Some(&keys[..]));
        let before = Key::changes_before(account, Some(6)).expect("there may be some");
        assert!(before.first <= keys[4] && keys[3] < before.first && keys[11] <= before.last);
        let by = Key::changes_by(account, 5);
        assert!(keys[3] < by.first && by.first == keys[4] && keys[7] <= by.last);
        assert!(by.last < keys[8]);
        let again = [&plain.to_bytes()[..], &[0, 0]].concat();
        for bytes in
            [&again[..], &plain.to_bytes()[..12], b"r\x00\x00\x00\x00\0\0\0\0\0\0\0\x01\0\x01"]
        {
            assert_eq!(Key::from_bytes(bytes), None, "{bytes:?}");
        }
    }
}
