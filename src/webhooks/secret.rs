//! The secrets that messages are signed with, and the signature: Standard Webhooks 1.0, symmetric
//! (`v1`).
//!
//! Its reference libraries read a secret differently where it is unusual: without the prefix, without
//! padding, in the other alphabet, or of another length. So only what all of them read alike is a
//! secret here: `whsec_`, and 24 to 64 bytes in padded standard base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

use crate::base::error::{Error, Result};

const PREFIX: &str = "whsec_";
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;
/// How long the ones are that are made here.
const BYTES_MADE: usize = 32;

/// A secret. It is not shown by `Debug`, and wiped when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Secret(SecretSlice<u8>);

impl Secret {
    /// A random one.
    ///
    /// # Errors
    /// `Unavailable` when there are no random bytes.
    pub(crate) fn make() -> Result<Self> {
        let mut bytes = vec![0; BYTES_MADE];
        getrandom::fill(&mut bytes)
            .map_err(|cause| Error::unavailable("no random bytes").with_source(cause))?;
        Ok(Self(bytes.into()))
    }

    /// One that somebody chose.
    ///
    /// # Errors
    /// `Invalid` saying what a secret is, and nothing of what was given.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|bytes| (BYTES_MIN..=BYTES_MAX).contains(&bytes.len()));
        bytes.map(|bytes| Self(bytes.into())).ok_or_else(|| {
            Error::invalid(format!(
                "$.secret: it must be {PREFIX} and {BYTES_MIN} to {BYTES_MAX} bytes in padded standard base64"
            ))
        })
    }

    /// As its receiver has it.
    pub(crate) fn text(&self) -> SecretString {
        format!("{PREFIX}{}", STANDARD.encode(self.0.expose_secret())).into()
    }

    /// What signs a message: one part of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret());
        let mut mac = mac.expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the reference libraries' tests.
    #[test]
    fn a_signature_is_that_of_the_reference() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_what_all_read_alike_and_is_not_shown() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![0xfb; length]));
        for length in [24, 25, 32, 64] {
            let secret = Secret::parse(&of(length)).expect("a secret");
            assert_eq!(secret.text().expose_secret(), of(length));
            assert!(!format!("{secret:?}").contains("251"), "{secret:?}");
        }
        let (unprefixed, unpadded) = (of(24).replace("whsec_", ""), of(25).replace('=', ""));
        let url_safe = of(24).replace('+', "-").replace('/', "_");
        let spaced = format!("{} ", of(24));
        // The last digit has bits that are none of the bytes'.
        let uncanonical = format!("{}R==", &of(25)[..of(25).len() - 3]);
        let (short, long) = (of(23), of(65));
        for wrong in
            ["", "whsec_", &unprefixed, &unpadded, &url_safe, &spaced, &uncanonical, &short, &long]
        {
            let refused = Secret::parse(wrong).expect_err("it is none");
            assert!(wrong.len() < 10 || !refused.to_string().contains(wrong), "it is repeated");
        }
        let made = Secret::make().expect("random bytes").text();
        assert_eq!(made.expose_secret().len(), PREFIX.len() + 44);
        assert!(Secret::parse(made.expose_secret()).is_ok());
    }
}
