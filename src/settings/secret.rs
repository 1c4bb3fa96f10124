//! The secret behind the tokens: configured, or made for a demo.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::base::error::{Error, Result};
use crate::http::SECRET_BYTES_MIN;

const DEMO_SECRET: &str = "demo-secret";
const DEMO_SECRET_BYTES: usize = 32;

/// The configured secret, or that of the demo in `data_dir`.
pub(crate) fn configured_or_demo(
    configured: Option<SecretString>,
    data_dir: &Path,
) -> Result<SecretString> {
    let secret = match configured {
        Some(secret) => Some(secret),
        None => find_demo(data_dir)?,
    };
    secret.ok_or_else(|| {
        Error::invalid(format!(
            "there is no secret: set STOCKHOLD_AUTH_SECRET, or auth_secret in the configuration file, or name the \
             directory of a demo with --data-dir (looked in {})",
            data_dir.display()
        ))
    })
}

/// The demo's secret in `data_dir`, made at random the first time; only its owner can read the
/// file.
#[allow(clippy::disallowed_methods, reason = "a file of the command line, not the engine's")]
pub(crate) fn demo(data_dir: &Path) -> Result<SecretString> {
    if let Some(secret) = find_demo(data_dir)? {
        return Ok(secret);
    }
    let path = data_dir.join(DEMO_SECRET);
    let failed = |cause| Error::io(format!("the demo's secret {}", path.display()), cause);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    let secret = random()?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.map_err(failed)?;
    file.write_all(secret.expose_secret().as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    Ok(secret)
}

/// The demo's secret, if a demo ran in `data_dir`.
#[allow(clippy::disallowed_methods, reason = "a file of the command line, not the engine's")]
pub(crate) fn find_demo(data_dir: &Path) -> Result<Option<SecretString>> {
    let path = data_dir.join(DEMO_SECRET);
    match std::fs::read_to_string(&path) {
        Ok(secret) if secret.trim().len() < SECRET_BYTES_MIN => Err(Error::invalid(format!(
            "the demo's secret {} was cut short: remove it, and the next start makes another",
            path.display()
        ))),
        Ok(secret) => Ok(Some(SecretString::from(secret.trim().to_owned()))),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io(format!("the demo's secret {}", path.display()), cause)),
    }
}

/// The secret in a file, without the white space around it.
///
/// # Errors
/// `Unavailable` when it cannot be read, `Invalid` when there is none in it.
#[allow(clippy::disallowed_methods, reason = "a file of the command line, not the engine's")]
pub(crate) fn of_file(path: &Path) -> Result<SecretString> {
    let read = std::fs::read_to_string(path);
    let secret =
        read.map_err(|cause| Error::io(format!("the secret {}", path.display()), cause))?;
    match secret.trim() {
        "" => Err(Error::invalid(format!("there is no secret in {}", path.display()))),
        secret => Ok(SecretString::from(secret.to_owned())),
    }
}

/// A random secret.
pub(crate) fn random() -> Result<SecretString> {
    Ok(SecretString::from(random_hex(DEMO_SECRET_BYTES)?))
}

/// `bytes` random bytes in hexadecimal.
pub(crate) fn random_hex(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)
        .map_err(|cause| Error::unavailable(format!("no random bytes: {cause}")))?;
    let mut hex = String::with_capacity(2 * bytes);
    for byte in random {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "looks at the file's mode")]
    fn a_demo_keeps_its_secret_to_its_owner() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(find_demo(dir.path()).expect("readable").is_none(), "no demo ran here");
        let made = demo(dir.path()).expect("a secret");
        let again = demo(dir.path()).expect("a secret");
        assert_eq!(made.expose_secret(), again.expose_secret());
        assert_eq!(made.expose_secret().len(), 2 * DEMO_SECRET_BYTES);
        let mode =
            std::fs::metadata(dir.path().join(DEMO_SECRET)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
