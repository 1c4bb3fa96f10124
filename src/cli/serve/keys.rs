//! The file with the keys of tokens, read again when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::followed::{self, Followed};
use crate::base::error::{Error, Result};
use crate::http::Auth;

const WHAT: &str = "the keys of tokens";

/// The file.
#[derive(Clone)]
pub(super) struct KeysFile {
    path: PathBuf,
    file: Followed,
}

impl KeysFile {
    /// Gives the keys of the file to `auth`.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be read, `Invalid` when it is wrong.
    pub(super) fn load(path: &Path, auth: &Auth) -> Result<Self> {
        let (file, texts) = Followed::open(WHAT, vec![path.to_owned()])?;
        let failed = |cause: Error| Error::invalid(format!("{}: {cause}", path.display()));
        for bytes in texts {
            auth.replace_keys(&text(path, bytes)?).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Gives its keys to `auth` whenever they are others, until it is dropped.
    pub(super) async fn follow(self, auth: Arc<Auth>) {
        let Self { path, file } = self;
        let take = move |texts: &[Vec<u8>]| {
            let replace = |bytes: &Vec<u8>| auth.replace_keys(&text(&path, bytes.clone())?);
            texts.iter().try_for_each(replace)
        };
        file.follow(take).await;
    }
}

/// What the file says.
///
/// # Errors
/// `Unavailable` when it cannot be read, `Invalid` when it is too long or no text.
pub(in crate::cli) fn read(path: &Path) -> Result<String> {
    text(path, followed::read(WHAT, path)?)
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes);
    text.map_err(|_| Error::invalid(format!("{} is no text in UTF-8", path.display())))
}
