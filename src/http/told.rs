//! The first answer to a keyed request, which its retries hear, whatever has become since of what it
//! is about.
//!
//! What acts keeps the key as well, so that nothing is done twice; the answer is kept under a key of
//! its own, after it was given by what acted and before it is sent. Should the process die between the
//! two, nobody has heard an answer, and the retry's is the first.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::call::{Call, Known};
use super::error::ApiError;
use super::etag::tagged;
use super::format::Format;
use super::reply::{Answer, HttpResponse};
use crate::base::IdempotencyKey;
use crate::base::error::Error;
use crate::mall::Tag;

/// What a client is told, with the tag of the document that it is of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    data: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
}

impl Told {
    pub(super) fn of<T: Serialize>(data: &T, tag: Option<Tag>) -> Result<Self, ApiError> {
        let data = serde_json::value::to_raw_value(data).map_err(unwritten)?;
        Ok(Self { data, tag: tag.map(|tag| tag.to_string()) })
    }

    /// What is kept, with another member.
    pub(super) fn with(&self, name: &str, value: &str) -> Result<Self, ApiError> {
        let mut data: Map<String, Value> =
            serde_json::from_str(self.data.get()).map_err(unwritten)?;
        data.insert(name.to_owned(), value.into());
        let data = serde_json::value::to_raw_value(&data).map_err(unwritten)?;
        Ok(Self { data, tag: self.tag.clone() })
    }

    fn read(kept: &[u8]) -> Result<Self, ApiError> {
        let corrupt = |cause| Error::corrupt("an answer that was kept is none").with_source(cause);
        serde_json::from_slice(kept).map_err(|cause| corrupt(cause).into())
    }
}

fn unwritten(cause: serde_json::Error) -> ApiError {
    Error::unavailable("an answer cannot be written").with_source(cause).into()
}

impl<Who, const N: usize> Call<'_, Who, N> {
    /// An answer as this client wants it.
    pub(super) fn tell(&self, told: &Told) -> Answer {
        let response = match self.format {
            Format::Json => self.success(&told.data),
            Format::MessagePack => {
                let value: Value = serde_json::from_str(told.data.get()).map_err(unwritten)?;
                self.success(&value)
            }
        };
        Ok(match told.tag.as_deref().and_then(Tag::parse) {
            Some(tag) => tagged(response, tag),
            None => response,
        })
    }
}

impl<Who: Known, const N: usize> Call<'_, Who, N> {
    /// What the first try of this request was told, where that is kept.
    pub(super) async fn told_before(
        &self,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<HttpResponse>, ApiError> {
        self.kept(key).await?.map(|told| self.tell(&told)).transpose()
    }

    async fn kept(&self, key: Option<IdempotencyKey>) -> Result<Option<Told>, ApiError> {
        let Some(key) = key else {
            return Ok(None);
        };
        let kept = self.app.mall.answered(key).await?;
        kept.map(|kept| Told::read(&kept)).transpose()
    }

    /// Keeps what this request is told for its retries, and tells it; or what another try was told,
    /// which was faster.
    pub(super) async fn tell_for_good(&self, key: Option<IdempotencyKey>, told: Told) -> Answer {
        self.tell(&self.settle(key, told).await?)
    }

    async fn settle(&self, key: Option<IdempotencyKey>, told: Told) -> Result<Told, ApiError> {
        let Some(key) = key else {
            return Ok(told);
        };
        let written = serde_json::to_vec(&told).map_err(unwritten)?;
        let kept = self.app.mall.keep_answer(key, &written).await?;
        kept.map_or(Ok(told), |kept| Told::read(&kept))
    }

    /// Acts, unless the first try was answered before.
    pub(super) async fn once(
        &self,
        key: Option<IdempotencyKey>,
        act: impl Future<Output = Result<Told, ApiError>>,
    ) -> Answer {
        self.tell(&self.once_told(key, act).await?)
    }

    /// The same, and what is to be told of it.
    pub(super) async fn once_told(
        &self,
        key: Option<IdempotencyKey>,
        act: impl Future<Output = Result<Told, ApiError>>,
    ) -> Result<Told, ApiError> {
        match self.kept(key).await? {
            Some(told) => Ok(told),
            None => self.settle(key, act.await?).await,
        }
    }
}
