//! Values as they were written, in one place: the command line, the environment, or the file.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::config::Config;
use super::setting::{Fallback, Setting, Takes};
use super::table::SETTINGS;
use crate::base::error::{Error, Result};
use crate::sink;

/// A value for each setting that was given one. They are never printed: some are secrets.
pub(super) struct Given([Option<OsString>; SETTINGS.len()]);

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
    #[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
    pub(super) fn of_file(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::nothing());
        };
        let text = std::fs::read_to_string(path).map_err(|cause| {
            Error::io(format!("the configuration file {}", path.display()), cause)
        })?;
        Self::of_toml(&text)
    }

    /// What a TOML file sets.
    pub(super) fn of_toml(text: &str) -> Result<Self> {
        // The message of the parser quotes the line, which may hold a secret: only what is wrong is
        // passed on.
        let wrong = |what: &str| Error::invalid(format!("the configuration file: {what}"));
        let file: toml::Table =
            toml::from_str(text).map_err(|cause: toml::de::Error| wrong(cause.message()))?;
        let mut given = Self::nothing();
        for (name, value) in file {
            let at = SETTINGS.iter().position(|setting| setting.name == name);
            let at = at.ok_or_else(|| wrong(&unknown(&name)))?;
            let written = written(&SETTINGS[at].takes, value);
            given.0[at] = Some(written.map_err(|what| wrong(&format!("{name}: {what}")))?);
        }
        Ok(given)
    }

    /// These values, and `lower`'s where these say nothing.
    pub(super) fn over(&self, lower: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].clone().or_else(|| lower.0[at].clone())))
    }

    /// What they set, with defaults where nothing was set. What is wrong is told of whether it
    /// would matter or not.
    pub(super) fn check(&self) -> Result<Config> {
        let mut config = Config::unset();
        for (setting, given) in SETTINGS.iter().zip(&self.0) {
            match (given, &setting.default) {
                (Some(value), _) => setting.set(&mut config, value)?,
                (None, Fallback::Is(value)) => setting.set(&mut config, OsStr::new(value))?,
                (None, Fallback::Unset(_)) => {}
            }
        }
        config.mirror().map_or(Ok(()), |mirror| sink::check_database(&mirror.database))?;
        Ok(config)
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
    use toml::Value::{Boolean, Integer, String};
    match (takes, value) {
        (_, String(text)) => Ok(text.into()),
        (Takes::Number { .. } | Takes::Bytes { .. }, Integer(number)) => {
            Ok(number.to_string().into())
        }
        (Takes::Number { .. } | Takes::Bytes { .. }, _) => Err("expected a number"),
        (Takes::Yes { .. }, Boolean(flag)) => Ok(flag.to_string().into()),
        (Takes::Yes { .. }, _) => Err("expected true or false"),
        _ => Err("expected a string"),
    }
}
