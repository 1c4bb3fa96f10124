//! From files in PEM to what rustls works with.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};

use super::TlsPem;
use super::validity;
use crate::base::TimeMs;
use crate::base::error::{Error, Result};

/// What clients may speak on top, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// All that follows from one certificate.
pub(super) struct Configs {
    pub(super) everybody: Arc<ServerConfig>,
    /// The same, unless operators must have certificates.
    pub(super) operators: Arc<ServerConfig>,
    pub(super) expires_at: Option<TimeMs>,
}

impl Configs {
    pub(super) fn new(pem: &TlsPem) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let certified = certified(pem, &provider)?;
        let expires_at = certified.cert.first().and_then(|leaf| validity::ends_at(leaf));
        let certified = Arc::new(certified);
        let everybody = versions(&provider)?.with_no_client_auth();
        let everybody = finished(everybody, &certified);
        let operators = match &pem.operators_ca {
            None => everybody.clone(),
            Some(ca) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(
                    roots(ca)?.into(),
                    provider.clone(),
                );
                let verifier = verifier.build().map_err(of_operators)?;
                finished(versions(&provider)?.with_client_cert_verifier(verifier), &certified)
            }
        };
        Ok(Self { everybody, operators, expires_at })
    }

    pub(super) fn has_ended(&self, now_ms: TimeMs) -> bool {
        self.expires_at.is_some_and(|end| end <= now_ms)
    }

    pub(super) fn check_lasts(&self, now_ms: TimeMs) -> Result<()> {
        match self.has_ended(now_ms) {
            false => Ok(()),
            true => Err(Error::invalid("the certificate has ended")),
        }
    }
}

fn versions(provider: &Arc<CryptoProvider>) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>> {
    // TLS 1.2 and 1.3: rustls has no others.
    let builder = ServerConfig::builder_with_provider(provider.clone());
    builder.with_safe_default_protocol_versions().map_err(|cause| wrong("TLS", cause))
}

fn finished(
    builder: ConfigBuilder<ServerConfig, tokio_rustls::rustls::server::WantsServerCert>,
    certified: &Arc<CertifiedKey>,
) -> Arc<ServerConfig> {
    let resolver = Arc::new(SingleCertAndKey::from(certified.clone()));
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Arc::new(config)
}

fn certified(pem: &TlsPem, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let chain = certificates("tls_certificate", &pem.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&pem.key);
    // Its cause might repeat what stands in the file.
    let key = key.map_err(|_| Error::invalid("tls_key holds no private key in PEM"))?;
    CertifiedKey::from_der(chain, key, provider)
        .map_err(|cause| wrong("tls_certificate and tls_key do not belong together", cause))
}

fn roots(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls_operators_ca", pem)? {
        roots.add(certificate).map_err(of_operators)?;
    }
    Ok(roots)
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let all = read.map_err(|cause| wrong(&format!("{what} cannot be read"), cause))?;
    match all.is_empty() {
        false => Ok(all),
        true => Err(Error::invalid(format!("{what} holds no certificate in PEM"))),
    }
}

fn of_operators(cause: impl fmt::Display) -> Error {
    wrong("tls_operators_ca cannot be used", cause)
}

fn wrong(what: &str, cause: impl fmt::Display) -> Error {
    Error::invalid(format!("{what}: {cause}"))
}
