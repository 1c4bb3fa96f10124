//! Accounts.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use serde::{Deserialize as Read, Serialize as Write};

use super::decimal::{maybe, whole};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey};
use crate::event::{Policy, Window};
use crate::ledger::{self, Level};

/// An account, named by its key or by its number. A text of digits is a number: a key has a `/`.
///
/// A number names one account for good; a key, whichever is open under it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccountRef {
    /// By its key.
    Key(AccountKey),
    /// By its number.
    Number(AccountId),
}

impl std::str::FromStr for AccountRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Key);
        }
        let number = text.parse().map_err(|_| Error::invalid("no account has this number"));
        number.map(|number| Self::Number(AccountId::from_number(number)))
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Number(account) => account.number().fmt(f),
        }
    }
}

impl From<AccountKey> for AccountRef {
    fn from(key: AccountKey) -> Self {
        Self::Key(key)
    }
}

impl From<&AccountKey> for AccountRef {
    fn from(key: &AccountKey) -> Self {
        Self::Key(key.clone())
    }
}

impl From<AccountId> for AccountRef {
    fn from(account: AccountId) -> Self {
        Self::Number(account)
    }
}

impl Serialize for AccountRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(key) => key.serialize(serializer),
            Self::Number(account) => account.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AccountRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;
        impl Visitor<'_> for Named {
            type Value = AccountRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the key of an account, or its number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AccountRef, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<AccountRef, E> {
                let number =
                    u32::try_from(number).map_err(|_| E::custom("no account has this number"));
                number.map(|number| AccountRef::Number(AccountId::from_number(number)))
            }
        }
        deserializer.deserialize_any(Named)
    }
}

/// The rules of an account; see [`Policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountPolicy {
    /// How many units may be taken beyond what is there; none when it is absent.
    #[serde(default, deserialize_with = "maybe")]
    pub backorder: Option<u64>,
    /// For quotas: how many units a window has; none when it is absent.
    #[serde(default, deserialize_with = "maybe")]
    pub limit: Option<u64>,
    /// For quotas: when consumed units come back; never when it is absent.
    #[serde(default)]
    pub window: Option<QuotaWindow>,
}

/// When units of a quota come back after they were consumed; see [`Window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum QuotaWindow {
    /// Never.
    Never,
    /// All at once, at every multiple of the length past the offset.
    #[serde(rename_all = "camelCase")]
    Fixed {
        /// In milliseconds.
        #[serde(deserialize_with = "whole")]
        length_ms: u64,
        /// In milliseconds after the beginning of 1970.
        #[serde(deserialize_with = "whole")]
        offset_ms: u64,
    },
    /// Each so long after it was consumed.
    #[serde(rename_all = "camelCase")]
    Rolling {
        /// In milliseconds.
        #[serde(deserialize_with = "whole")]
        length_ms: u64,
    },
    /// At once: the quota caps what is reserved at one time.
    Outstanding,
}

impl From<AccountPolicy> for Policy {
    fn from(told: AccountPolicy) -> Self {
        let window = match told.window {
            None | Some(QuotaWindow::Never) => Window::Never,
            Some(QuotaWindow::Fixed { length_ms, offset_ms }) => {
                Window::Fixed { length_ms, offset_ms }
            }
            Some(QuotaWindow::Rolling { length_ms }) => Window::Rolling { length_ms },
            Some(QuotaWindow::Outstanding) => Window::Outstanding,
        };
        let [backorder, limit] = [told.backorder, told.limit].map(Option::unwrap_or_default);
        Self { backorder, limit, window }
    }
}

impl From<Policy> for AccountPolicy {
    fn from(policy: Policy) -> Self {
        let window = match policy.window {
            Window::Never => QuotaWindow::Never,
            Window::Fixed { length_ms, offset_ms } => QuotaWindow::Fixed { length_ms, offset_ms },
            Window::Rolling { length_ms } => QuotaWindow::Rolling { length_ms },
            Window::Outstanding => QuotaWindow::Outstanding,
        };
        Self { backorder: Some(policy.backorder), limit: Some(policy.limit), window: Some(window) }
    }
}

/// An account to open.
#[derive(Clone, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAccount {
    /// Its key.
    pub key: AccountKey,
    /// Its rules; strict when it is absent.
    pub policy: Option<AccountPolicy>,
}

/// An account as it stands: `received = available + reserved + consumed + written_off`. See [`Level`].
#[derive(Clone, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase")]
pub struct AccountState {
    /// Its number.
    pub account: AccountId,
    /// Its key.
    pub key: AccountKey,
    /// Its rules.
    pub policy: AccountPolicy,
    /// Units that can be taken; below 0 only by the backorder allowance.
    pub available: i64,
    /// Units held by pending reservations.
    pub reserved: u64,
    /// Units of confirmed reservations, as far as they have not come back.
    pub consumed: u64,
    /// Units ever received.
    pub received: u64,
    /// Units written off, and those that were transferred to other accounts.
    pub written_off: u64,
    /// Whether it is closed for good.
    pub closed: bool,
}

impl From<Level> for AccountState {
    fn from(level: Level) -> Self {
        Self {
            account: level.account,
            key: level.key,
            policy: level.policy.into(),
            available: level.available,
            reserved: level.reserved,
            consumed: level.consumed,
            received: level.received,
            written_off: level.written_off,
            closed: level.closed,
        }
    }
}

/// Some of the accounts that are open, in no particular order.
#[derive(Clone, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase")]
pub struct AccountPage {
    /// The accounts.
    pub accounts: Vec<AccountState>,
    /// What the next page is after; `None` at the end.
    pub next_after: Option<AccountId>,
}

/// So many units that come in, or leave for good.
#[derive(Clone, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quantity {
    /// How many.
    #[serde(deserialize_with = "whole")]
    pub quantity: u64,
    /// Why, for history.
    pub note: Option<String>,
}

/// A correction by so many units.
#[derive(Clone, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adjustment {
    /// By how many, up or down; not 0.
    #[serde(deserialize_with = "whole")]
    pub delta: i64,
    /// Why, for history.
    pub note: Option<String>,
}

/// A correction to what was counted.
#[derive(Clone, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Count {
    /// How many units there are, those that are reserved included.
    #[serde(deserialize_with = "whole")]
    pub counted: u64,
    /// Why, for history.
    pub note: Option<String>,
}

/// Units that go to another account.
#[derive(Clone, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferTo {
    /// Where they go: another account of a kind of the same name.
    pub to: AccountRef,
    /// How many.
    #[serde(deserialize_with = "whole")]
    pub quantity: u64,
    /// Why, for the history of both.
    pub note: Option<String>,
}

/// An account was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// The account.
    pub account: AccountId,
    /// What it has available after the change.
    pub available: i64,
}

impl From<ledger::Changed> for Changed {
    fn from(changed: ledger::Changed) -> Self {
        Self { account: changed.account, available: changed.available }
    }
}

/// Units went from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase")]
pub struct Transferred {
    /// The account that they left.
    pub from: Changed,
    /// The account that they are in now.
    pub to: Changed,
}

impl From<ledger::Transferred> for Transferred {
    fn from(moved: ledger::Transferred) -> Self {
        Self { from: moved.from.into(), to: moved.to.into() }
    }
}

/// What is left in an account that was to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Read, Write)]
#[serde(rename_all = "camelCase")]
pub struct UnitsLeft {
    /// The account.
    pub account: AccountId,
    /// What is available.
    pub available: i64,
    /// What pending reservations hold.
    pub reserved: u64,
    /// Of what was consumed, what counts against a quota now.
    pub counting: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_comes_back_as_it_was_sent() {
        for policy in [
            Policy::strict(),
            Policy::backorder(3),
            Policy::quota(2, Window::Outstanding),
            Policy::quota(2, Window::Rolling { length_ms: 5 }),
            Policy::quota(2, Window::Fixed { length_ms: 5, offset_ms: 1 }),
        ] {
            let text = serde_json::to_string(&AccountPolicy::from(policy)).expect("it is written");
            let read: AccountPolicy = serde_json::from_str(&text).expect("it was written");
            assert_eq!(Policy::from(read), policy, "{text}");
        }
        let nothing: AccountPolicy = serde_json::from_str("{}").expect("all may be absent");
        assert_eq!(Policy::from(nothing), Policy::strict());
    }

    #[test]
    fn an_account_is_named_by_its_key_or_its_number() {
        let key = AccountRef::Key("seat/hall-1/12".parse().expect("a key"));
        let number = AccountRef::Number(AccountId::from_number(77));
        for (text, want) in [
            (r#""seat/hall-1/12""#, Some(&key)),
            ("77", Some(&number)),
            (r#""77""#, Some(&number)),
            (r#""""#, None),
            (r#""seat""#, None),
            ("4294967296", None),
            (r#""4294967296""#, None),
            ("-1", None),
            ("null", None),
        ] {
            let read = serde_json::from_str::<AccountRef>(text).ok();
            assert_eq!(read.as_ref(), want, "{text}");
        }
        for named in [key, number] {
            assert_eq!(named.to_string().parse::<AccountRef>().ok(), Some(named));
        }
    }
}
