//! The keys of the store: 13 bytes, `prefix u8 | number u32 | rest u64`, big-endian, so that their
//! order as bytes is their order as numbers. In memory a key is one integer.

use std::fmt;

use crate::base::{AccountId, ReservationId, Seq};

const META: u8 = b'm';
const QUOTAS: u8 = b'q';
const RESERVATION: u8 = b'r';
const OWNER: u8 = b'o';
const CHANGE: u8 = b'c';

/// The key of one row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(u128);

/// The keys from `first` to `last`, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRange {
    pub(super) first: Key,
    pub(super) last: Key,
}

impl KeyRange {
    pub(super) fn everything() -> Self {
        Self { first: Key(0), last: Key(u128::MAX >> (128 - 8 * Key::BYTES)) }
    }
}

impl Key {
    pub(super) const BYTES: usize = 13;

    fn new(prefix: u8, number: u32, rest: u64) -> Self {
        Self(u128::from(prefix) << 96 | u128::from(number) << 64 | u128::from(rest))
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
        Self::newest_before(OWNER, owner, before.map(ReservationId::number))
    }

    /// The change of an account by the event `seq`; the newest comes first.
    pub(super) fn change(account: AccountId, seq: Seq) -> Self {
        Self::new(CHANGE, account.number(), !seq)
    }

    /// The changes of `account` below `before`, newest first.
    pub(super) fn changes_before(account: AccountId, before: Option<Seq>) -> Option<KeyRange> {
        Self::newest_before(CHANGE, account, before)
    }

    /// `None` when nothing can be below `before`.
    fn newest_before(prefix: u8, account: AccountId, before: Option<u64>) -> Option<KeyRange> {
        let first = match before {
            None => 0,
            Some(before) => !before.checked_sub(1)?,
        };
        let number = account.number();
        Some(KeyRange {
            first: Self::new(prefix, number, first),
            last: Self::new(prefix, number, u64::MAX),
        })
    }

    fn prefix(self) -> u8 {
        (self.0 >> 96) as u8
    }

    #[cfg(feature = "audit")]
    pub(super) fn is_owner(self) -> bool {
        self.prefix() == OWNER
    }

    #[cfg(feature = "audit")]
    pub(super) fn is_change(self) -> bool {
        self.prefix() == CHANGE
    }

    /// The reservation, when it is the key of one.
    pub(super) fn as_reservation(self) -> Option<ReservationId> {
        (self.prefix() == RESERVATION).then(|| ReservationId::from_number(self.rest()))
    }

    fn rest(self) -> u64 {
        self.0 as u64
    }

    /// Of a page of quota accounts: which page.
    pub(super) fn page(self) -> u32 {
        (self.0 >> 64) as u32
    }

    /// Of an index entry: the reservation.
    pub(super) fn indexed_reservation(self) -> ReservationId {
        ReservationId::from_number(!self.rest())
    }

    /// Of a change: the account.
    pub(super) fn account(self) -> AccountId {
        AccountId::from_number((self.0 >> 64) as u32)
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&self.0.to_be_bytes()[16 - Self::BYTES..]);
        bytes
    }

    /// `None` when the bytes are not a key that we wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let known = [META, QUOTAS, RESERVATION, OWNER, CHANGE].contains(&bytes[0]);
        known.then(|| Self(bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))))
    }
}

/// As `c/7/18446744073709551611`: the prefix and the two numbers as they are stored.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", char::from(self.prefix()), (self.0 >> 64) as u32, self.rest())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}
