//! Names: of accounts, and of requests.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};

/// What an account counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// Units of a product.
    Stock,
    /// Points of a user.
    Points,
    /// What a user may still take: of one product, or in all.
    Quota,
}

/// The name of an account: `stock/PRODUCT`, `points/USER`, `quota/USER/PRODUCT` or `quota/USER`.
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

impl AccountKey {
    /// The longest part of a key, in bytes.
    pub const PART_BYTES_MAX: usize = 64;

    /// The stock of a product.
    ///
    /// # Errors
    /// `Invalid` when the product's name is empty, too long or has a character that is not allowed.
    pub fn stock(product: &str) -> Result<Self> {
        Self::join("stock", &[product])
    }

    /// The points of a user.
    ///
    /// # Errors
    /// As [`AccountKey::stock`].
    pub fn points(user: &str) -> Result<Self> {
        Self::join("points", &[user])
    }

    /// What a user may take of one product.
    ///
    /// # Errors
    /// As [`AccountKey::stock`].
    pub fn quota(user: &str, product: &str) -> Result<Self> {
        Self::join("quota", &[user, product])
    }

    /// What a user may take or hold in all, whatever the product.
    ///
    /// # Errors
    /// As [`AccountKey::stock`].
    pub fn quota_of_user(user: &str) -> Result<Self> {
        Self::join("quota", &[user])
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
        match self.0.split('/').next() {
            Some("stock") => AccountKind::Stock,
            Some("points") => AccountKind::Points,
            _ => AccountKind::Quota,
        }
    }

    /// The product of a stock account, otherwise the user.
    pub fn owner(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    /// The product of a user's quota, where it has one.
    pub fn product(&self) -> Option<&str> {
        self.0.split('/').nth(2)
    }

    /// The whole key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
            ["stock", product] => Self::stock(product),
            ["points", user] => Self::points(user),
            ["quota", user, product] => Self::quota(user, product),
            ["quota", user] => Self::quota_of_user(user),
            _ => Err(Error::invalid(
                "an account key is stock/PRODUCT, points/USER, quota/USER/PRODUCT or quota/USER",
            )),
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

    /// The hash as it stands in events and snapshots.
    pub fn number(self) -> u128 {
        self.hash
    }

    /// The key with this hash, as read from an event; nobody's, so that no share is counted.
    pub fn from_number(number: u128) -> Self {
        Self { hash: number, body: None, owner: 0 }
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
