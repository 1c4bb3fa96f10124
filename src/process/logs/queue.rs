//! The lines of the log that wait to be written. A pipe whose reader stands still holds up the one
//! thread that writes, and nobody who logs: what no longer fits is counted, and told once there is
//! a reader again.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::settings::LogFormat;

/// How much may wait, in bytes: some ten thousand lines.
const WAITING_BYTES_MAX: usize = 2 << 20;

pub(super) struct Queue {
    format: LogFormat,
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
}

impl Waiting {
    fn is_written(&self) -> bool {
        self.lines.is_empty() && !self.writing
    }
}

impl Queue {
    pub(super) fn new(format: LogFormat) -> Self {
        Self { format, waiting: Mutex::default(), filled: Condvar::new(), written: Condvar::new() }
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
    pub(super) fn write_to(&self, out: &mut impl Write) {
        loop {
            self.write_waiting(out);
        }
    }

    /// Waits for lines, and writes all there are.
    pub(super) fn write_waiting(&self, out: &mut impl Write) {
        let (lines, lost) = self.take();
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

    fn take(&self) -> (VecDeque<Vec<u8>>, u64) {
        let mut waiting = self.waiting.lock();
        while waiting.lines.is_empty() {
            self.filled.wait(&mut waiting);
        }
        waiting.writing = true;
        waiting.bytes = 0;
        (std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.lost))
    }

    fn told(&self, lost: u64) -> String {
        match self.format {
            LogFormat::Text => {
                format!("stockhold: {lost} lines of the log were lost here: nobody read it\n")
            }
            LogFormat::Json => {
                format!(
                    "{{\"level\":\"WARN\",\"message\":\"lines of the log were lost: nobody read it\",\"lost\":{lost}}}\n"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

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

    /// Would catch a log that holds up who logs, that grows without bound, or that loses lines in
    /// silence.
    #[test]
    fn a_reader_that_stands_still_holds_up_nobody_and_hears_what_was_lost() {
        let queue = Queue::new(LogFormat::Text);
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
        let told = queue.told(3);
        assert!(pipe.read.ends_with(told.as_bytes()), "three lines did not fit");
        assert_eq!(pipe.read.len(), 5 * line.len() + told.len());
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
        let queue = Queue::new(LogFormat::Json);
        queue.push(b"lost\n".to_vec());
        queue.write_waiting(&mut Broken);
        queue.push(b"read\n".to_vec());
        let mut read = Vec::new();
        queue.write_waiting(&mut read);
        assert_eq!(read, [b"read\n", queue.told(1).as_bytes()].concat());
    }
}
