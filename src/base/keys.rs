//! Names: of accounts, and of requests.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::{TimeMs, moment};

/// What an account counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AccountKind {
    /// Units of a product.
    Stock,
    /// Points of a user.
    Points,
    /// What a user may still take: of one product, or in all.
    Quota,
    /// Whatever an embedder counts under a name of its own; see [`AccountKey::custom`].
    Custom,
}

impl AccountKind {
    /// Whether history keeps what changes an account of this kind. It does for all but quotas,
    /// which follow from the reservations that used them.
    pub fn has_history(self) -> bool {
        match self {
            Self::Stock | Self::Points | Self::Custom => true,
            Self::Quota => false,
        }
    }
}

/// The name of an account: `stock/PRODUCT`, `stock/PRODUCT/LOCATION`, `points/USER`,
/// `points/USER/UNTIL`, `quota/USER/PRODUCT`, `quota/USER`, or `KIND/PART...` for a
/// [kind of your own](AccountKey::custom).
///
/// Each part is 1 to [`AccountKey::PART_BYTES_MAX`] bytes of ASCII letters, digits and `_ - . : @`.
///
/// ```
/// use stockhold::{AccountKey, AccountKind};
/// let key = AccountKey::quota("ann", "tea")?;
/// assert_eq!(key.to_string(), "quota/ann/tea");
/// assert_eq!(key.kind(), AccountKind::Quota);
/// assert!(AccountKey::stock("no/slash").is_err());
/// # Ok::<(), stockhold::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountKey(Box<str>);

const STOCK: &str = "stock";
const POINTS: &str = "points";
const QUOTA: &str = "quota";

impl AccountKey {
    /// The longest part of a key, in bytes.
    pub const PART_BYTES_MAX: usize = 64;

    /// The longest name of a kind of an embedder's own, in bytes.
    pub const KIND_BYTES_MAX: usize = 32;

    /// The most parts of a key of such a kind.
    pub const PARTS_MAX: usize = 4;

    /// The longest key, in bytes.
    pub const BYTES_MAX: usize =
        Self::KIND_BYTES_MAX + Self::PARTS_MAX * (1 + Self::PART_BYTES_MAX);

    /// The stock of a product.
    ///
    /// # Errors
    /// `Invalid` when the product's name is empty, too long or has a character that is not allowed.
    pub fn stock(product: &str) -> Result<Self> {
        Self::join(STOCK, &[product])
    }

    /// The units of a product at a location that nothing is sold from: `PRODUCT@LOCATION`. It lives in
    /// the shard of the product's stock, so that a transfer between them takes one lock.
    ///
    /// ```
    /// # use stockhold::AccountKey;
    /// let reserve = AccountKey::stock_at("tea", "north")?;
    /// assert_eq!(reserve.to_string(), "stock/tea/north");
    /// assert_eq!((reserve.owner(), reserve.location()), ("tea", Some("north")));
    /// assert_eq!(AccountKey::stock("tea")?.location(), None);
    /// # Ok::<(), stockhold::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`AccountKey::stock`], for either name.
    pub fn stock_at(product: &str, location: &str) -> Result<Self> {
        Self::join(STOCK, &[product, location])
    }

    /// The points of a user.
    ///
    /// # Errors
    /// As [`AccountKey::stock`].
    pub fn points(user: &str) -> Result<Self> {
        Self::join(POINTS, &[user])
    }

    /// Points of a user that are good until a moment, Unix time in milliseconds: from then on no
    /// reservation takes any. They are an account of their own, so what comes back returns to it.
    ///
    /// ```
    /// # use stockhold::AccountKey;
    /// let key = AccountKey::points_until("ann", 1_798_732_800_000)?;
    /// assert_eq!(key.as_str(), "points/ann/2026-12-31T16:00:00Z");
    /// assert_eq!(key.until(), Some(1_798_732_800_000));
    /// assert_eq!(AccountKey::points("ann")?.until(), None);
    /// # Ok::<(), stockhold::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`AccountKey::stock`], and `Invalid` when the moment is no whole second, or after the year
    /// 9999.
    pub fn points_until(user: &str, until: TimeMs) -> Result<Self> {
        match moment::write(until) {
            Some(until) => Self::join(POINTS, &[user, &until]),
            None => {
                Err(Error::invalid("points are good until a whole second before the year 10000"))
            }
        }
    }

    /// What a user may take of one product.
    ///
    /// # Errors
    /// As [`AccountKey::stock`].
    pub fn quota(user: &str, product: &str) -> Result<Self> {
        Self::join(QUOTA, &[user, product])
    }

    /// What a user may take or hold in all, whatever the product.
    ///
    /// # Errors
    /// As [`AccountKey::stock`].
    pub fn quota_of_user(user: &str) -> Result<Self> {
        Self::join(QUOTA, &[user])
    }

    /// Something that the library has no kind for: the seats of a hall, the beds of a night, a
    /// wallet in another currency. The key reads `KIND/PART/PART...`.
    ///
    /// What such a kind means is yours; to the ledger its accounts are like those of a stock:
    ///
    /// - They may have any [policy](crate::Policy). One without a window does not remember when its
    ///   units were consumed, as a quota does.
    /// - History keeps each of their changes.
    /// - The mirror, whose tables are those of a points mall, leaves them out.
    /// - Keys with the same first part live in one shard of the ledger, whatever their kind. Taking
    ///   several of them at once costs one lock, so put first what is taken together; and spread
    ///   over many first parts what many callers take at the same time.
    ///
    /// The kinds `stock`, `points` and `quota` keep their own meaning; the library will claim no
    /// further name.
    ///
    /// ```
    /// use stockhold::{AccountKey, AccountKind};
    /// let seat = AccountKey::custom("seat", &["hall-1", "12"])?;
    /// assert_eq!(seat.as_str(), "seat/hall-1/12");
    /// assert_eq!((seat.kind(), seat.kind_name()), (AccountKind::Custom, "seat"));
    /// assert_eq!(seat.parts().collect::<Vec<_>>(), ["hall-1", "12"]);
    /// assert!(AccountKey::custom("stock", &["tea"]).is_err());
    /// # Ok::<(), stockhold::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` when the kind is not 1 to [`AccountKey::KIND_BYTES_MAX`] of `a-z 0-9 -` beginning
    /// with a letter, or is one of the library's own; when there are not 1 to
    /// [`AccountKey::PARTS_MAX`] parts; and as [`AccountKey::stock`] for each of them.
    pub fn custom(kind: &str, parts: &[&str]) -> Result<Self> {
        check_kind(kind)?;
        if !(1..=Self::PARTS_MAX).contains(&parts.len()) {
            return Err(Error::invalid(format!(
                "a key of the kind {kind} has 1 to {} parts",
                Self::PARTS_MAX
            )));
        }
        Self::join(kind, parts)
    }

    fn join(kind: &str, parts: &[&str]) -> Result<Self> {
        let mut key =
            String::with_capacity(kind.len() + parts.iter().map(|p| p.len() + 1).sum::<usize>());
        key.push_str(kind);
        for part in parts {
            check_part(part)?;
            key.push('/');
            key.push_str(part);
        }
        Ok(Self(key.into()))
    }

    /// What the account counts.
    pub fn kind(&self) -> AccountKind {
        match self.kind_name() {
            STOCK => AccountKind::Stock,
            POINTS => AccountKind::Points,
            QUOTA => AccountKind::Quota,
            _ => AccountKind::Custom,
        }
    }

    /// The name of the kind: what comes before the first `/`.
    pub fn kind_name(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// What comes after the kind, one part after another.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }

    /// The first part: the product of a stock account, the user of points and quotas.
    pub fn owner(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    /// The product of a user's quota, where it has one.
    pub fn product(&self) -> Option<&str> {
        self.parts().nth(1).filter(|_| self.kind() == AccountKind::Quota)
    }

    /// Where the units of a stock account are, when it is not what is sold from.
    pub fn location(&self) -> Option<&str> {
        self.parts().nth(1).filter(|_| self.kind() == AccountKind::Stock)
    }

    /// Until when units of the account are good, Unix time in milliseconds: from then on no
    /// reservation takes any. `None` is for ever, as of all accounts but some of
    /// [points](AccountKey::points_until).
    pub fn until(&self) -> Option<TimeMs> {
        let (_, until) = self.0.strip_prefix(POINTS)?.strip_prefix('/')?.split_once('/')?;
        moment::read(until)
    }

    /// The whole key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_kind(kind: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let well_formed = kind.starts_with(|first: char| first.is_ascii_lowercase())
        && kind.len() <= AccountKey::KIND_BYTES_MAX
        && kind.bytes().all(allowed);
    if !well_formed || [STOCK, POINTS, QUOTA].contains(&kind) {
        return Err(Error::invalid(format!(
            "a kind of account of one's own is named by 1 to {} of the characters a-z 0-9 -, beginning with a letter, and \
             is none of {STOCK}, {POINTS} and {QUOTA}",
            AccountKey::KIND_BYTES_MAX
        )));
    }
    Ok(())
}

fn check_part(part: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:@".contains(&b);
    if part.is_empty() || part.len() > AccountKey::PART_BYTES_MAX || !part.bytes().all(allowed) {
        return Err(Error::invalid(format!(
            "a part of an account key must be 1 to {} of the characters A-Z a-z 0-9 _ - . : @",
            AccountKey::PART_BYTES_MAX
        )));
    }
    Ok(())
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for AccountKey {
    type Err = Error;

    fn from_str(key: &str) -> Result<Self> {
        let parts: Vec<&str> = key.split('/').collect();
        match parts[..] {
            [STOCK, product] => Self::stock(product),
            [STOCK, product, location] => Self::stock_at(product, location),
            [POINTS, user] => Self::points(user),
            [POINTS, user, until] => match moment::read(until) {
                Some(until) => Self::points_until(user, until),
                None => Err(Error::invalid(
                    "in points/USER/UNTIL the last is a moment such as 2026-12-31T16:00:00Z",
                )),
            },
            [QUOTA, user, product] => Self::quota(user, product),
            [QUOTA, user] => Self::quota_of_user(user),
            [STOCK | POINTS | QUOTA, ..] | [] | [_] => Err(Error::invalid(
                "an account key is stock/PRODUCT, stock/PRODUCT/LOCATION, points/USER, points/USER/UNTIL, \
                 quota/USER/PRODUCT, quota/USER, or KIND/PART/...",
            )),
            [kind, ref parts @ ..] => Self::custom(kind, parts),
        }
    }
}

impl TryFrom<String> for AccountKey {
    type Error = Error;

    fn try_from(key: String) -> Result<Self> {
        key.parse()
    }
}

impl From<AccountKey> for String {
    fn from(key: AccountKey) -> String {
        key.0.into()
    }
}

/// The name of a request, so that a retry has no second effect. Keys of different scopes never
/// meet.
///
/// The answer is kept for a time
/// ([`EngineBuilder::idempotency_window_ms`](crate::EngineBuilder::idempotency_window_ms)), and
/// counts in the share of its owner: the scope, unless [`IdempotencyKey::owned_by`] names another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdempotencyKey {
    hash: u128,
    body: Option<u64>,
    #[serde(skip)]
    owner: u64,
}

impl IdempotencyKey {
    /// The longest key a caller may send, in bytes.
    pub const BYTES_MAX: usize = 255;

    /// The key `key` of the caller `scope`. Only a 128-bit hash of both is kept.
    ///
    /// # Errors
    /// `Invalid` when the key is empty or longer than [`IdempotencyKey::BYTES_MAX`] bytes.
    pub fn new(scope: &str, key: &str) -> Result<Self> {
        if key.is_empty() || key.len() > Self::BYTES_MAX {
            return Err(Error::invalid(format!(
                "an idempotency key has 1 to {} bytes",
                Self::BYTES_MAX
            )));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(scope.len() as u64).to_le_bytes());
        hasher.update(scope.as_bytes());
        hasher.update(key.as_bytes());
        let [low, high] = halves(&hasher);
        Ok(Self { hash: u128::from(high) << 64 | u128::from(low), body: None, owner: 0 }
            .owned_by(scope))
    }

    /// In whose share of the window the answer counts, where one user has many scopes. It does not
    /// change which key this is.
    pub fn owned_by(mut self, owner: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"owner");
        hasher.update(owner.as_bytes());
        self.owner = halves(&hasher)[0].max(1);
        self
    }

    /// Tells retries apart by `body`, the request as the caller sent it, and not by the command
    /// made from it: a price that changed between two tries then makes no conflict.
    pub fn with_body(mut self, body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(body);
        self.body = Some(halves(&hasher)[0]);
        self
    }

    /// The key of one of several requests that have this key together, by its place among them.
    #[cfg(feature = "server")]
    pub(crate) fn at(self, place: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"place");
        hasher.update(&self.hash.to_le_bytes());
        hasher.update(&place.to_le_bytes());
        let [low, high] = halves(&hasher);
        Self { hash: u128::from(high) << 64 | u128::from(low), ..self }
    }

    /// The key of the next try of the same request, after one that had no effect.
    #[cfg(feature = "server")]
    pub(crate) fn next_try(self) -> Self {
        // No batch has so many requests.
        self.at(u64::MAX)
    }

    /// The hash as it stands in events and snapshots.
    pub fn number(self) -> u128 {
        self.hash
    }

    /// The key with this hash, as read from an event; it has no owner, so it counts against none.
    pub fn from_number(number: u128) -> Self {
        Self { hash: number, body: None, owner: 0 }
    }

    /// Another key of the same request: what else is kept of it.
    #[cfg(feature = "server")]
    pub(crate) fn beside(self, mark: u128) -> Self {
        Self { hash: self.hash ^ mark, ..self }
    }

    pub(crate) fn body(self) -> Option<u64> {
        self.body
    }

    /// The owner as it stands in events; 0 for nobody.
    pub(crate) fn owner(self) -> u64 {
        self.owner
    }
}

/// The first two words of a hash.
pub(crate) fn halves(hasher: &blake3::Hasher) -> [u64; 2] {
    let hash = hasher.finalize();
    let word = |at: usize| {
        let bytes = hash.as_bytes()[at..at + 8].try_into().expect("a hash has 32 bytes");
        u64::from_le_bytes(bytes)
    };
    [word(0), word(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_what_was_written() {
        let keys = [
            AccountKey::stock("tea"),
            AccountKey::stock_at("tea@shop", "north"),
            AccountKey::points("ann"),
            AccountKey::points_until("ann", 1_798_732_800_000),
            AccountKey::quota("ann", "tea"),
            AccountKey::quota_of_user("ann"),
            AccountKey::custom("seat", &["hall-1"]),
            AccountKey::custom("seat", &["hall-1", "12", "A", "left"]),
            AccountKey::custom("wallet-eur", &["ann@example.org"]),
            AccountKey::custom("stocks", &["stock"]),
        ];
        for key in keys.map(|key| key.expect("a key that is allowed")) {
            assert_eq!(key.as_str().parse::<AccountKey>().expect("it was written"), key);
        }
    }

    #[test]
    fn the_fixed_kinds_are_not_an_embedders_own() {
        for kind in ["stock", "points", "quota"] {
            assert!(AccountKey::custom(kind, &["a"]).is_err(), "{kind}");
        }
        // Each has its own number of parts, and no other.
        for key in [
            "stock",
            "stock/a/b/c",
            "points/a/b",
            "points/a/2026-02-29T00:00:00Z",
            "points/a/2026-12-31T16:00:00Z/b",
            "quota/a/b/c",
            "quota",
            "stock/",
        ] {
            assert!(key.parse::<AccountKey>().is_err(), "{key}");
        }
    }

    #[test]
    fn what_names_a_kind_is_bounded_and_checked() {
        let long = "k".repeat(AccountKey::KIND_BYTES_MAX + 1);
        for kind in ["", "Seat", "1seat", "-seat", "se at", "se/at", "s\u{e9}at", &long] {
            assert!(AccountKey::custom(kind, &["a"]).is_err(), "{kind}");
        }
        assert!(AccountKey::custom(&long[1..], &["a"]).is_ok());
        for parts in [&[][..], &["a", "b", "c", "d", "e"], &["a", ""], &["a/b"], &["a b"]] {
            assert!(AccountKey::custom("seat", parts).is_err(), "{parts:?}");
        }
        for key in ["", "/", "seat", "seat/", "seat//a", "/seat/a", "seat/a/b/c/d/e"] {
            assert!(key.parse::<AccountKey>().is_err(), "{key}");
        }
    }

    #[test]
    fn the_longest_key_is_as_long_as_it_says() {
        let (kind, part) =
            ("k".repeat(AccountKey::KIND_BYTES_MAX), "p".repeat(AccountKey::PART_BYTES_MAX));
        let key = AccountKey::custom(&kind, &[&*part; AccountKey::PARTS_MAX]);
        assert_eq!(key.expect("it is allowed").as_str().len(), AccountKey::BYTES_MAX);
    }
}
