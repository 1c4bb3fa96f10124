//! The board as it goes on, until somebody ends it.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::ask::Asker;
use super::draw::draw;
use super::numbers::Numbers;
use super::watch::Watch;
use crate::base::error::{Error, Result};
use crate::process::runtime;

/// What the board hears of.
enum Heard {
    /// What the server said when it was asked, or why it said nothing.
    Answer(Result<Numbers, String>),
    /// The terminal has another size.
    Resized,
    End,
    /// The terminal cannot be read.
    Broken(std::io::Error),
}

/// Shows the board until `q`, `Esc` or Ctrl-C is pressed or the process is asked to end.
///
/// # Errors
/// `Invalid` when there is no terminal, `Unavailable` when it fails.
pub(super) fn show(asker: Asker, every: Duration) -> Result<ExitCode> {
    if !std::io::stdout().is_terminal() {
        return Err(Error::invalid("there is no terminal: --once prints a picture as text"));
    }
    let failed = |cause| Error::io("the terminal", cause);
    let (tell, hear) = channel();
    let place = asker.place();
    let runtime = runtime()?;
    let signals = tell.clone();
    runtime.block_on(async { ends(signals) })?;
    let answers = tell.clone();
    runtime.spawn(async move { ask(&asker, every, &answers).await });
    // Panics put the terminal right, too.
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let keys = thread::Builder::new().name("stockhold-keys".into()).spawn(move || read(&tell));
    let shown = keys.and_then(|_| go_on(&mut terminal, Watch::new(place), &hear));
    let restored = ratatui::try_restore();
    // The thread that reads keys ends with the process.
    runtime.shutdown_background();
    shown.and(restored).map_err(failed).map(|()| ExitCode::SUCCESS)
}

fn go_on(
    terminal: &mut DefaultTerminal,
    mut watch: Watch,
    hear: &Receiver<Heard>,
) -> std::io::Result<()> {
    let begun = Instant::now();
    loop {
        terminal.draw(|frame| draw(&watch, begun.elapsed(), frame.area(), frame.buffer_mut()))?;
        match hear.recv() {
            Ok(Heard::Answer(answer)) => watch.saw(begun.elapsed(), answer),
            Ok(Heard::Resized) => {}
            Ok(Heard::End) | Err(_) => return Ok(()),
            Ok(Heard::Broken(error)) => return Err(error),
        }
    }
}

/// Asks over and over, as long as anybody listens.
async fn ask(asker: &Asker, every: Duration, tell: &Sender<Heard>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let answer = asker.ask().await.map_err(|error| error.to_string());
        if tell.send(Heard::Answer(answer)).is_err() {
            return;
        }
    }
}

/// A terminal that a signal leaves as it is would be of no use.
fn ends(tell: Sender<Heard>) -> Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signal = signal(kind).map_err(|cause| Error::io("catching signals", cause))?;
        let tell = tell.clone();
        tokio::spawn(async move {
            signal.recv().await;
            // Nobody listens any more where the board has ended.
            drop(tell.send(Heard::End));
        });
    }
    Ok(())
}

fn read(tell: &Sender<Heard>) {
    loop {
        let heard = match event::read() {
            Ok(Event::Key(key)) if ends_it(key) => Heard::End,
            Ok(Event::Resize(..)) => Heard::Resized,
            Ok(_) => continue,
            Err(error) => Heard::Broken(error),
        };
        let is_last = matches!(heard, Heard::End | Heard::Broken(_));
        if tell.send(heard).is_err() || is_last {
            return;
        }
    }
}

fn ends_it(key: KeyEvent) -> bool {
    let is_interrupt =
        key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_end = matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc);
    key.kind == KeyEventKind::Press && (is_interrupt || is_end)
}
