//! The catalogue as operators change it.

use std::sync::Arc;

use super::catalogue::{Editor, Import, Imported, Kind};
use super::model::Violation;
use super::{Failure, Mall, Seen};
use crate::base::error::Result;

/// What makes another document of one.
pub(crate) type Make<T> = Box<dyn FnOnce(&T) -> std::result::Result<T, Violation> + Send>;

type Outcome<T> = std::result::Result<T, Failure>;

/// One change waits for the disk while others wait for it: beside the runtime's workers.
impl Mall {
    pub(crate) async fn create<T: Kind>(
        &self,
        content: T,
        editor: Editor,
    ) -> Outcome<Arc<T::Shown>> {
        let mall = self.clone();
        let act = move || Ok(mall.shared.catalogue.create(mall.engine(), content, &editor));
        self.act(act).await?
    }

    pub(crate) async fn change<T: Kind>(
        &self,
        id: &str,
        seen: Seen,
        editor: Editor,
        make: Make<T>,
    ) -> Outcome<Arc<T::Shown>> {
        let (mall, id) = (self.clone(), id.to_owned());
        let act =
            move || Ok(mall.shared.catalogue.change(mall.engine(), &id, &seen, &editor, make));
        self.act(act).await?
    }

    pub(crate) async fn remove<T: Kind>(
        &self,
        id: &str,
        seen: Seen,
        editor: Editor,
    ) -> Outcome<()> {
        let (mall, id) = (self.clone(), id.to_owned());
        let act = move || Ok(mall.shared.catalogue.remove::<T>(mall.engine(), &id, &seen, &editor));
        self.act(act).await?
    }

    /// Imports documents. Blocks on the disk.
    pub(crate) fn import(
        &self,
        import: Import<'_>,
        progress: impl FnMut(u64, u64),
    ) -> Result<Imported> {
        self.shared.catalogue.import(self.engine(), import, progress)
    }
}
