//! Whether a column that is there holds what the mirror writes, as it is or wider.

use super::catalogue::Found;
use super::schema::{Column, Kind, PRICE_DIGITS};

/// What must become of a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Nothing: it holds what the mirror writes, and maybe more.
    Fits,
    /// It gets this type, which holds everything that it held, and reads the same.
    Widened(String),
    /// It cannot be the mirror's: why not.
    Wrong(&'static str),
}

/// Longest `VARCHAR` in use for what is a short text.
const TEXT_CHARS: u64 = 65_535;

/// The most digits of a `DECIMAL`.
const DIGITS_MAX: u64 = 65;

pub(super) fn fit(found: &Found, wanted: &Column) -> Fit {
    if !wanted.is_written {
        return Fit::Fits;
    }
    if found.is_generated() {
        return Fit::Wrong("it is computed, and cannot be written");
    }
    if found.extra.contains("auto_increment") != wanted.rest.contains("AUTO_INCREMENT") {
        return Fit::Wrong(
            "it numbers its rows by itself, and the mirror's rows have ids of their own",
        );
    }
    if wanted.takes_null && !found.takes_null {
        return Fit::Wrong("it takes no NULL, which the mirror writes where nothing is known");
    }
    let is_unsigned = found.column_type.contains("unsigned");
    match wanted.kind {
        Kind::Id(chars) => id(found, chars),
        Kind::Name(chars) => name(found, chars),
        Kind::Text => text(found, TEXT_CHARS, "TEXT"),
        Kind::LongText => text(found, u64::from(u32::MAX), "LONGTEXT"),
        Kind::Json if found.data_type == "json" => Fit::Fits,
        Kind::Json => text(found, 1 << 24, "LONGTEXT"),
        Kind::Flag if is_whole(found) => Fit::Fits,
        Kind::Small if is_whole(found) && !is_unsigned => Fit::Fits,
        Kind::Flag | Kind::Small => Fit::Wrong("it does not hold small numbers with a sign"),
        Kind::Big | Kind::Unsigned => big(found, wanted.kind == Kind::Unsigned, is_unsigned),
        Kind::Price => price(found, is_unsigned),
        Kind::Share => share(found),
        Kind::Time => time(found, wanted),
        Kind::OneOf(values) => one_of(found, values),
    }
}

/// With its character set, since a new type without one would get the table's.
fn with_charset(found: &Found, new_type: &str) -> String {
    match (&found.charset, &found.collation) {
        (Some(charset), Some(collation)) => {
            format!("{new_type} CHARACTER SET {charset} COLLATE {collation}")
        }
        _ => new_type.to_owned(),
    }
}

fn is_in_utf8(found: &Found) -> bool {
    found.charset.as_deref() == Some("utf8mb4")
}

fn is_text(found: &Found) -> bool {
    matches!(found.data_type.as_str(), "varchar" | "text" | "mediumtext" | "longtext")
}

const NOT_UTF8: Fit = Fit::Wrong(
    "its character set does not have every character, and with another one it would read differently",
);

fn id(found: &Found, chars: u64) -> Fit {
    let is_long_char = found.data_type == "char" && found.chars >= Some(chars);
    if !is_text(found) && !is_long_char {
        return Fit::Wrong("the mirror's ids are texts");
    }
    if !is_in_utf8(found) {
        return NOT_UTF8;
    }
    if !found.collation.as_deref().unwrap_or_default().ends_with("_bin") {
        return Fit::Wrong("it takes upper and lower case for one, and Ann and ann are two users");
    }
    wide(found, chars, || format!("VARCHAR({chars})"))
}

fn name(found: &Found, chars: u64) -> Fit {
    if !is_text(found) {
        return Fit::Wrong("it holds no text of any length");
    }
    if !is_in_utf8(found) {
        return NOT_UTF8;
    }
    wide(found, chars, || format!("VARCHAR({chars})"))
}

fn text(found: &Found, chars: u64, new_type: &str) -> Fit {
    if !is_text(found) {
        return Fit::Wrong("it holds no text of any length");
    }
    if !is_in_utf8(found) {
        return NOT_UTF8;
    }
    // A text that is counted in bytes says its bytes.
    let fits = found.chars.unwrap_or(0) >= chars.min(1 << 24) - 1 && found.data_type != "varchar";
    match fits {
        true => Fit::Fits,
        false if found.default.is_some() => {
            Fit::Wrong("as a longer text it would lose its default")
        }
        false => Fit::Widened(with_charset(found, new_type)),
    }
}

fn wide(found: &Found, chars: u64, new_type: impl Fn() -> String) -> Fit {
    match found.chars {
        Some(has) if has >= chars => Fit::Fits,
        _ => Fit::Widened(with_charset(found, &new_type())),
    }
}

fn is_whole(found: &Found) -> bool {
    matches!(found.data_type.as_str(), "tinyint" | "smallint" | "mediumint" | "int" | "bigint")
}

fn big(found: &Found, wants_unsigned: bool, is_unsigned: bool) -> Fit {
    if !is_whole(found) {
        return Fit::Wrong("it does not hold whole numbers as such");
    }
    if wants_unsigned != is_unsigned {
        return Fit::Wrong("the sign is another");
    }
    match (found.data_type.as_str(), wants_unsigned) {
        ("bigint", _) => Fit::Fits,
        (_, true) => Fit::Widened("BIGINT UNSIGNED".to_owned()),
        (_, false) => Fit::Widened("BIGINT".to_owned()),
    }
}

fn price(found: &Found, is_unsigned: bool) -> Fit {
    let (Some(digits), Some(scale)) = (found.digits, found.scale) else {
        return Fit::Wrong("it does not hold prices to the cent");
    };
    if found.data_type != "decimal" {
        return Fit::Wrong("it does not hold prices to the cent");
    }
    let whole = digits.saturating_sub(scale);
    if whole >= PRICE_DIGITS.0 && scale >= PRICE_DIGITS.1 {
        return Fit::Fits;
    }
    let (whole, scale) = (whole.max(PRICE_DIGITS.0), scale.max(PRICE_DIGITS.1));
    if whole + scale > DIGITS_MAX {
        return Fit::Wrong("with more digits before its point it would lose some behind it");
    }
    let unsigned = if is_unsigned { " UNSIGNED" } else { "" };
    Fit::Widened(format!("DECIMAL({},{scale}){unsigned}", whole + scale))
}

fn share(found: &Found) -> Fit {
    let whole =
        found.digits.zip(found.scale).map(|(digits, scale)| (digits - scale.min(digits), scale));
    match whole {
        Some((1.., 2..)) if found.data_type == "decimal" => Fit::Fits,
        Some(_) | None => Fit::Wrong("it does not hold parts of one to the hundredth"),
    }
}

fn time(found: &Found, wanted: &Column) -> Fit {
    if found.data_type == "timestamp" {
        return Fit::Wrong(
            "it ends in 2038, and each session reads another time; the mirror's times are UTC",
        );
    }
    if found.data_type != "datetime" || found.fraction.unwrap_or(0) < 3 {
        return Fit::Wrong("it does not hold milliseconds");
    }
    // Older tables have it there.
    let may_change = ["updated_at", "last_updated"].contains(&wanted.name);
    if found.extra.contains("on update") && !may_change {
        return Fit::Wrong("it changes by itself with its row");
    }
    Fit::Fits
}

fn one_of(found: &Found, values: &[&str]) -> Fit {
    if is_text(found) && is_in_utf8(found) && found.chars.unwrap_or(0) >= 64 {
        return Fit::Fits;
    }
    let Some(list) =
        found.column_type.strip_prefix("enum(").and_then(|rest| rest.strip_suffix(')'))
    else {
        return Fit::Wrong("it does not hold these words");
    };
    let missing: Vec<String> = values
        .iter()
        .map(|value| format!("'{value}'"))
        .filter(|value| !has_word(list, value))
        .collect();
    match missing.is_empty() {
        true => Fit::Fits,
        // Behind what is there, so that the numbers of the words stay.
        false => Fit::Widened(with_charset(found, &format!("ENUM({list},{})", missing.join(",")))),
    }
}

/// Whether a quoted word is in a list of quoted words; ours have neither quotes nor commas.
fn has_word(list: &str, word: &str) -> bool {
    list.split(',').any(|each| each == word)
}

#[cfg(test)]
mod tests {
    use super::super::tables::SCHEMA;
    use super::*;

    /// A column by its type, as catalogues tell it.
    fn found(column_type: &str) -> Found {
        let data_type = column_type.split(['(', ' ']).next().unwrap_or_default().to_owned();
        let size: Vec<u64> = column_type
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .map(|(size, _)| size.split(',').filter_map(|part| part.parse().ok()).collect())
            .unwrap_or_default();
        let first = size.first().copied();
        let chars = match data_type.as_str() {
            "varchar" | "char" => first,
            "text" => Some(65_535),
            "longtext" => Some(u64::from(u32::MAX)),
            _ => None,
        };
        let in_utf8 = chars.is_some() || data_type == "enum";
        Found {
            chars,
            digits: first.filter(|_| data_type == "decimal"),
            scale: size.get(1).copied().filter(|_| data_type == "decimal"),
            fraction: (data_type == "datetime").then(|| first.unwrap_or(0)),
            charset: in_utf8.then(|| "utf8mb4".to_owned()),
            collation: in_utf8.then(|| "utf8mb4_bin".to_owned()),
            takes_null: true,
            column_type: column_type.to_owned(),
            data_type,
            ..Found::default()
        }
    }

    fn wanted(table: &str, column: &str) -> &'static Column {
        let table = SCHEMA.iter().find(|each| each.name == table).expect(table);
        table.column(column).expect(column)
    }

    #[test]
    fn a_column_is_widened_or_refused_and_never_narrowed() {
        const BIN: &str = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
        for (table, column, has, becomes) in [
            ("users", "id", "varchar(64)", None),
            ("users", "id", "varchar(255)", None),
            ("users", "id", "varchar(36)", Some(format!("VARCHAR(64){BIN}"))),
            ("products", "points_price", "bigint(20)", None),
            ("products", "points_price", "int(11)", Some("BIGINT".to_owned())),
            ("products", "original_price", "decimal(22,2)", None),
            ("products", "original_price", "decimal(30,6)", None),
            ("products", "original_price", "decimal(12,4)", Some("DECIMAL(24,4)".to_owned())),
            ("products", "original_price", "decimal(10,2)", Some("DECIMAL(22,2)".to_owned())),
            ("products", "name", "text", None),
            ("products", "description", "varchar(200)", Some(format!("TEXT{BIN}"))),
            ("products", "description", "longtext", None),
            ("products", "images", "longtext", None),
            ("products", "status", "tinyint(4)", None),
            ("exchange_orders", "status", "int", None),
            ("exchange_orders", "created_at", "datetime(6)", None),
            (
                "points_records",
                "source",
                "enum('payment_reward','gift')",
                Some(format!(
                    "ENUM('payment_reward','gift','admin_adjust','mall_consumption','mall_refund','expire_deduct',\
                     'invite_reward'){BIN}"
                )),
            ),
        ] {
            let expected = becomes.map_or(Fit::Fits, Fit::Widened);
            assert_eq!(fit(&found(has), wanted(table, column)), expected, "{table}.{column} {has}");
        }
    }

    #[test]
    fn what_would_read_differently_is_refused() {
        let auto = Found { extra: "auto_increment".to_owned(), ..found("bigint(20)") };
        let folding =
            Found { collation: Some("utf8mb4_general_ci".to_owned()), ..found("varchar(64)") };
        let latin = Found { charset: Some("latin1".to_owned()), ..found("varchar(255)") };
        let computed = Found { extra: "stored generated".to_owned(), ..found("bigint") };
        let changing =
            Found { extra: "on update current_timestamp(3)".to_owned(), ..found("datetime(3)") };
        let needed = Found { takes_null: false, ..found("datetime(3)") };
        for (table, column, has) in [
            ("users", "id", auto),
            ("users", "id", found("int(11)")),
            ("users", "id", folding),
            ("products", "name", latin),
            ("products", "points_price", computed),
            ("products", "points_price", found("int(10) unsigned")),
            ("products", "points_price", found("double")),
            ("products", "status", found("enum('on','off')")),
            ("products", "original_price", found("float")),
            ("products", "original_price", found("decimal(65,60)")),
            ("exchange_orders", "created_at", found("timestamp")),
            ("exchange_orders", "created_at", found("datetime")),
            ("exchange_orders", "expires_at", changing),
            ("exchange_orders", "cancelled_at", needed),
            ("exchange_orders", "status", found("tinyint(3) unsigned")),
        ] {
            assert!(
                matches!(fit(&has, wanted(table, column)), Fit::Wrong(_)),
                "{table}.{column} {has:?}"
            );
        }
    }

    #[test]
    fn what_the_mirror_makes_fits() {
        for (table, column, has) in [
            ("mirror_rejected", "content", "longtext"),
            ("mirror_state", "epoch", "bigint(20) unsigned"),
            ("exchange_orders", "order_no", "varchar(32)"),
        ] {
            assert_eq!(fit(&found(has), wanted(table, column)), Fit::Fits, "{table}.{column}");
        }
        let numbered = Found { extra: "auto_increment".to_owned(), ..found("bigint(20) unsigned") };
        assert_eq!(fit(&numbered, wanted("mirror_rejected", "id")), Fit::Fits);
    }
}
