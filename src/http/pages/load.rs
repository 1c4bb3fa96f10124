//! What pages load.

use super::assets;
use super::page::Page;
use crate::http::error::{ApiError, Code};
use crate::http::reply::Answer;

pub(super) async fn get(page: &Page<'_, 1>) -> Answer {
    let [name] = page.path;
    assets::find(name).ok_or_else(|| ApiError::new(Code::NotFound))
}
