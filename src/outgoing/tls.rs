//! Whom the other side must be vouched for by.

use std::sync::Arc;

#[cfg(feature = "bin")]
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
#[cfg(feature = "bin")]
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
#[cfg(feature = "bin")]
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
#[cfg(feature = "bin")]
use tokio_rustls::rustls::{DigitallySignedStruct, Error as TlsError, SignatureScheme};

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

    /// Whoever answers: for who sends no secret, and asks this machine.
    ///
    /// # Errors
    /// `Invalid` when there is no version of TLS to speak.
    #[cfg(feature = "bin")]
    pub(crate) fn anybody() -> Result<Self> {
        let provider = ring::default_provider();
        let builder = ClientConfig::builder_with_provider(Arc::new(provider.clone()));
        let builder = builder.with_safe_default_protocol_versions().map_err(unreadable)?;
        let verifier = Arc::new(Anybody(provider));
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config) })
    }
}

/// Believes that whoever answers is who was asked.
#[cfg(feature = "bin")]
#[derive(Debug)]
struct Anybody(CryptoProvider);

#[cfg(feature = "bin")]
impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn unreadable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("the certificates cannot be used: {cause}")).with_source(cause)
}
