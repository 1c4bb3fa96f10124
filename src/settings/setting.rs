//! What a row of the table of settings can say, and how a value of it is read.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::config::Config;
use super::duration;
use crate::base::error::{Error, Result};

/// The most of everything that is counted in bytes: a pebibyte.
const BYTES_MAX: u64 = 1 << 50;

/// What stands between several values of one setting.
pub(super) const LIST_BETWEEN: char = ',';

/// One setting. `max_connections` is `--max-connections` as a flag, `STOCKHOLD_MAX_CONNECTIONS` in
/// the environment, and `max_connections` in the file.
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// What stands for its value in the help.
    pub(super) value: &'static str,
    pub(super) default: Fallback,
    pub(super) takes: Takes,
    /// What it is, for the help and the documents.
    pub(super) help: &'static str,
    /// What only the documents say.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documents are held to it"))]
    pub(super) more: &'static str,
}

/// What holds where nothing was set.
pub(super) enum Fallback {
    /// This value, as one would write it.
    Is(&'static str),
    /// Nothing is set, which means this.
    Unset(&'static str),
}

/// What values it takes, and what each of them sets.
pub(super) enum Takes {
    /// A number from 1 on.
    Number { max: u64, set: fn(&mut Config, u64) },
    /// A number of bytes, from 1 on.
    Bytes { set: fn(&mut Config, u64) },
    /// A time as in `15m`, within bounds in milliseconds.
    Time { ms: RangeInclusive<u64>, set: fn(&mut Config, Duration) },
    /// One of some words.
    Choice { of: &'static [Word] },
    /// `true`, unless it is said otherwise; the flag says so.
    Yes { set: fn(&mut Config, bool) },
    /// A path to a file or a directory.
    Path { set: fn(&mut Config, PathBuf) },
    /// Texts of some form, with commas between them; the flag is repeated, and the file has an
    /// array. `add` answers `None` for one that is of another.
    List { form: &'static str, add: fn(&mut Config, &str) -> Option<()> },
    /// A text of some form. `set` answers `None` for one that is of another.
    Text { form: &'static str, set: fn(&mut Config, &str) -> Option<()> },
    /// The same, but it is never repeated. Other users of the machine can read flags, so some have
    /// none.
    Secret { form: &'static str, flag: bool, set: fn(&mut Config, &str) -> Option<()> },
}

/// A word, and what it sets.
type Word = (&'static str, fn(&mut Config));

impl Setting {
    /// The name of its flag, if it has one.
    pub(super) fn flag(&self) -> Option<String> {
        let name = self.name.replace('_', "-");
        match self.takes {
            Takes::Secret { flag: false, .. } => None,
            Takes::Yes { .. } => Some(format!("no-{name}")),
            _ => Some(name),
        }
    }

    /// The name of its variable.
    pub(super) fn variable(&self) -> String {
        format!("STOCKHOLD_{}", self.name.to_uppercase())
    }

    /// The default as people read it; nothing where a flag says the opposite.
    pub(super) fn default_shown(&self) -> String {
        match (&self.default, &self.takes) {
            (Fallback::Is(text), Takes::Bytes { .. }) => bytes_shown(text),
            (Fallback::Is(text) | Fallback::Unset(text), _) => (*text).to_owned(),
        }
    }

    /// Sets what the value `written` says.
    ///
    /// # Errors
    /// `Invalid` naming the setting, the value unless it is a secret, and what is allowed.
    pub(super) fn set(&self, to: &mut Config, written: &OsStr) -> Result<()> {
        if let Takes::Path { set } = &self.takes {
            set(to, written.into());
            return Ok(());
        }
        let name = self.name;
        let text = written.to_str();
        let text = text.ok_or_else(|| Error::invalid(format!("{name} is no text in UTF-8")))?;
        let wrong =
            |allowed: &str| Error::invalid(format!("{name} is {text:?}: it must be {allowed}"));
        match &self.takes {
            Takes::Number { max, set } => set(to, number(text, *max).map_err(|it| wrong(&it))?),
            Takes::Bytes { set } => set(to, number(text, BYTES_MAX).map_err(|it| wrong(&it))?),
            Takes::Time { ms, set } => {
                let given = duration::parse_ms(text)
                    .map_err(|cause| Error::invalid(format!("{name}: {cause}")))?;
                if !ms.contains(&given) {
                    return Err(wrong(&bounds(ms)));
                }
                set(to, Duration::from_millis(given));
            }
            Takes::Choice { of } => {
                let chosen = of.iter().find(|(word, _)| *word == text);
                let (_, set) =
                    chosen.ok_or_else(|| wrong(&one_of(of.iter().map(|(word, _)| *word))))?;
                set(to);
            }
            Takes::Yes { set } => match text {
                "true" => set(to, true),
                "false" => set(to, false),
                _ => return Err(wrong(&one_of(["true", "false"].into_iter()))),
            },
            Takes::List { form, add } => {
                for one in text.split(LIST_BETWEEN).map(str::trim) {
                    let wrong = || format!("{name} has {one:?}: each must be {form}");
                    add(to, one).ok_or_else(|| Error::invalid(wrong()))?;
                }
            }
            Takes::Text { form, set } => set(to, text).ok_or_else(|| wrong(form))?,
            Takes::Secret { form, set, .. } => {
                let wrong = || Error::invalid(format!("{name} must have {form}"));
                set(to, text).ok_or_else(wrong)?;
            }
            Takes::Path { .. } => {}
        }
        Ok(())
    }

    /// What is allowed, for the documents.
    #[cfg(test)]
    pub(super) fn allowed(&self) -> String {
        match &self.takes {
            Takes::Number { max, .. } => format!("1 to {max}"),
            Takes::Bytes { .. } => "bytes".to_owned(),
            Takes::Time { ms, .. } if *ms.end() == u64::MAX => "a time".to_owned(),
            Takes::Time { ms, .. } => bounds(ms).replace("from ", ""),
            Takes::Choice { of } => {
                of.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Takes::Yes { .. } => "`true`, `false`".to_owned(),
            Takes::Path { .. } => "a path".to_owned(),
            Takes::List { form, .. } => format!("one or several of {form}"),
            Takes::Text { form, .. } | Takes::Secret { form, .. } => (*form).to_owned(),
        }
    }
}

fn number(text: &str, max: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {max}"))
}

fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", words.collect::<Vec<_>>().join(", "))
}

fn bounds(ms: &RangeInclusive<u64>) -> String {
    format!("from {} to {}", duration::shown(*ms.start()), duration::shown(*ms.end()))
}

/// A number of bytes in the largest unit that it is a multiple of.
fn bytes_shown(text: &str) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let shown = text.parse::<u64>().ok().and_then(|bytes| {
        let (unit, size) = units.iter().find(|(_, size)| bytes.is_multiple_of(*size))?;
        Some(format!("{} {unit}", bytes / size))
    });
    shown.unwrap_or_else(|| text.to_owned())
}
