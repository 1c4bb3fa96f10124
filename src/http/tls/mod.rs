//! TLS towards clients: 1.2 and 1.3 by rustls, with a certificate that can be replaced while it is
//! used, and certificates of clients where operators must have one.

mod configs;
#[cfg(test)]
mod tests;
mod validity;

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio_rustls::TlsAcceptor;

use self::configs::Configs;
use crate::base::TimeMs;
use crate::base::error::Result;

/// What TLS begins with: the type of a record that shakes hands.
const HANDSHAKE: u8 = 0x16;

/// A certificate and what belongs to it, each as a file in PEM has it.
#[derive(Clone)]
pub struct TlsPem {
    /// The certificate, then those that vouch for it, but for the root.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// Whose certificates clients must have at a listener for operators; `None` where they need none.
    pub operators_ca: Option<Vec<u8>>,
}

/// The key is shown to nobody.
impl fmt::Debug for TlsPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, key: _, operators_ca } = self;
        f.debug_struct("TlsPem")
            .field("certificate", &certificate.len())
            .field("operators_ca", &operators_ca.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// How a server proves to be itself, and what it asks of its clients. Clones are one: what replaces the
/// certificate of one replaces it for all.
#[derive(Clone)]
pub struct Tls {
    configs: Arc<RwLock<Configs>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("expires_at", &self.expires_at()).finish_non_exhaustive()
    }
}

impl Tls {
    /// With this certificate. One that has ended, as of a time in milliseconds since 1970, is served and
    /// said to have ended: a server that does not start would help its clients less.
    ///
    /// # Errors
    /// `Invalid` when there is no certificate or no key, or they do not belong together, or the
    /// certificates for operators cannot be used.
    pub fn new(pem: &TlsPem, now_ms: TimeMs) -> Result<Self> {
        let configs = Configs::new(pem)?;
        if configs.has_ended(now_ms) {
            tracing::warn!("the certificate of TLS has ended: clients will refuse it");
        }
        Ok(Self { configs: Arc::new(RwLock::new(configs)) })
    }

    /// Shows another certificate to whoever connects from now on. Connections that there are keep what
    /// they agreed on.
    ///
    /// # Errors
    /// As [`Tls::new`], and `Invalid` when the new certificate has ended. Then the one before stays.
    pub fn replace(&self, pem: &TlsPem, now_ms: TimeMs) -> Result<()> {
        let configs = Configs::new(pem)?;
        configs.check_lasts(now_ms)?;
        *self.configs.write() = configs;
        Ok(())
    }

    /// When the certificate ends, in milliseconds since 1970; `None` where it does not say so in a way
    /// that is understood here.
    pub fn expires_at(&self) -> Option<TimeMs> {
        self.configs.read().expires_at
    }

    /// Shakes hands with whoever comes.
    pub(super) fn for_everybody(&self) -> TlsAcceptor {
        self.configs.read().everybody.clone().into()
    }

    /// Shakes hands with operators, who may need certificates.
    pub(super) fn for_operators(&self) -> TlsAcceptor {
        self.configs.read().operators.clone().into()
    }
}

/// Whether a client that sends this first speaks TLS.
pub(super) fn begins_with(byte: u8) -> bool {
    byte == HANDSHAKE
}
