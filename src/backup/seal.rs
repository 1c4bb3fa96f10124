//! Encryption of a backup's objects.
//!
//! Each object has a key of its own: HKDF-SHA256 of the backup's key, with a random salt that stands
//! before the object, for the object's name. So a key encrypts once, and an object that is put under
//! another's name does not open. The cipher is ChaCha20-Poly1305 with a nonce of zeros (RFC 8439,
//! RFC 5869), both by `ring`.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use secrecy::{ExposeSecret, SecretBox};

use crate::base::error::{Error, Result};

/// The bytes of a backup's key.
pub(crate) const KEY_BYTES: usize = 32;
const MAGIC: [u8; 8] = *b"STKHSEAL";
const SALT_BYTES: usize = 32;

/// The key of a backup.
pub(crate) struct Key(SecretBox<[u8; KEY_BYTES]>);

impl Key {
    /// A key as its file has it: 64 hexadecimal digits, and white space around them.
    ///
    /// # Errors
    /// `Invalid` when it is of another form. What it is, is not told.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let digits = text.trim().as_bytes();
        let mut bytes = [0; KEY_BYTES];
        let wrong = || {
            Error::invalid(format!(
                "the key of a backup must be {} hexadecimal digits, as from `openssl rand -hex {KEY_BYTES}`",
                2 * KEY_BYTES
            ))
        };
        if digits.len() != 2 * KEY_BYTES {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or_else(wrong);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Ok(Self(SecretBox::new(Box::new(bytes))))
    }

    /// Encrypts the object `name`.
    ///
    /// # Errors
    /// `Unavailable` when the system has no random numbers.
    pub(super) fn seal(&self, name: &str, content: &[u8]) -> Result<Vec<u8>> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|error| Error::unavailable(format!("no random salt for a backup: {error}")))?;
        let mut sealed = content.to_vec();
        self.of_object(name, &salt)
            .seal_in_place_append_tag(nonce(), Aad::from(MAGIC), &mut sealed)
            .map_err(|_| Error::invalid(format!("{name} is too large to be encrypted")))?;
        Ok([&MAGIC[..], &salt, &sealed].concat())
    }

    /// Decrypts the object `name`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, &'static str> {
        let rest = sealed.strip_prefix(&MAGIC).ok_or("it is not encrypted")?;
        let (salt, content) = rest.split_first_chunk().ok_or("it is too short")?;
        let mut content = content.to_vec();
        let opened =
            self.of_object(name, salt).open_in_place(nonce(), Aad::from(MAGIC), &mut content);
        let length = opened.map_err(|_| "the key does not fit, or it was changed")?.len();
        content.truncate(length);
        Ok(content)
    }

    fn of_object(&self, name: &str, salt: &[u8; SALT_BYTES]) -> LessSafeKey {
        let info = [b"stockhold backup", name.as_bytes()];
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, salt);
        let derived = salt.extract(self.0.expose_secret());
        let key = derived.expand(&info, &CHACHA20_POLY1305).map(UnboundKey::from);
        LessSafeKey::new(key.expect("32 bytes are fewer than HKDF gives"))
    }
}

/// Each key encrypts once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Whether an object looks encrypted.
pub(super) fn is_sealed(object: &[u8]) -> bool {
    object.starts_with(&MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

    #[test]
    fn only_the_right_key_opens_an_object_and_only_under_its_name() {
        let key = Key::parse(&format!("{HEX}\n")).expect("64 digits are a key");
        let sealed = key.seal("journal/1", b"records").expect("there are random numbers");
        assert!(is_sealed(&sealed));
        assert_eq!(key.open("journal/1", &sealed).as_deref(), Ok(&b"records"[..]));
        assert!(key.open("journal/2", &sealed).is_err());
        let other = Key::parse(&HEX.replace('F', "E")).expect("64 digits are a key");
        assert!(other.open("journal/1", &sealed).is_err());
        for (bit, changed) in crate::base::golden::flipped(&sealed) {
            assert!(key.open("journal/1", &changed).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(key.open("journal/1", &sealed[..length]).is_err(), "{length} bytes");
        }
        assert_ne!(key.seal("journal/1", b"records").ok(), Some(sealed), "each has its own salt");
    }

    /// The derivation and the cipher as the RFCs have them, computed with another implementation
    /// (Python's `cryptography`): what was encrypted once must open for good.
    #[test]
    fn what_was_encrypted_once_opens_for_good() {
        let key = Key::parse(HEX).expect("64 digits are a key");
        let sealed = crate::base::golden::bytes(GOLDEN);
        assert_eq!(key.open("journal/1", &sealed).as_deref(), Ok(&b"records"[..]));
    }

    const GOLDEN: &str = "53544b485345414c0707070707070707070707070707070707070707070707070707070707070707cb1abb01ad2f2cff02f05d7c0458367454b3e1c243c20c";

    #[test]
    fn keys_of_another_form_are_refused_and_not_repeated() {
        for wrong in ["", "secret", &HEX[1..], &HEX.replace('0', "g"), &format!("{HEX}00")] {
            let refused = Key::parse(wrong).map(|_| ()).expect_err("it is no key").to_string();
            assert!(wrong.is_empty() || !refused.contains(wrong), "{refused}");
        }
    }
}
