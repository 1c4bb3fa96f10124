//! Values as they were written, in one place: the command line, the environment, or the file.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::config::Config;
use super::setting::{Fallback, LIST_BETWEEN, Setting, Takes};
use super::table::SETTINGS;
use crate::base::error::{Error, Result};
use crate::sink;

/// A value for each setting that was given one. They are never printed: some are secrets.
pub(super) struct Given([Option<OsString>; SETTINGS.len()]);

/// Something that is wrong.
pub(crate) struct Wrong {
    /// With which setting; `None` where it is with none that there is.
    pub(crate) setting: Option<&'static str>,
    pub(crate) error: Error,
}

/// What a command that goes no further tells of.
fn first(wrong: Vec<Wrong>) -> Option<Error> {
    wrong.into_iter().next().map(|wrong| wrong.error)
}

impl Given {
    pub(super) fn nothing() -> Self {
        Self([const { None }; SETTINGS.len()])
    }

    /// What `value` has for each setting.
    pub(super) fn of(value: impl Fn(&Setting) -> Option<OsString>) -> Self {
        Self(std::array::from_fn(|at| value(SETTINGS[at])))
    }

    /// What the environment sets. `variable` looks a name up; an empty value counts as not set.
    pub(super) fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        Self::of(|setting| variable(&setting.variable()).filter(|value| !value.is_empty()))
    }

    /// What the file at `path` sets, or nothing without a path.
    pub(super) fn of_file(path: Option<&Path>) -> Result<Self> {
        let (given, wrong) = Self::look_at_file(path);
        first(wrong).map_or(Ok(given), Err)
    }

    /// As [`Self::of_file`], with all that is wrong in it.
    #[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
    pub(super) fn look_at_file(path: Option<&Path>) -> (Self, Vec<Wrong>) {
        let Some(path) = path else {
            return (Self::nothing(), Vec::new());
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::look_at_toml(&text),
            Err(cause) => {
                let what = format!("the configuration file {}", path.display());
                let wrong = Wrong { setting: None, error: Error::io(what, cause) };
                (Self::nothing(), vec![wrong])
            }
        }
    }

    /// What a TOML file sets.
    #[cfg(test)]
    pub(super) fn of_toml(text: &str) -> Result<Self> {
        let (given, wrong) = Self::look_at_toml(text);
        first(wrong).map_or(Ok(given), Err)
    }

    /// What a TOML file sets, and all that is wrong in it.
    fn look_at_toml(text: &str) -> (Self, Vec<Wrong>) {
        // The message of the parser quotes the line, which may hold a secret: only what is wrong is
        // passed on.
        let wrong = |setting, what: &str| Wrong {
            setting,
            error: Error::invalid(format!("the configuration file: {what}")),
        };
        let mut given = Self::nothing();
        let file: toml::Table = match toml::from_str(text) {
            Ok(file) => file,
            Err(cause) => return (given, vec![wrong(None, cause.message())]),
        };
        let mut all = Vec::new();
        for (name, value) in file {
            let Some(at) = SETTINGS.iter().position(|setting| setting.name == name) else {
                all.push(wrong(None, &unknown(&name)));
                continue;
            };
            match written(&SETTINGS[at].takes, value) {
                Ok(written) => given.0[at] = Some(written),
                Err(what) => {
                    all.push(wrong(Some(SETTINGS[at].name), &format!("{name}: {what}")));
                }
            }
        }
        (given, all)
    }

    /// These values, and `lower`'s where these say nothing.
    pub(super) fn over(&self, lower: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].clone().or_else(|| lower.0[at].clone())))
    }

    /// What they set, with defaults where nothing was set. What is wrong is told of whether it
    /// would matter or not.
    pub(super) fn check(&self) -> Result<Config> {
        let (config, wrong) = self.look();
        first(wrong).map_or(Ok(config), Err)
    }

    /// What they set, with defaults where nothing was set or it is wrong, and all that is wrong.
    pub(super) fn look(&self) -> (Config, Vec<Wrong>) {
        let (mut config, mut all) = (Config::unset(), Vec::new());
        for (setting, given) in SETTINGS.iter().zip(&self.0) {
            let mut set = |value: &OsStr| {
                let wrong = |error| Wrong { setting: Some(setting.name), error };
                setting.set(&mut config, value).map_err(wrong)
            };
            let is_set = given.as_deref().map(&mut set);
            let is_good = matches!(is_set, Some(Ok(())));
            all.extend(is_set.and_then(Result::err));
            if let (false, Fallback::Is(default)) = (is_good, &setting.default) {
                all.extend(set(OsStr::new(default)).err());
            }
        }
        let database = config.mirror().map(|mirror| mirror.database);
        let wrong = database.and_then(|database| sink::check_database(&database).err());
        all.extend(wrong.map(|error| Wrong { setting: Some("mirror_url"), error }));
        let traces = config.traces().err();
        let setting =
            if config.traces.endpoint.is_some() { "otlp_endpoint" } else { "otlp_headers_file" };
        all.extend(traces.map(|error| Wrong { setting: Some(setting), error }));
        all.extend(
            config.log.check().err().map(|(name, error)| Wrong { setting: Some(name), error }),
        );
        (config, all)
    }

    /// The value at a place of the table, where there is one.
    pub(super) fn at(&self, at: usize) -> Option<&OsStr> {
        self.0[at].as_deref()
    }

    #[cfg(test)]
    pub(super) fn value(&self, name: &str) -> Option<&OsStr> {
        let at = SETTINGS.iter().position(|setting| setting.name == name);
        self.0[at.expect("it is a setting")].as_deref()
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = SETTINGS.iter().map(|setting| format!("`{}`", setting.name)).collect();
    format!("{name}: unknown field `{name}`, expected one of {}", known.join(", "))
}

/// A value of the file as one would write it as a flag.
fn written(takes: &Takes, value: toml::Value) -> Result<OsString, &'static str> {
    use toml::Value::{Array, Boolean, Integer, String};
    match (takes, value) {
        (_, String(text)) => Ok(text.into()),
        (Takes::List { .. }, Array(all)) => {
            let all = all.iter().map(|one| one.as_str().ok_or("expected strings"));
            let all = all.collect::<Result<Vec<_>, _>>()?;
            Ok(all.join(&LIST_BETWEEN.to_string()).into())
        }
        (Takes::List { .. }, _) => Err("expected a string, or an array of strings"),
        (Takes::Number { .. } | Takes::Bytes { .. }, Integer(number)) => {
            Ok(number.to_string().into())
        }
        (Takes::Number { .. } | Takes::Bytes { .. }, _) => Err("expected a number"),
        (Takes::Yes { .. }, Boolean(flag)) => Ok(flag.to_string().into()),
        (Takes::Yes { .. }, _) => Err("expected true or false"),
        _ => Err("expected a string"),
    }
}
