//! A progress bar for what takes long, where a terminal shows it.

use indicatif::{ProgressBar, ProgressStyle};

/// The bar is moved once in this many steps: drawing is not free.
const STEPS: u64 = 4096;

/// A bar on a terminal; elsewhere nothing is drawn.
pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    pub(in crate::cli) fn new(unit: &'static str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {msg} {eta}")
        {
            bar.set_style(style);
        }
        bar.set_message(unit);
        Self(bar)
    }

    /// So much of so much is done.
    pub(in crate::cli) fn at(&self, done: u64, total: u64) {
        if done.is_multiple_of(STEPS) {
            self.0.set_length(total);
            self.0.set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
