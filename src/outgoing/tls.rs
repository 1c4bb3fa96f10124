//! Whom the other side must be vouched for by.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::base::error::{Error, Result};

/// The certificates of those who vouch for others: the roots that browsers trust, and more where
/// more were given.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pub(super) config: Arc<ClientConfig>,
}

impl Trust {
    /// The browsers' roots, and the certificates of a PEM file.
    ///
    /// # Errors
    /// `Invalid` when it has none, or one that cannot be read.
    pub(crate) fn new(pem: Option<&[u8]>) -> Result<Self> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(pem) = pem {
            let known = roots.len();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(unreadable)?;
                roots.add(certificate).map_err(unreadable)?;
            }
            if roots.len() == known {
                return Err(Error::invalid("the PEM file holds no certificate"));
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(unreadable)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config) })
    }
}

fn unreadable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("the certificates cannot be used: {cause}")).with_source(cause)
}
