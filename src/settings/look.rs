//! Settings looked at as a whole: what is in force, where it comes from, and all that is wrong.

use std::ffi::OsStr;
use std::path::Path;

use super::config::Config;
use super::given::{Given, Wrong};
use super::setting::{Setting, Takes};
use super::table::SETTINGS;
use crate::http::SettingShown;

/// What was found.
pub(crate) struct Looked {
    pub(crate) in_force: Vec<SettingShown>,
    /// What is wrong has its default here, if it has one.
    pub(crate) config: Config,
    pub(crate) wrong: Vec<Wrong>,
    /// Variables that look like settings and are none.
    pub(crate) strangers: Vec<String>,
}

/// Looks at flags, and at what the process has besides them.
pub(super) fn look(flags: &Given, file: Option<&Path>) -> Looked {
    let environment = Given::of_environment(|name| std::env::var_os(name));
    let (file, mut wrong) = Given::look_at_file(file);
    let (config, others) = flags.over(&environment).over(&file).look();
    wrong.extend(others);
    let in_force = SETTINGS.iter().enumerate().map(|(at, setting)| {
        let flag = || format!("flag --{}", setting.flag().unwrap_or_default());
        let found = None
            .or_else(|| flags.at(at).map(|value| (value, flag())))
            .or_else(|| environment.at(at).map(|value| (value, setting.variable())))
            .or_else(|| file.at(at).map(|value| (value, "file".to_owned())));
        let (value, from) = match found {
            Some((value, from)) => (shown(setting, value), from),
            None => (setting.default_shown(), "default".to_owned()),
        };
        SettingShown { name: setting.name, value, from }
    });
    Looked { in_force: in_force.collect(), config, wrong, strangers: strangers() }
}

/// A value for people. Nobody needs to see a secret, and a URL may hold one that is none of ours.
fn shown(setting: &Setting, value: &OsStr) -> String {
    let text = value.to_string_lossy();
    let hides = matches!(setting.takes, Takes::Secret { .. });
    let has_login = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    if hides || has_login { "(not shown)".to_owned() } else { text.escape_debug().to_string() }
}

/// Names of variables that begin as those of settings do.
fn strangers() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let is_known = |name: &String| SETTINGS.iter().any(|setting| setting.variable() == *name);
    let mut strangers: Vec<_> =
        names.filter(|name| name.starts_with("STOCKHOLD_") && !is_known(name)).collect();
    strangers.sort();
    strangers
}
