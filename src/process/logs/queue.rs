//! The lines of the log that wait to be written. A pipe whose reader stands still holds up the one
//! thread that writes, and nobody who logs: what no longer fits is counted, and told once there is
//! a reader again.

use std::collections::VecDeque;
use std::io::{self, Stderr, Write};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing::Level;

use super::file::LogFile;
use super::line::Lines;

/// How much may wait, in bytes: some ten thousand lines.
const WAITING_BYTES_MAX: usize = 2 << 20;
/// Who tells what the log says of itself.
const TARGET: &str = module_path!();

/// What lines are written to.
pub(super) trait Out: Write {
    /// Begins anew where lines go, if that is a place that can be moved away.
    ///
    /// # Errors
    /// When it cannot; then it goes on as before.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Out for Stderr {}

impl Out for LogFile {
    fn reopen(&mut self) -> io::Result<()> {
        Self::reopen(self)
    }
}

pub(super) struct Queue {
    lines: Lines,
    waiting: Mutex<Waiting>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many lines did not fit, or could not be written, and nobody was told.
    lost: u64,
    /// The writer has lines in its hands.
    writing: bool,
    /// Somebody asked to begin anew where they go.
    reopen: bool,
}

impl Waiting {
    fn is_written(&self) -> bool {
        self.lines.is_empty() && !self.writing
    }
}

impl Queue {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, waiting: Mutex::default(), filled: Condvar::new(), written: Condvar::new() }
    }

    /// How lines are written.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Has whatever lines go to opened anew, before the next one.
    pub(super) fn reopen(&self) {
        self.waiting.lock().reopen = true;
        self.filled.notify_one();
    }

    /// Takes a line, or counts it as lost. Never waits.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut waiting = self.waiting.lock();
        if waiting.bytes.saturating_add(line.len()) > WAITING_BYTES_MAX {
            waiting.lost = waiting.lost.saturating_add(1);
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Waits until everything is written; false when that took too long.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut waiting = self.waiting.lock();
        while !waiting.is_written() {
            if self.written.wait_until(&mut waiting, end).timed_out() {
                return waiting.is_written();
            }
        }
        true
    }

    /// Writes lines as they come, for ever.
    pub(super) fn write_to(&self, out: &mut (impl Out + ?Sized)) {
        loop {
            self.write_waiting(out);
        }
    }

    /// Waits for lines, and writes all there are.
    pub(super) fn write_waiting(&self, out: &mut (impl Out + ?Sized)) {
        let (lines, lost, reopen) = self.take();
        if reopen && let Err(error) = out.reopen() {
            let why = format!("the log's file cannot be opened anew: {error}");
            drop(out.write_all(self.lines.of(Level::ERROR, TARGET, &why).as_bytes()));
        }
        let mut failed = 0;
        for line in &lines {
            // There is nobody to tell but the next reader.
            failed += u64::from(out.write_all(line).is_err());
        }
        let mut untold = lost + failed;
        if untold > 0 && out.write_all(self.told(untold).as_bytes()).is_ok() {
            untold = 0;
        }
        drop(out.flush());
        let mut waiting = self.waiting.lock();
        waiting.lost = waiting.lost.saturating_add(untold);
        waiting.writing = false;
        drop(waiting);
        self.written.notify_all();
    }

    fn take(&self) -> (VecDeque<Vec<u8>>, u64, bool) {
        let mut waiting = self.waiting.lock();
        while waiting.lines.is_empty() && !waiting.reopen {
            self.filled.wait(&mut waiting);
        }
        waiting.writing = true;
        waiting.bytes = 0;
        let reopen = std::mem::take(&mut waiting.reopen);
        (std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.lost), reopen)
    }

    fn told(&self, lost: u64) -> String {
        let why = format!("{lost} lines of the log were lost here: nobody read it");
        self.lines.of(Level::WARN, TARGET, &why)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;
    use crate::settings::log_for_tests;

    /// A reader that takes nothing until it is let.
    struct Pipe {
        reached: Sender<()>,
        opened: Receiver<()>,
        read: Vec<u8>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.reached.send(());
            // Once the other end is gone, everything is read at once.
            let _ = self.opened.recv();
            self.read.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Out for Pipe {}

    impl Out for Vec<u8> {}

    fn queue() -> Queue {
        Queue::new(Lines::new(&log_for_tests(), [0; 32]))
    }

    /// What is told of lost lines, but for when.
    fn told(lost: u64) -> String {
        format!(
            "stockhold::process::logs::queue: {lost} lines of the log were lost here: nobody read it\n"
        )
    }

    /// Would catch a log that holds up who logs, that grows without bound, or that loses lines in
    /// silence.
    #[test]
    fn a_reader_that_stands_still_holds_up_nobody_and_hears_what_was_lost() {
        let queue = queue();
        let ((reached, reaches), (open, opened)) = (channel(), channel());
        let mut pipe = Pipe { reached, opened, read: Vec::new() };
        let line = vec![b'.'; WAITING_BYTES_MAX / 4];
        queue.push(line.clone());
        let pipe = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                queue.write_waiting(&mut pipe);
                queue.write_waiting(&mut pipe);
                pipe
            });
            reaches.recv().expect("the first line is being written");
            for _ in 0..7 {
                queue.push(line.clone());
            }
            assert!(!queue.flush(Duration::ZERO), "the reader stands still");
            assert!(queue.waiting.lock().bytes <= WAITING_BYTES_MAX, "what waits is bounded");
            drop(open);
            writer.join().expect("the writer ends")
        });
        assert!(queue.flush(Duration::ZERO), "everything is written");
        assert!(pipe.read.ends_with(told(3).as_bytes()), "three lines did not fit");
        assert_eq!(pipe.read.len(), 5 * line.len() + queue.told(3).len());
    }

    #[test]
    fn a_writer_that_fails_is_told_of_later() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Out for Broken {}
        let queue = queue();
        queue.push(b"lost\n".to_vec());
        queue.write_waiting(&mut Broken);
        queue.push(b"read\n".to_vec());
        let mut read = Vec::new();
        queue.write_waiting(&mut read);
        let read = String::from_utf8(read).expect("UTF-8");
        assert!(read.starts_with("read\n") && read.ends_with(&told(1)), "{read}");
    }
}
