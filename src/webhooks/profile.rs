//! A receiver as operators describe it, with its secrets, and as it is kept.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::kind::Wanted;
use super::secret::Secret;
use crate::base::error::{Error, Result};
use crate::base::{IdempotencyKey, TimeMs};
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
    /// The key of the request that made it.
    pub(super) made_under: Option<MadeUnder>,
}

/// The key of a request, with what its body was: who asks again finds the secret that the first try
/// made, and no answer has to be kept that has a secret in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MadeUnder {
    key: u128,
    body: u64,
}

impl MadeUnder {
    pub(super) fn of(key: IdempotencyKey) -> Self {
        Self { key: key.number(), body: key.body().unwrap_or_default() }
    }

    fn text(self) -> String {
        format!("{:032x}{:016x}", self.key, self.body)
    }

    fn parse(text: &str) -> Option<Self> {
        let (key, body) = text.split_at_checked(32)?;
        let (key, body) = (u128::from_str_radix(key, 16), u64::from_str_radix(body, 16));
        Some(Self { key: key.ok()?, body: body.ok()? })
    }
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_under: Option<String>,
}

impl Profile {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let secrets = self.secrets.iter().map(|it| FiledSecret {
            secret: it.secret.text().expose_secret().to_owned(),
            since: it.since,
            ends_at: it.ends_at,
            made_under: it.made_under.map(MadeUnder::text),
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
            let made_under = it.made_under.as_deref().and_then(MadeUnder::parse);
            Ok(Signing { secret, since: it.since, ends_at: it.ends_at, made_under })
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

    /// The secret that was made under a key.
    ///
    /// # Errors
    /// `Conflict` when the body was another.
    pub(super) fn made_under(&self, under: Option<MadeUnder>) -> Result<Option<&Secret>> {
        let Some(under) = under else {
            return Ok(None);
        };
        let has_key = |it: &&Signing| it.made_under.is_some_and(|made| made.key == under.key);
        match self.secrets.iter().find(has_key) {
            Some(it) if it.made_under == Some(under) => Ok(Some(&it.secret)),
            Some(_) => Err(Error::conflict("the key was used with another body")),
            None => Ok(None),
        }
    }

    /// Another secret signs from now on, the one before for so long besides.
    ///
    /// # Errors
    /// `Overloaded` when as many sign as may.
    pub(super) fn rotate(
        &mut self,
        secret: Secret,
        under: Option<MadeUnder>,
        now: TimeMs,
        overlap_ms: u64,
    ) -> Result<()> {
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
        let (since, ends_at, made_under) = (now, None, under);
        self.secrets.insert(0, Signing { secret, since, ends_at, made_under });
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
            "$.receiverId: it must be 1 to {ID_BYTES_MAX} of a-z 0-9 -, and not \"dead\""
        )));
    }
    Ok(())
}

/// A URL that messages may be sent to: over TLS and at no address that is not public, unless the
/// settings name its host. What a name stands for is looked at when something is sent.
///
/// # Errors
/// `Invalid` for any other.
pub(super) fn check_url(url: &str, guard: &Guard) -> Result<Endpoint> {
    let wrong = |why: String| Error::invalid(format!("$.url: {why}"));
    let endpoint = Endpoint::parse(url).map_err(|error| wrong(error.to_string()))?;
    let objection = match guard.objection(&endpoint) {
        None if !endpoint.is_tls() && !guard.knows(&endpoint) => Some("must begin with https://"),
        objection => objection,
    };
    match objection {
        None => Ok(endpoint),
        Some(why) => {
            Err(wrong(format!("the URL {why}, unless webhook_private_hosts names its host")))
        }
    }
}

/// # Errors
/// `Invalid` for one that is too long.
pub(super) fn check_description(description: String) -> Result<String> {
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        let what =
            format!("$.description: it must have at most {DESCRIPTION_CHARS_MAX} characters");
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
                made_under: None,
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

    fn rotate(profile: &mut Profile, now: TimeMs, overlap_ms: u64) -> Result<()> {
        profile.rotate(Secret::make().expect("random bytes"), None, now, overlap_ms)
    }

    #[test]
    fn a_secret_is_found_again_by_the_key_that_made_it() {
        let key = |body: &[u8]| {
            let key = IdempotencyKey::new("ops", "k").expect("a key").with_body(body);
            MadeUnder::of(key)
        };
        let mut it = profile();
        assert!(it.made_under(Some(key(b"{}"))).expect("no conflict").is_none());
        let secret = Secret::make().expect("random bytes");
        it.rotate(secret.clone(), Some(key(b"{}")), 10, 100).expect("there is room");
        let kept = it.encode().expect("it is written");
        let again = Profile::decode(&kept).expect("it reads");
        let found = again.made_under(Some(key(b"{}"))).expect("no conflict").expect("it is there");
        assert_eq!(found.text().expose_secret(), secret.text().expose_secret());
        let other = again.made_under(Some(key(b"{} "))).expect_err("it is another request");
        assert_eq!(other.kind(), crate::base::error::ErrorKind::Conflict);
        assert!(again.made_under(None).expect("no conflict").is_none());
    }

    #[test]
    fn the_old_secret_signs_beside_the_new_one_until_it_ends() {
        let mut it = profile();
        let before = it.sign("msg_1", 1, b"{}", 10);
        rotate(&mut it, 10, 100).expect("there is room");
        let both = it.sign("msg_1", 1, b"{}", 109);
        assert!(both.ends_with(&format!(" {before}")), "{both}");
        let parts: Vec<_> = both.split(' ').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(it.sign("msg_1", 1, b"{}", 110), parts[0], "the old one has ended");
        // As many as may, and not one more.
        rotate(&mut it, 20, 100).expect("there is room");
        let full = rotate(&mut it, 30, 100);
        assert!(full.is_err() && it.secrets.len() == SECRETS_MAX);
        rotate(&mut it, 40, 0).expect("none is left beside it");
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
            ("https://8.8.8.8/", true),
            ("https://10.0.0.1/", false),
            ("https://[::ffff:10.0.0.1]/", false),
        ] {
            assert_eq!(check_url(url, &guard).is_ok(), is_good, "{url}");
        }
    }
}
