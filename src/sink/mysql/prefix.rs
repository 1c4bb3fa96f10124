//! What the names of the mirror's tables begin with, where a database holds tables of an
//! application as well.

use std::borrow::Cow;
use std::fmt;

use crate::base::error::{Error, Result};

/// Every table that the mirror makes, as statements name it.
pub(super) const TABLES: [&str; 11] = [
    "product_categories",
    "products",
    "exchange_orders",
    "inventory_records",
    "points_records",
    "users",
    "user_preferences",
    "mall_levels",
    "mirror_state",
    "mirror_rejected",
    "mirror_migrations",
];

/// The longest prefix: with it and the mark of a reload no name is longer than a database takes.
const PREFIX_MAX: usize = 24;
/// What a reload puts behind the prefix of the tables that it fills beside the others.
const BESIDE: &str = "reload_";
/// How an operator says that there is to be none: an empty setting is one that is not set.
const NOTHING: &str = "none";
const LEN_MAX: usize = PREFIX_MAX + BESIDE.len();

/// A prefix of names; mostly none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    bytes: [u8; LEN_MAX],
    len: usize,
}

impl Prefix {
    pub(super) const NONE: Self = Self { bytes: [0; LEN_MAX], len: 0 };

    /// A prefix as operators set it.
    ///
    /// # Errors
    /// `Invalid` when a name could not begin so.
    pub(super) fn of(text: &str) -> Result<Self> {
        if text == NOTHING {
            return Ok(Self::NONE);
        }
        let valid = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if text.len() > PREFIX_MAX || !valid {
            return Err(Error::invalid(format!(
                "mirror_prefix is {text:?}: it must be at most {PREFIX_MAX} of a to z, 0 to 9 and _"
            )));
        }
        Ok(Self::joined(text, ""))
    }

    /// That of the tables that a reload fills beside those of this one.
    pub(super) fn beside(self) -> Self {
        Self::joined(self.text(), BESIDE)
    }

    fn joined(first: &str, second: &str) -> Self {
        let mut prefix = Self::NONE;
        for byte in first.bytes().chain(second.bytes()) {
            prefix.bytes[prefix.len] = byte;
            prefix.len += 1;
        }
        prefix
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("a prefix is ASCII")
    }

    /// The name that a table has in the database.
    pub(super) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.text())
    }

    /// A statement with the names that its tables have in the database.
    pub(super) fn sql<'a>(&self, statement: &'a str) -> Cow<'a, str> {
        if self.len == 0 {
            return Cow::Borrowed(statement);
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut sql = String::with_capacity(statement.len() + 4 * LEN_MAX);
        let mut rest = statement;
        while !rest.is_empty() {
            let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
            if TABLES.contains(&word) {
                sql.push_str(self.text());
            }
            let (gap, after) = after.split_at(after.find(is_word).unwrap_or(after.len()));
            sql.push_str(word);
            sql.push_str(gap);
            rest = after;
        }
        Cow::Owned(sql)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_renamed_and_nothing_else_is() {
        let prefix = Prefix::of("shop_").expect("a valid prefix");
        let statement = "INSERT INTO users (id, 用户) SELECT users.id, `products`.name FROM products, my_users -- users";
        let expected = "INSERT INTO shop_users (id, 用户) SELECT shop_users.id, `shop_products`.name FROM shop_products, \
                        my_users -- shop_users";
        assert_eq!(prefix.sql(statement), expected);
        assert_eq!(prefix.beside().sql("users"), "shop_reload_users");
        assert_eq!(Prefix::NONE.sql(statement), statement);
        assert_eq!(prefix.table("users"), "shop_users");
    }

    #[test]
    fn a_prefix_is_what_names_begin_with() {
        assert_eq!(Prefix::of("none").expect("a word").text(), "");
        for text in ["", "a", "stockhold_", "0123456789_0123456789_ab"] {
            assert_eq!(Prefix::of(text).expect(text).text(), text);
        }
        for text in ["Shop_", "a-b", "a b", "`", "é", "0123456789_0123456789_abc"] {
            let error = Prefix::of(text).expect_err(text).to_string();
            assert!(error.contains("mirror_prefix"), "{error}");
        }
    }
}
