//! Backups that the server makes by itself, on a thread of its own: sales never wait for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};

use crate::backup::{self, BackupView, Key, Target};
use crate::base::error::{Error, Result};
use crate::cli::backup::{read_key, target};
use crate::engine::Engine;
use crate::settings::BackupConfig;
use crate::vfs::{RealVfs, Vfs};

/// A thread that copies what is new, until it is stopped.
pub(super) struct Backups {
    goes_on: Sender<()>,
    thread: JoinHandle<()>,
    view: BackupView,
    /// Somebody else copies what is left.
    is_left: Arc<AtomicBool>,
}

/// What the thread works with.
struct Copier {
    engine: Engine,
    dir: PathBuf,
    config: BackupConfig,
    target: Box<dyn Target>,
    key: Option<Key>,
    view: BackupView,
}

impl Backups {
    /// Begins to copy, once `may_begin` returns.
    ///
    /// # Errors
    /// `Invalid` when the target or the key is of another form, `Unavailable` when the key cannot be
    /// read, or no thread started. A target that cannot be reached is tried again and again.
    pub(super) fn start(
        engine: Engine,
        dir: &Path,
        config: BackupConfig,
        may_begin: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let view = BackupView::default();
        let target = target(&config.to)?;
        let key = config.key_file.as_deref().map(read_key).transpose()?;
        let dir = dir.to_owned();
        let copier = Copier { engine, dir, config, target, key, view: view.clone() };
        let (goes_on, is_over) = mpsc::channel::<()>();
        let is_left = Arc::new(AtomicBool::new(false));
        let without_last = Arc::clone(&is_left);
        let copy = move || {
            may_begin();
            copier.copy();
            while is_over.recv_timeout(copier.config.every) == Err(RecvTimeoutError::Timeout) {
                copier.copy();
            }
            // What happened since, before somebody takes the machine away.
            if !without_last.load(Ordering::SeqCst) {
                copier.copy();
            }
        };
        let thread = thread::Builder::new().name("stockhold-backup".into()).spawn(copy);
        let thread = thread.map_err(|cause| Error::io("starting a thread", cause))?;
        Ok(Self { goes_on, thread, view, is_left })
    }

    pub(super) fn view(&self) -> BackupView {
        self.view.clone()
    }

    /// Leaves what is new to the next one's backups. Whoever waits for the thread has waited for the
    /// copying that is under way.
    pub(super) fn leave(self) -> JoinHandle<()> {
        self.is_left.store(true, Ordering::SeqCst);
        drop(self.goes_on);
        self.thread
    }

    /// Copies what is new once more, and ends.
    pub(super) fn stop(self) {
        drop(self.goes_on);
        // It panicked, which is told already.
        let _ = self.thread.join();
    }
}

impl Copier {
    fn copy(&self) {
        let (begun, vfs) = (self.engine.now_ms(), Arc::new(RealVfs) as Arc<dyn Vfs>);
        let plan = &self.config.plan;
        match backup::run(&vfs, &self.dir, &*self.target, self.key.as_ref(), plan) {
            Ok(run) => {
                if !self.view.status().is_well() {
                    tracing::warn!(last_seq = run.last_seq, "the backup goes on");
                }
                self.view.completed(begun, run.last_seq);
            }
            Err(error) => {
                // Once, and not each time.
                if self.view.status().is_well() {
                    tracing::error!(%error, "the backup failed; it is tried again");
                }
                self.view.failed(&error);
            }
        }
    }
}
