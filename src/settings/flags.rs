//! Settings as flags of a command: all of them, or those that a command shares with the server.

use std::ffi::{OsStr, OsString};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::config::Config;
use super::given::Given;
use super::look::{self, Looked};
use super::setting::{LIST_BETWEEN, Setting, Takes};
use super::table::SETTINGS;
use crate::base::error::Result;

/// The id and the flag of the file.
const FILE: &str = "config";

/// Which settings a command has flags for.
pub(crate) trait Which {
    /// Whether the setting with this name is one of them.
    fn has(name: &str) -> bool;
}

/// All of them.
pub(crate) struct OfServer;
/// Where the data are.
pub(crate) struct OfData;
/// Where the data are, and where the days of points end.
pub(crate) struct OfPoints;
/// Where the data are, and what tokens are signed with.
pub(crate) struct OfTokens;
/// Where a server listens.
pub(crate) struct OfProbe;
/// Where the data are, and which days they are told by.
pub(crate) struct OfReport;
/// Where the data are, and the service that keeps the points.
pub(crate) struct OfPointsService;
/// Where the data are, and the database that mirrors them.
#[cfg(feature = "mysql")]
pub(crate) struct OfMirror;

impl Which for OfServer {
    fn has(_: &str) -> bool {
        true
    }
}

impl Which for OfData {
    fn has(name: &str) -> bool {
        name == "data_dir"
    }
}

impl Which for OfPoints {
    fn has(name: &str) -> bool {
        ["data_dir", "points_day"].contains(&name)
    }
}

impl Which for OfTokens {
    fn has(name: &str) -> bool {
        ["data_dir", "auth_keys", "auth_issuer", "auth_audience"].contains(&name)
    }
}

impl Which for OfProbe {
    fn has(name: &str) -> bool {
        name == "listen"
    }
}

impl Which for OfReport {
    fn has(name: &str) -> bool {
        let asked = ["listen", "operators_listen", "auth_issuer", "auth_audience"];
        ["data_dir", "time_zone"].contains(&name) || asked.contains(&name)
    }
}

impl Which for OfPointsService {
    fn has(name: &str) -> bool {
        ["data_dir", "points_service", "points_service_secret_file", "points_service_timeout"]
            .contains(&name)
    }
}

#[cfg(feature = "mysql")]
impl Which for OfMirror {
    fn has(name: &str) -> bool {
        ["data_dir", "mirror_url", "mirror_ca", "mirror_prefix"].contains(&name)
    }
}

/// What the flags of a command say of the settings, and `--config`.
pub(crate) struct Flags<W> {
    given: Given,
    file: Option<PathBuf>,
    which: PhantomData<W>,
}

impl<W> Flags<W> {
    /// The settings of this process: these flags, then its environment, then the file.
    ///
    /// # Errors
    /// `Invalid` naming a setting that is wrong, and what is allowed; `Unavailable` when the file
    /// cannot be read.
    pub(crate) fn settings(&self) -> Result<Config> {
        let environment = Given::of_environment(|name| std::env::var_os(name));
        let file = Given::of_file(self.file.as_deref())?;
        self.given.over(&environment).over(&file).check()
    }

    /// As [`Self::settings`], with all that is wrong, and where each setting comes from.
    pub(crate) fn look(&self) -> Looked {
        look::look(&self.given, self.file.as_deref())
    }

    /// The file that is read besides.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl<W: Which> Args for Flags<W> {
    fn augment_args(command: Command) -> Command {
        let settings = SETTINGS.into_iter().filter(|setting| W::has(setting.name));
        command.args(settings.filter_map(arg)).arg(
            Arg::new(FILE)
                .long(FILE)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file with the server's settings, and auth_secret"),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<W: Which> FromArgMatches for Flags<W> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Given::of(|setting| {
            if setting.flag().is_none() || !W::has(setting.name) {
                return None;
            }
            match setting.takes {
                Takes::Yes { .. } => matches.get_flag(setting.name).then(|| "false".into()),
                Takes::List { .. } => matches.get_many(setting.name).map(joined),
                _ => matches.get_one::<OsString>(setting.name).cloned(),
            }
        });
        Ok(Self { given, file: matches.get_one(FILE).cloned(), which: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A flag that was repeated as one would write it elsewhere.
fn joined<'a>(all: impl Iterator<Item = &'a OsString>) -> OsString {
    let all: Vec<_> = all.map(OsString::as_os_str).collect();
    all.join(OsStr::new(&LIST_BETWEEN.to_string()))
}

/// The flag of a setting, where it has one.
fn arg(setting: &'static Setting) -> Option<Arg> {
    let arg = Arg::new(setting.name).long(setting.flag()?);
    let (help, variable) = (setting.help, setting.variable());
    Some(match setting.takes {
        Takes::Yes { .. } => {
            arg.action(ArgAction::SetTrue).help(format!("{help} [env: {variable}=false]"))
        }
        _ => {
            let default = setting.default_shown();
            let arg = match setting.takes {
                Takes::List { .. } => arg.action(ArgAction::Append),
                _ => arg,
            };
            arg.value_name(setting.value)
                .value_parser(value_parser!(OsString))
                .help(format!("{help} [default: {default}] [env: {variable}]"))
        }
    })
}
