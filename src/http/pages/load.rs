//! What pages load.

use super::assets;
use super::page::AnyPage;
use crate::http::error::{ApiError, Code};
use crate::http::reply::Answer;

pub(super) async fn get(page: &AnyPage<'_, 1>) -> Answer {
    let [name] = page.call.path;
    assets::find(name).ok_or_else(|| ApiError::new(Code::NotFound))
}
