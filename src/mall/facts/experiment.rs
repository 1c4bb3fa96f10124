//! Experiments: a document for each run of one, and documents with those who took part.
//!
//! Users are numbers there: see [`Member`](crate::mall::experiments). They are written in pieces, so
//! that one more costs one piece.

use serde::{Deserialize, Serialize};

use crate::base::TimeMs;

/// The collection of runs, named `EXPERIMENT.RUN`.
pub(crate) const EXPERIMENTS: &str = "experiment";
/// The collection of pieces, named `EXPERIMENT.RUN.PIECE`.
pub(crate) const EXPERIMENT_USERS: &str = "experiment-users";

/// An experiment with one definition, from when it began until it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExperimentRun {
    pub(crate) name: String,
    /// From 1 on; every other definition, or window, is another run.
    pub(crate) run: u64,
    /// As the configuration has it.
    pub(crate) definition: String,
    /// How long after a user saw it an exchange counts.
    pub(crate) window_ms: u64,
    pub(crate) begun_at: TimeMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<RunEnd>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunEnd {
    pub(crate) at: TimeMs,
    /// Whether more users saw it than were counted.
    pub(crate) is_full: bool,
    /// For each variant.
    pub(crate) counts: Vec<RunCount>,
}

/// How many users saw a variant, and how many of them exchanged something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunCount {
    pub(crate) exposed: u64,
    pub(crate) converted: u64,
}

/// Some of those who took part in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunUsers {
    pub(crate) users: Vec<RunUser>,
}

/// Who, as 16 hexadecimal digits; when it was exposed first; and when it exchanged something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunUser(pub(crate) String, pub(crate) TimeMs, pub(crate) Option<TimeMs>);

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::mall::facts::document::{self, Stamp};

    #[track_caller]
    fn check<T: Serialize + DeserializeOwned + PartialEq + Clone + std::fmt::Debug>(
        content: &T,
        bytes: &str,
    ) {
        let written = document::written(content.clone(), Stamp::default()).expect("it writes");
        assert_eq!(String::from_utf8(written.1).expect("JSON"), bytes);
        let read = document::read::<T>(bytes.as_bytes()).expect("it reads");
        assert_eq!(read.content, *content);
    }

    #[test]
    fn experiments_keep_their_bytes() {
        let run = ExperimentRun {
            name: "reco".into(),
            run: 2,
            definition: "reco a=balanced:50 b=price:50".into(),
            window_ms: 604_800_000,
            begun_at: 1_700,
            end: None,
        };
        check(
            &run,
            concat!(
                r#"{"version":1,"name":"reco","run":2,"definition":"reco a=balanced:50 b=price:50","#,
                r#""windowMs":604800000,"begunAt":1700}"#
            ),
        );
        let counts = vec![RunCount { exposed: 5, converted: 1 }, RunCount::default()];
        check(
            &ExperimentRun { end: Some(RunEnd { at: 1_800, is_full: false, counts }), ..run },
            concat!(
                r#"{"version":1,"name":"reco","run":2,"definition":"reco a=balanced:50 b=price:50","#,
                r#""windowMs":604800000,"begunAt":1700,"end":{"at":1800,"isFull":false,"#,
                r#""counts":[{"exposed":5,"converted":1},{"exposed":0,"converted":0}]}}"#
            ),
        );
        let users = vec![
            RunUser("92af8702d0170ee1".into(), 1_700, None),
            RunUser("00000000000000ff".into(), 1_700, Some(1_750)),
        ];
        check(
            &RunUsers { users },
            concat!(
                r#"{"version":1,"users":[["92af8702d0170ee1",1700,null],"#,
                r#"["00000000000000ff",1700,1750]]}"#
            ),
        );
    }
}
