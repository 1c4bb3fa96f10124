//! What no line of the log may show: tokens, passwords, and whatever reaches a person.
//!
//! Nothing of it is logged on purpose. This is the net below: text that comes from elsewhere, such as
//! a database's error or a panic, goes through it.

use std::borrow::Cow;

/// Fields whose values are left out, whatever they are.
const SECRET_FIELDS: [&str; 8] =
    ["authorization", "cookie", "email", "password", "phone", "recipient", "secret", "token"];

/// Whether the value of a field with this name is left out.
pub(super) fn is_secret(field: &str) -> bool {
    SECRET_FIELDS.iter().any(|secret| field.eq_ignore_ascii_case(secret))
}

/// What stands for such a value.
pub(super) const MASKED: &str = "[masked]";

/// A text without what it must not show.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if let Some((bytes, instead)) = hidden(&text[..at], rest) {
            shown.push_str(&text[from..at]);
            shown.push_str(instead);
            at += bytes;
            from = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// How many bytes at the beginning of `rest`, which follows `before`, are something that is not
/// shown, and what stands for them.
fn hidden(before: &str, rest: &str) -> Option<(usize, &'static str)> {
    if before.ends_with("://") {
        return credentials(rest).map(|bytes| (bytes, "[credentials]"));
    }
    // Each of the others begins a word.
    if before.ends_with(is_of_word) {
        return None;
    }
    None.or_else(|| token(rest).map(|bytes| (bytes, "[token]")))
        .or_else(|| phone(rest).map(|bytes| (bytes, "[phone]")))
        .or_else(|| email(rest).map(|bytes| (bytes, "[email]")))
}

fn is_of_word(of: char) -> bool {
    of.is_alphanumeric() || of == '_'
}

/// How many bytes of `text`, from its beginning, are of this kind.
fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|of| !is(of)).unwrap_or(text.len())
}

/// What stands before the `@` of a URL's authority.
fn credentials(rest: &str) -> Option<usize> {
    let authority = &rest[..run(rest, |of| !of.is_whitespace() && !"/?#\"'".contains(of))];
    authority.rfind('@').filter(|bytes| *bytes > 0)
}

/// A JSON Web Token, or what follows `Bearer`.
fn token(rest: &str) -> Option<usize> {
    let is_of_token = |of: char| of.is_ascii_alphanumeric() || "-_.~+/=".contains(of);
    if rest.starts_with("eyJ") {
        let bytes = run(rest, is_of_token);
        return rest[..bytes].contains('.').then_some(bytes);
    }
    let (scheme, after) = rest.split_at_checked("bearer ".len())?;
    let bytes = run(after, is_of_token);
    (scheme.eq_ignore_ascii_case("bearer ") && bytes >= 8).then_some(scheme.len() + bytes)
}

/// A number to call: in groups, or the digits that stand together.
fn phone(rest: &str) -> Option<usize> {
    let sign = usize::from(rest.starts_with('+'));
    if !rest[sign..].starts_with(|of: char| of.is_ascii_digit()) {
        return None;
    }
    let is_grouped = |of: char| of.is_ascii_digit() || of == '-' || of == ' ';
    let grouped = sign + run(&rest[sign..], is_grouped);
    let plain = sign + run(&rest[sign..], |of| of.is_ascii_digit());
    [grouped, plain].into_iter().find_map(|bytes| {
        let number = rest[..bytes].trim_end_matches(['-', ' ']);
        let ends_so = !rest[number.len()..].starts_with(is_of_word);
        (ends_so && is_phone(number)).then_some(number.len())
    })
}

/// Whether it is a mobile number of the mainland: eleven digits from 13 to 19, perhaps behind the
/// country's code; or one of anywhere behind a `+`.
fn is_phone(number: &str) -> bool {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let local = match digits.len() {
        11 => Some(&*digits),
        13 => digits.strip_prefix("86"),
        15 => digits.strip_prefix("0086"),
        _ => None,
    };
    let is_mobile =
        local.is_some_and(|it| it.starts_with('1') && it[1..].starts_with(|of| of > '2'));
    is_mobile || (number.starts_with('+') && (8..=15).contains(&digits.len()))
}

fn email(rest: &str) -> Option<usize> {
    let is_of_local = |of: char| of.is_alphanumeric() || "._%+-".contains(of);
    let local = run(rest, is_of_local);
    let domain = rest[local..].strip_prefix('@')?;
    let bytes = run(domain, |of| of.is_alphanumeric() || of == '-' || of == '.');
    let domain = domain[..bytes].trim_end_matches('.');
    (local > 0 && domain.contains('.')).then_some(local + 1 + domain.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_a_person_or_lets_somebody_in_is_not_shown() {
        for (text, shown) in [
            ("call 13800138000 now", "call [phone] now"),
            ("call +86 138-0013-8000, please", "call [phone], please"),
            ("电话：13800138000。", "电话：[phone]。"),
            ("+442071838750", "[phone]"),
            ("008613800138000", "[phone]"),
            ("for ann.lee+x@mail.example.com.", "for [email]."),
            ("邮箱 张三@example.cn", "邮箱 [email]"),
            ("Authorization: Bearer abcdefgh.ijk", "Authorization: [token]"),
            ("\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln\"", "\"[token]\""),
            (
                "mysql://ann:hun@ter2@db.example:3306/mall",
                "mysql://[credentials]@db.example:3306/mall",
            ),
            ("13800138000 13900139000", "[phone] [phone]"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_shown() {
        for text in [
            "",
            "ord_13800138000",
            "order-13800138000x",
            "1750000000000",
            "23800138000",
            "12800138000",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "2026-11-30T16:48:36.000Z",
            "127.0.0.1:13800",
            "the bearer of a token",
            "ann@here",
            "http://127.0.0.1:3000/api?x=a@b",
            "eyJ",
            "日志",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
