//! A receiver as operators describe it, with its secrets, and as it is kept.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::kind::Wanted;
use super::secret::Secret;
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::outgoing::{Endpoint, Guard};

const ID_BYTES_MAX: usize = 32;
const DESCRIPTION_CHARS_MAX: usize = 200;
/// How many secrets sign at one time.
const SECRETS_MAX: usize = 3;

/// Why a receiver is sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Off {
    /// An operator wants it so.
    Operator,
    /// It answered that it is gone (410).
    Gone,
    /// It was so far behind that events it did not see are not kept any more.
    EventsLost,
    /// The data directory is a copy: what it has to say, the original says.
    Copied,
}

impl Off {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gone => "gone",
            Self::EventsLost => "eventsLost",
            Self::Copied => "copied",
        }
    }
}

/// A secret that signs, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    pub(super) secret: Secret,
    pub(crate) since: TimeMs,
    /// `None` for the one that is in force.
    pub(crate) ends_at: Option<TimeMs>,
}

#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) url: Endpoint,
    pub(crate) events: Wanted,
    pub(crate) description: String,
    pub(crate) off: Option<Off>,
    pub(crate) created_at: TimeMs,
    pub(crate) created_by: String,
    /// The newest first.
    pub(crate) secrets: Vec<Signing>,
}

/// A profile as it is kept. The file is its owner's alone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filed {
    url: String,
    #[serde(default)]
    events: Wanted,
    #[serde(default)]
    description: String,
    #[serde(default)]
    off: Option<Off>,
    created_at: TimeMs,
    created_by: String,
    secrets: Vec<FiledSecret>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FiledSecret {
    secret: String,
    since: TimeMs,
    #[serde(default)]
    ends_at: Option<TimeMs>,
}

impl Profile {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let secrets = self.secrets.iter().map(|it| FiledSecret {
            secret: it.secret.text().expose_secret().to_owned(),
            since: it.since,
            ends_at: it.ends_at,
        });
        let filed = Filed {
            url: self.url.to_string(),
            events: self.events.clone(),
            description: self.description.clone(),
            off: self.off,
            created_at: self.created_at,
            created_by: self.created_by.clone(),
            secrets: secrets.collect(),
        };
        serde_json::to_vec(&filed)
            .map_err(|cause| Error::invalid("a receiver cannot be written").with_source(cause))
    }

    /// # Errors
    /// `Corrupt` when it cannot be read; the message repeats no secret.
    pub(super) fn decode(body: &[u8]) -> Result<Self> {
        let corrupt = || Error::corrupt("a receiver of webhooks cannot be read");
        let filed: Filed = serde_json::from_slice(body).map_err(|_| corrupt())?;
        let secrets = filed.secrets.into_iter().map(|it| {
            let secret = Secret::parse(&it.secret)?;
            Ok(Signing { secret, since: it.since, ends_at: it.ends_at })
        });
        Ok(Self {
            url: Endpoint::parse(&filed.url)?,
            events: filed.events,
            description: filed.description,
            off: filed.off,
            created_at: filed.created_at,
            created_by: filed.created_by,
            secrets: secrets.collect::<Result<_>>()?,
        })
    }

    /// Another secret signs from now on, the one before for so long besides.
    ///
    /// # Errors
    /// `Overloaded` when as many sign as may.
    pub(super) fn rotate(&mut self, secret: Secret, now: TimeMs, overlap_ms: u64) -> Result<()> {
        self.secrets.retain(|it| it.ends_at.is_none_or(|ends_at| ends_at > now));
        let ends_at = now.saturating_add(overlap_ms);
        for before in &mut self.secrets {
            before.ends_at = Some(before.ends_at.map_or(ends_at, |it| it.min(ends_at)));
        }
        self.secrets.retain(|it| it.ends_at.is_none_or(|ends_at| ends_at > now));
        if self.secrets.len() >= SECRETS_MAX {
            let what = format!("{SECRETS_MAX} secrets sign already: wait until one ends");
            return Err(Error::overloaded(what));
        }
        self.secrets.insert(0, Signing { secret, since: now, ends_at: None });
        Ok(())
    }

    /// `webhook-signature`: a part for each secret that signs now.
    pub(super) fn sign(&self, id: &str, timestamp_s: u64, body: &[u8], now: TimeMs) -> String {
        let signing = self.secrets.iter();
        let signing = signing.filter(|it| it.ends_at.is_none_or(|ends_at| ends_at > now));
        let parts: Vec<_> = signing.map(|it| it.secret.sign(id, timestamp_s, body)).collect();
        parts.join(" ")
    }
}

/// # Errors
/// `Invalid` for what is no id.
pub(super) fn check_id(id: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    // It would hide behind the list of dead messages.
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(allowed) || id == "dead" {
        return Err(Error::invalid(format!(
            "receiverId: it must be 1 to {ID_BYTES_MAX} of a-z 0-9 -, and not \"dead\""
        )));
    }
    Ok(())
}

/// A URL that messages may be sent to: over TLS, unless the settings name its host.
///
/// # Errors
/// `Invalid` for any other.
pub(super) fn check_url(url: &str, guard: &Guard) -> Result<Endpoint> {
    let endpoint = Endpoint::parse(url)?;
    if !endpoint.is_tls() && !guard.knows(&endpoint) {
        return Err(Error::invalid(
            "the URL must begin with https://, unless webhook_private_hosts names its host",
        ));
    }
    Ok(endpoint)
}

/// # Errors
/// `Invalid` for one that is too long.
pub(super) fn check_description(description: String) -> Result<String> {
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        let what = format!("description: it must have at most {DESCRIPTION_CHARS_MAX} characters");
        return Err(Error::invalid(what));
    }
    Ok(description)
}

/// The secret that somebody chose, or a random one.
///
/// # Errors
/// `Invalid` for one that is none, `Unavailable` when there are no random bytes.
pub(super) fn secret(chosen: Option<&SecretString>) -> Result<Secret> {
    chosen.map_or_else(Secret::make, |chosen| Secret::parse(chosen.expose_secret()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn profile() -> Profile {
        Profile {
            url: Endpoint::parse("https://hooks.example/in").expect("a URL"),
            events: Wanted::parse(vec!["order.*".into()]).expect("names"),
            description: "till".into(),
            off: Some(Off::Operator),
            created_at: 7,
            created_by: "ops".into(),
            secrets: vec![Signing {
                secret: Secret::parse(SECRET).expect("a secret"),
                since: 7,
                ends_at: None,
            }],
        }
    }

    #[test]
    fn a_receiver_keeps_its_bytes() {
        let golden = concat!(
            r#"{"url":"https://hooks.example/in","events":["order.*"],"description":"till","#,
            r#""off":"operator","createdAt":7,"createdBy":"ops","secrets":[{"secret":"#,
            r#""whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","since":7,"endsAt":null}]}"#
        );
        let written = profile().encode().expect("it is written");
        assert_eq!(String::from_utf8_lossy(&written), golden);
        let read = Profile::decode(golden.as_bytes()).expect("it reads");
        assert_eq!(read.encode().expect("it is written"), written);
        let broken = golden.replace("whsec_", "");
        let why = Profile::decode(broken.as_bytes()).expect_err("no secret").to_string();
        assert!(!why.contains("MfKQ"), "{why}");
    }

    #[test]
    fn the_old_secret_signs_beside_the_new_one_until_it_ends() {
        let mut it = profile();
        let before = it.sign("msg_1", 1, b"{}", 10);
        it.rotate(Secret::make().expect("random bytes"), 10, 100).expect("there is room");
        let both = it.sign("msg_1", 1, b"{}", 109);
        assert!(both.ends_with(&format!(" {before}")), "{both}");
        let parts: Vec<_> = both.split(' ').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(it.sign("msg_1", 1, b"{}", 110), parts[0], "the old one has ended");
        // As many as may, and not one more.
        it.rotate(Secret::make().expect("random bytes"), 20, 100).expect("there is room");
        let full = it.rotate(Secret::make().expect("random bytes"), 30, 100);
        assert!(full.is_err() && it.secrets.len() == SECRETS_MAX);
        it.rotate(Secret::make().expect("random bytes"), 40, 0).expect("none is left beside it");
        assert_eq!(it.secrets.len(), 1);
    }

    #[test]
    fn what_a_receiver_is_called_and_where_it_is_has_a_form() {
        for wrong in ["", "A", "a b", "a/b", "dead", &"x".repeat(33), "茶"] {
            assert!(check_id(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_id("till-2").is_ok());
        let guard = Guard::new(["till.internal".to_owned()]);
        for (url, is_good) in [
            ("https://hooks.example", true),
            ("http://hooks.example", false),
            ("http://till.internal:81/x", true),
            ("https://ann:pw@hooks.example", false),
        ] {
            assert_eq!(check_url(url, &guard).is_ok(), is_good, "{url}");
        }
    }
}
