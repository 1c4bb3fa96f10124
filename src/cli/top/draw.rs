//! The board, drawn.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, RenderDirection, Sparkline, Widget};

use super::figures::{Figures, Outcome};
use super::show::{UNKNOWN, age, bytes, count, rate, took};
use super::watch::Watch;

/// The size of a picture that no terminal bounds.
pub(super) const SIZE: Rect = Rect { x: 0, y: 0, width: 100, height: 30 };

/// Where nothing was asked for in a while, there is no time that it took.
const IDLE: &str = "idle";
/// There is none, or the server says nothing of it, as it does where there is no such thing.
const NONE: &str = "none";
/// How wide the names of figures are.
const NAMES: usize = 20;

/// A name, and what stands beside it.
type Rows = Vec<(String, String)>;

/// Draws what was seen into all of `area`; `now` is by the watch's own time.
pub(super) fn draw(watch: &Watch, now: Duration, area: Rect, to: &mut Buffer) {
    let [head, course, panels, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    heading(watch, now).render(head, to);
    sparkline(watch, course, to);
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(panels);
    let [exchanges, attention] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(7)]).areas(left);
    let [ledger, around] =
        Layout::vertical([Constraint::Length(10), Constraint::Fill(1)]).areas(right);
    let figures = watch.figures.as_ref();
    panel("Exchanges", exchange_rows(figures)).render(exchanges, to);
    panel("Ledger", ledger_rows(figures)).render(ledger, to);
    panel("Around it", around_rows(figures)).render(around, to);
    alarms(figures).block(Block::bordered().title("Attention")).render(attention, to);
    Line::raw("q ends").render(foot, to);
}

/// The same as text, for pipes.
pub(super) fn text(watch: &Watch, now: Duration) -> String {
    let mut drawn = Buffer::empty(SIZE);
    // The last line says what a key does.
    draw(watch, now, SIZE, &mut drawn);
    let line = |y| {
        let cells = (0..SIZE.width).filter_map(|x| drawn.cell((x, y)));
        let line: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    };
    (0..SIZE.height.saturating_sub(1)).map(line).collect()
}

fn heading(watch: &Watch, now: Duration) -> Line<'_> {
    let mut spans = vec![Span::raw("Stockhold at "), Span::raw(watch.server.as_str())];
    if let Some(version) = watch.figures.as_ref().and_then(|it| it.version.as_deref()) {
        spans.push(Span::raw(format!(", {version}")));
    }
    if let Some(why) = &watch.away {
        let seen = watch.seen_at.map_or_else(
            || "not seen yet".to_owned(),
            |at| format!("seen {} ago", age(Some(now.saturating_sub(at).as_secs_f64()))),
        );
        spans.push(Span::raw(", "));
        spans.push(Span::styled(format!("AWAY, {seen}: {why}"), bad()));
    } else if watch.figures.is_none() {
        spans.push(Span::raw(", being asked"));
    }
    Line::from(spans)
}

fn sparkline(watch: &Watch, area: Rect, to: &mut Buffer) {
    let now = rate(watch.figures.as_ref().and_then(|it| it.rate));
    let most = watch.rates.iter().flatten().max();
    let most = most.map(|most| format!(", at most {}", rate(Some(*most as f64))));
    let title = format!("Exchanges: {now}{}", most.unwrap_or_default());
    // Newest on the right.
    let rates: Vec<Option<u64>> = watch.rates.iter().rev().copied().collect();
    Sparkline::default()
        .data(rates)
        .direction(RenderDirection::RightToLeft)
        .absent_value_symbol("·")
        .style(Style::new().fg(Color::Cyan))
        .block(Block::bordered().title(title))
        .render(area, to);
}

fn panel(title: &str, rows: Rows) -> Paragraph<'_> {
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .map(|(name, value)| {
            let style = if value == UNKNOWN { dim() } else { Style::new() };
            Line::from(vec![Span::raw(format!("{name:<NAMES$} ")), Span::styled(value, style)])
        })
        .collect();
    Paragraph::new(lines).block(Block::bordered().title(title))
}

/// A row for a value that the server always says, unless it is away.
fn row(
    name: &str,
    figures: Option<&Figures>,
    show: impl Fn(&Figures) -> String,
) -> (String, String) {
    (name.to_owned(), figures.map_or_else(|| UNKNOWN.to_owned(), show))
}

fn exchange_rows(figures: Option<&Figures>) -> Rows {
    let mut rows = vec![
        row("took (p50 / p99)", figures, |it| {
            // Of one look alone nothing is known.
            took(it.exchange_took, if it.rate.is_some() { IDLE } else { UNKNOWN })
        }),
        row("requests under way", figures, |it| count(it.in_flight)),
        row("wait for the disk", figures, |it| count(it.exchanges_waiting)),
    ];
    for Outcome { name, count: all, rate: now } in figures.iter().flat_map(|it| &it.exchanges) {
        rows.push((name.clone(), format!("{:>10}  of {}", rate(*now), count(Some(*all)))));
    }
    rows
}

fn ledger_rows(figures: Option<&Figures>) -> Rows {
    vec![
        row("reservations waiting", figures, |it| count(it.reservations)),
        row("oldest of them", figures, |it| match it.oldest_reservation {
            None if it.reservations == Some(0.0) => NONE.to_owned(),
            oldest => age(oldest),
        }),
        row("events", figures, |it| count(it.last_event)),
        row("not durable yet", figures, |it| count(it.undurable)),
        row("groups", figures, |it| rate(it.groups_rate)),
        row("sync (p50 / p99)", figures, |it| {
            took(it.sync_took, if it.groups_rate.is_some() { IDLE } else { UNKNOWN })
        }),
        row("checkpoint lags by", figures, |it| events(it.checkpoint_lag, UNKNOWN)),
        row("history lags by", figures, |it| events(it.history_lag, NONE)),
    ]
}

fn events(lag: Option<f64>, without: &str) -> String {
    lag.map_or_else(|| without.to_owned(), |lag| format!("{} events", count(Some(lag))))
}

fn around_rows(figures: Option<&Figures>) -> Rows {
    vec![
        row("mirror", figures, |it| match &it.mirror {
            None => NONE.to_owned(),
            Some(it) => format!("{}, {}", it.state, events(it.lag_events, UNKNOWN)),
        }),
        row("backup lacks", figures, |it| {
            it.backup_exposed.map_or_else(|| "no whole backup".to_owned(), |it| age(Some(it)))
        }),
        row("disk, free", figures, |it| bytes(it.free_bytes)),
        row("journal, archive", figures, |it| {
            format!("{}, {}", bytes(it.journal_bytes), bytes(it.archive_bytes))
        }),
        row("memory", figures, |it| bytes(it.memory_bytes)),
    ]
}

fn alarms(figures: Option<&Figures>) -> Paragraph<'static> {
    let Some(figures) = figures else { return Paragraph::new(Span::styled(UNKNOWN, dim())) };
    let stock: Vec<String> = figures
        .alerts
        .iter()
        .map(|(kind, open)| format!("{kind} {}", count(Some(*open))))
        .collect();
    let stock = match &*stock {
        [] => UNKNOWN.to_owned(),
        kinds => format!("{}, unseen {}", kinds.join(", "), count(figures.unacknowledged)),
    };
    let mut lines = vec![Line::raw(format!("stock alerts: {stock}"))];
    if figures.wrong.is_empty() {
        lines.push(Line::raw("nothing else"));
    }
    lines.extend(figures.wrong.iter().map(|it| Line::styled(it.clone(), bad())));
    Paragraph::new(lines)
}

fn bad() -> Style {
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}
