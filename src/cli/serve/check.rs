//! `stockhold serve --check-config`: what a start would find, without one. Nothing is made, changed,
//! listened at or asked of anybody.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FileType, access, stat};

use super::certificate::Certificate;
use super::keys::KeysFile;
use super::keys_url::KeysAt;
use super::{ServeArgs, auth, besides, points_elsewhere};
use crate::base::error::{Error, Result};
use crate::cli::backup::{read_key, target};
use crate::cli::{audit, told};
use crate::engine::files::newer;
use crate::http::{Auth, Place};
use crate::outgoing::Trust;
use crate::process::traces::Traces;
use crate::process::{descriptors, logs, print};
use crate::settings::{Config, Looked, Wrong, secret};
use crate::vfs::{RealVfs, Vfs};

/// Something that a start looks at, beyond the form of each setting.
struct Check {
    /// What it is of. With one of these wrong already, it is left out.
    of: &'static [&'static str],
    /// What is to be known, where all is well.
    look: fn(&Config, demo: bool) -> Result<Option<String>>,
}

const CHECKS: &[Check] = &[
    Check { of: &["data_dir"], look: data_dir },
    Check { of: &["listen"], look: |config, _| sockets(&config.listen) },
    Check { of: &["operators_listen"], look: |config, _| sockets(&config.operators_listen) },
    Check { of: &["max_connections"], look: connections },
    Check { of: &["auth_secret", "auth_keys", "auth_keys_url"], look: secret },
    Check { of: &["auth_keys"], look: keys },
    Check { of: &["auth_keys_url", "auth_keys_http_host"], look: keys_url },
    Check { of: &["tls_certificate", "tls_key", "tls_operators_ca"], look: certificate },
    Check { of: &["log_file"], look: log_file },
    Check { of: &["otlp_endpoint", "otlp_headers_file"], look: traces },
    Check { of: &["reports_dir"], look: |config, _| optional(config.reports_dir.as_deref()) },
    Check { of: &["backup_to"], look: backup },
    Check { of: &["backup_key_file"], look: backup_key },
    Check { of: &["points_service", "points_service_secret"], look: points_service },
    Check { of: &["webhook_ca"], look: webhooks },
];

/// Prints the settings that are in force, and all that is wrong.
///
/// # Errors
/// `Invalid` when anything is.
pub(super) fn check(args: &ServeArgs) -> Result<()> {
    let Looked { in_force, config, mut wrong, strangers } = args.settings.look();
    let mut notes: Vec<String> =
        strangers.iter().map(|name| format!("{name} is set, and is no setting")).collect();
    for check in CHECKS {
        if wrong.iter().any(|wrong| wrong.setting.is_some_and(|name| check.of.contains(&name))) {
            continue;
        }
        match (check.look)(&config, args.demo) {
            Ok(note) => notes.extend(note),
            Err(error) => wrong.push(Wrong { setting: Some(check.of[0]), error }),
        }
    }
    let rows: Vec<_> =
        in_force.into_iter().map(|it| [it.name.to_owned(), it.value, it.from]).collect();
    let mut text = audit::table(["setting", "value", "from"], &[], &rows);
    if let Some(file) = args.settings.file() {
        text.push_str(&format!("\nThe file is {}.\n", file.display()));
    }
    for note in notes {
        text.push_str(&format!("\nNote: {note}.\n"));
    }
    print(&text)?;
    for Wrong { setting, error } in &wrong {
        let told = told(error);
        match setting.filter(|name| !told.contains(name)) {
            Some(name) => logs::say(&format!("stockhold: {name}: {told}")),
            None => logs::say(&format!("stockhold: {told}")),
        }
    }
    match wrong.len() {
        0 => print("\nA server would start with these settings.\n"),
        1 => Err(Error::invalid("one thing is wrong: a server would not start")),
        count => Err(Error::invalid(format!("{count} things are wrong: a server would not start"))),
    }
}

fn data_dir(config: &Config, _: bool) -> Result<Option<String>> {
    let made = writable(&config.data_dir)?;
    newer::check(&RealVfs, &absolute(&config.data_dir)?).map(|()| made)
}

fn connections(config: &Config, _: bool) -> Result<Option<String>> {
    let is_apart = !config.operators_listen.is_empty();
    let besides = besides(config, is_apart, config.mirror().as_ref());
    descriptors::foreseen(config.limits.connections, besides)
}

/// Whether Unix sockets could be made; whether a place is free is not asked, since the server that is
/// to be followed may have it.
fn sockets(places: &[Place]) -> Result<Option<String>> {
    for place in places {
        match place {
            Place::Unix(path) => may_write(path.parent().unwrap_or(path))?,
            Place::Tcp(_) | Place::Tls(_) => {}
        }
    }
    Ok(None)
}

fn secret(config: &Config, demo: bool) -> Result<Option<String>> {
    let is_made = demo && config.auth_secret.is_none();
    if is_made && secret::find_demo(&config.data_dir)?.is_none() {
        return Ok(Some("a secret will be made for the demo".to_owned()));
    }
    auth(config, demo).map(|_| None)
}

fn keys(config: &Config, _: bool) -> Result<Option<String>> {
    let load = |path: &Path| KeysFile::load(path, &Auth::without_secret());
    config.auth_keys.as_deref().map(load).transpose().map(|_| None)
}

fn keys_url(config: &Config, _: bool) -> Result<Option<String>> {
    config.keys_url().map(KeysAt::new).transpose().map(|_| None)
}

fn certificate(config: &Config, _: bool) -> Result<Option<String>> {
    Certificate::load(config).map(|_| None)
}

fn log_file(config: &Config, _: bool) -> Result<Option<String>> {
    let Some(path) = &config.log.file else { return Ok(None) };
    match access(path, Access::WRITE_OK) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = absolute(path)?;
            may_write(path.parent().unwrap_or(&path)).map(|()| None)
        }
        Err(error) => Err(Error::io(path.display(), error.into())),
    }
}

fn traces(config: &Config, _: bool) -> Result<Option<String>> {
    let traces = config.traces()?.map(|traces| Traces::new(&traces, &config.log.service));
    traces.transpose().map(|_| None)
}

fn backup(config: &Config, _: bool) -> Result<Option<String>> {
    let Some(backup) = config.backup() else { return Ok(None) };
    target(&backup.to)?;
    if backup.to.starts_with("s3://") { Ok(None) } else { writable(Path::new(&backup.to)) }
}

fn backup_key(config: &Config, _: bool) -> Result<Option<String>> {
    let key_file = config.backup().and_then(|backup| backup.key_file);
    key_file.as_deref().map(read_key).transpose().map(|_| None)
}

fn points_service(config: &Config, _: bool) -> Result<Option<String>> {
    config.points()?.map(points_elsewhere).transpose().map(|_| None)
}

fn webhooks(config: &Config, _: bool) -> Result<Option<String>> {
    Trust::new(config.webhooks()?.ca_pem.as_deref()).map(|_| None)
}

fn optional(dir: Option<&Path>) -> Result<Option<String>> {
    dir.map_or(Ok(None), writable)
}

/// Whether files can be made in a directory, which may be missing.
fn writable(dir: &Path) -> Result<Option<String>> {
    let dir = absolute(dir)?;
    for at in dir.ancestors() {
        match stat(at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(at.display(), error.into())),
            Ok(_) => {
                may_write(at)?;
                let is_missing = at != dir;
                return Ok(is_missing.then(|| format!("{} will be made", dir.display())));
            }
        }
    }
    Err(Error::not_found(format!("there is nowhere to make {}", dir.display())))
}

/// # Errors
/// `Invalid` when it is no directory, `Unavailable` when nothing can be made in it.
fn may_write(dir: &Path) -> Result<()> {
    let failed = |error: rustix::io::Errno| Error::io(dir.display(), error.into());
    let is_dir = FileType::from_raw_mode(stat(dir).map_err(failed)?.st_mode).is_dir();
    if !is_dir {
        return Err(Error::invalid(format!("{} is no directory", dir.display())));
    }
    access(dir, Access::WRITE_OK | Access::EXEC_OK).map_err(failed)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    RealVfs.absolute(path).map_err(|error| Error::io(path.display(), error))
}
