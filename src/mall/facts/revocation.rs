//! Revocations: which tokens are good no more. One is a document named for the user; its stamp says
//! who made it, and when.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;

/// The collection of their documents.
pub(crate) const REVOCATIONS: &str = "revocation";
/// The name of the one that is everybody's: no user can be called that.
pub(crate) const EVERYBODY: &str = "*";

/// Tokens of a user, or of everybody, that are good no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revocation {
    /// Whose; [`EVERYBODY`] for all.
    pub(crate) user_id: String,
    /// Those that were made before this.
    pub(crate) issued_before: TimeMs,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::facts::document::{self, Stamp};

    #[test]
    fn revocations_keep_their_bytes() {
        let of = |user: &str, reason: Option<&str>| Revocation {
            user_id: user.into(),
            issued_before: 1_700,
            reason: reason.map(str::to_owned),
        };
        for (revocation, bytes) in [
            (
                of("ann", Some("lost")),
                concat!(
                    r#"{"version":1,"userId":"ann","issuedBefore":1700,"reason":"lost","#,
                    r#""updatedAt":1800,"updatedBy":"root"}"#
                ),
            ),
            (
                of(EVERYBODY, None),
                concat!(
                    r#"{"version":1,"userId":"*","issuedBefore":1700,"reason":null,"#,
                    r#""updatedAt":1800,"updatedBy":"root"}"#
                ),
            ),
        ] {
            let stamp = Stamp { updated_at: Some(1_800), updated_by: Some("root".into()) };
            let (_, body) = document::written(revocation.clone(), stamp).expect("it writes");
            assert_eq!(String::from_utf8(body).expect("JSON"), bytes);
            let read = document::read::<Revocation>(bytes.as_bytes()).expect("it reads");
            assert_eq!(read.content, revocation);
        }
    }
}
