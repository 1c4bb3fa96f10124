//! The server's side of a soak: a clock that is held from outside, and small files, so that kills
//! meet rollovers, checkpoints and the archive.

use std::io::stdin;
use std::sync::Arc;
use std::thread;

use crate::base::TTL_MS_MAX;
use crate::base::clock::ShiftedClock;
use crate::base::error::{Error, Result};
#[cfg(all(feature = "test-util", not(test)))]
use crate::base::flaw::make as make_mistake;
use crate::engine::EngineBuilder;
use crate::process::{logs, print};
use crate::vfs::held::{Gate, HeldVfs};

const SEGMENT_BYTES: u64 = 256 << 10;
const CHECKPOINT_EVENTS: u64 = 4_000;
const HISTORY_FLUSH_ROWS: usize = 4_000;

/// What `serve --soaked` opens. Standard input says by how many milliseconds the machine's clock is
/// set wrong: a line before anything is opened, and one for each time it is set again. `disk
/// hangs`, `disk answers`, `disk has BYTES` and, in test builds, `mistake NAME` are heard, too. The server ends when standard input
/// does, so a server that nobody soaks never gets far with this.
///
/// # Errors
/// `Invalid` when nobody says where the clock stands.
pub(crate) fn soaked(builder: EngineBuilder) -> Result<EngineBuilder> {
    let mut first = String::new();
    let read = stdin().read_line(&mut first);
    read.map_err(|cause| Error::io("reading where the clock stands", cause))?;
    let shift_ms = parse(&first).ok_or_else(|| {
        Error::invalid(
            "--soaked is for `stockhold soak` alone, which holds the server's clock: leave it out",
        )
    })?;
    tracing::warn!(
        shift_ms,
        "THIS SERVER IS SOAKED: its clock is set from outside, and it ends with who started it"
    );
    let clock = Arc::new(ShiftedClock::default());
    clock.shift(shift_ms);
    let obeying = clock.clone();
    let gate = Arc::new(Gate::default());
    let disk = HeldVfs(gate.clone());
    let thread = thread::Builder::new().name("stockhold-soaked".into());
    thread
        .spawn(move || obey(&obeying, &gate))
        .map_err(|cause| Error::io("starting a thread", cause))?;
    let builder = builder.vfs(disk).clock(clock).segment_bytes(SEGMENT_BYTES);
    // Its clock jumps, and its callers are few: every first answer is asked for again.
    let builder = builder.idempotency_window_ms(TTL_MS_MAX).idempotency_keys_per_owner(1 << 20);
    Ok(builder.checkpoint_events(CHECKPOINT_EVENTS).history_flush_rows(HISTORY_FLUSH_ROWS))
}

/// Does what standard input says, and says so; ends the process with it.
fn obey(clock: &ShiftedClock, gate: &Gate) {
    for line in stdin().lines().map_while(std::io::Result::ok) {
        let done = match (line.trim_end(), parse(&line)) {
            ("disk hangs", _) => {
                gate.hold();
                "disk hangs".to_owned()
            }
            ("disk answers", _) => {
                gate.release();
                "disk answers".to_owned()
            }
            (line, _) if line.starts_with("disk has ") => {
                let bytes = line.trim_start_matches("disk has ").parse();
                bytes
                    .map(|bytes| gate.set_free_bytes(bytes))
                    .map_or_else(|_| String::new(), |()| line.to_owned())
            }
            (line, _) if line.strip_prefix("mistake ").is_some_and(make_mistake) => line.to_owned(),
            (_, Some(shift_ms)) => {
                clock.shift(shift_ms);
                format!("clock {shift_ms}")
            }
            _ => break,
        };
        if print(&format!("{done}\n")).is_err() {
            break;
        }
    }
    tracing::error!("nobody holds the clock of this server any more");
    logs::flush();
    std::process::exit(1);
}

/// Other builds make no mistakes on purpose.
#[cfg(not(all(feature = "test-util", not(test))))]
fn make_mistake(_name: &str) -> bool {
    false
}

fn parse(line: &str) -> Option<i64> {
    line.trim_end().parse().ok()
}
