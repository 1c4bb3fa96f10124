//! The files of TLS: certificate, key, and the certificates that vouch for operators.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::followed::Followed;
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::error::{Error, Result};
use crate::http::{Place, Tls, TlsPem};
use crate::settings::{Config, TlsFiles};

/// Whoever may read a file that is none of its owner and of its group.
const BY_OTHERS: u32 = 0o004;

/// The files, and what was made of them.
pub(super) struct Certificate {
    files: Followed,
    tls: Tls,
}

impl Certificate {
    /// Reads the files that are set, where some are.
    ///
    /// # Errors
    /// `Invalid` when one is missing that belongs to another, or they cannot be used; `Unavailable` when
    /// one cannot be read.
    pub(super) fn load(config: &Config) -> Result<Option<Self>> {
        let TlsFiles { certificate, key, operators_ca } = &config.tls;
        let (certificate, key) = match (certificate, key, operators_ca) {
            (Some(certificate), Some(key), _) => (certificate, key),
            (None, None, None) => return needed(config).map(|()| None),
            (None, None, Some(_)) => {
                return Err(Error::invalid("tls_operators_ca needs tls_certificate and tls_key"));
            }
            (Some(_), None, _) => return Err(Error::invalid("tls_certificate needs tls_key")),
            (None, Some(_), _) => return Err(Error::invalid("tls_key needs tls_certificate")),
        };
        warn_of_readers(key);
        let paths = [certificate, key].into_iter().chain(operators_ca).cloned().collect();
        let (files, texts) = Followed::open("the certificate and the key of TLS", paths)?;
        let tls = Tls::new(&pem(&texts), now_ms())?;
        Ok(Some(Self { files, tls }))
    }

    pub(super) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Shows what the files hold whenever they change, until it is dropped.
    pub(super) async fn follow(self) {
        let Self { files, tls } = self;
        let take = move |texts: &[Vec<u8>]| {
            tls.replace(&pem(texts), now_ms())?;
            let expires_at = tls.expires_at();
            tracing::info!(expires_at, "another certificate is shown to clients");
            Ok(())
        };
        files.follow(take).await;
    }
}

/// In the order in which they were opened.
fn pem(texts: &[Vec<u8>]) -> TlsPem {
    let at = |place: usize| texts.get(place).cloned();
    TlsPem {
        certificate: at(0).unwrap_or_default(),
        key: at(1).unwrap_or_default(),
        operators_ca: at(2),
    }
}

/// # Errors
/// `Invalid` when a place cannot do without.
fn needed(config: &Config) -> Result<()> {
    let needs = |place: &&Place| matches!(place, Place::Tls(_));
    let mut places = config.listen.iter().chain(&config.operators_listen);
    places.find(needs).map_or(Ok(()), |place| Err(place.without_certificate()))
}

/// It is not refused: where containers get secrets as files, everybody there may read them, and there
/// is nobody else.
#[allow(clippy::disallowed_methods, reason = "a file of the command line, not the engine's")]
fn warn_of_readers(key: &Path) {
    let mode = std::fs::metadata(key).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & BY_OTHERS != 0) {
        tracing::warn!(path = %key.display(), "every user of this machine may read the key of TLS");
    }
}

fn now_ms() -> u64 {
    SystemClock::default().now_ms()
}
