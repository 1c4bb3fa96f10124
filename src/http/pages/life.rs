//! An account's life as a picture: what was available over time, with the events that changed it.

use maud::{Markup, PreEscaped, html};

use super::number::number;
use crate::base::TimeMs;

/// The most events of one picture; who has more shows the newest of them.
#[cfg(feature = "bin")]
pub(crate) const MOMENTS_MAX: usize = 5_000;
/// With more events than these they are a line alone.
const DOTS_MAX: usize = 200;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 260.0;
/// Where the line is: left, right, top, bottom.
const LEFT: f64 = 80.0;
const RIGHT: f64 = WIDTH - 10.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = HEIGHT - 32.0;

/// A picture by itself has nobody else to say how it looks in the dark.
#[cfg(feature = "bin")]
const STYLE: &str = "svg{font-family:system-ui,sans-serif;color:#16202b;background:#fff}\
    @media(prefers-color-scheme:dark){svg{color:#e8edf2;background:#11161c}\
    path,circle{stroke:#7cc0ff}}";

/// An event, and what was available after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: TimeMs,
    pub(crate) available: i64,
    /// What is said of it: what it was, when, and by how much.
    pub(crate) told: String,
}

/// What a picture says besides its line.
pub(crate) struct Caption<'a> {
    pub(crate) title: &'a str,
    /// The same in words, for who cannot see it.
    pub(crate) told: &'a str,
    /// The first and the last moment, as they are written at the axis.
    pub(crate) ends: [String; 2],
}

/// Draws moments, the oldest first; nothing of none.
pub(crate) fn picture(caption: &Caption<'_>, moments: &[Moment]) -> Markup {
    drawn(caption, moments, None)
}

/// The same as a file of its own.
#[cfg(feature = "bin")]
pub(crate) fn file(caption: &Caption<'_>, moments: &[Moment]) -> String {
    drawn(caption, moments, Some(STYLE)).into_string() + "\n"
}

fn drawn(caption: &Caption<'_>, moments: &[Moment], style: Option<&str>) -> Markup {
    let Some(scale) = Scale::of(moments) else { return html! {} };
    let Caption { title, told, ends: [first, last] } = caption;
    let marks: &[i64] = if scale.low < 0 { &[scale.low, 0, scale.high] } else { &[0, scale.high] };
    html! {
        svg .life xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
            aria-labelledby="life-title" aria-describedby="life-told" font-size="14" {
            title #life-title { (title) }
            desc #life-told { (told) }
            // The text is ours.
            @if let Some(style) = style { style { (PreEscaped(style)) } }
            @for mark in marks {
                @let y = scale.y(*mark);
                line x1=(LEFT) x2=(RIGHT) y1=(short(y)) y2=(short(y)) stroke="currentColor" stroke-opacity="0.3" {}
                text x=(LEFT - 8.0) y=(short(y + 5.0)) text-anchor="end" fill="currentColor" { (number(*mark)) }
            }
            text x=(LEFT) y=(HEIGHT - 8.0) fill="currentColor" { (first) }
            text x=(RIGHT) y=(HEIGHT - 8.0) text-anchor="end" fill="currentColor" { (last) }
            path d=(scale.steps(moments)) fill="none" stroke="#0b5fa5" stroke-width="2" {}
            @if moments.len() <= DOTS_MAX {
                @for moment in moments {
                    circle cx=(short(scale.x(moment.at))) cy=(short(scale.y(moment.available))) r="3" fill="none" stroke="#0b5fa5" {
                        title { (moment.told) }
                    }
                }
            }
        }
    }
}

/// Where moments are in the picture.
struct Scale {
    begun: TimeMs,
    ended: TimeMs,
    low: i64,
    high: i64,
}

impl Scale {
    fn of(moments: &[Moment]) -> Option<Self> {
        let at = || moments.iter().map(|it| it.at);
        let levels = || moments.iter().map(|it| it.available);
        Some(Self {
            // A clock that was mended may put an event before an earlier one.
            begun: at().min()?,
            ended: at().max()?,
            low: levels().min()?.min(0),
            high: levels().max()?.max(1),
        })
    }

    fn x(&self, at: TimeMs) -> f64 {
        let (since, all) = (at.saturating_sub(self.begun), self.ended.saturating_sub(self.begun));
        let part = if all == 0 { 0.5 } else { since as f64 / all as f64 };
        LEFT + part * (RIGHT - LEFT)
    }

    fn y(&self, level: i64) -> f64 {
        let (low, high) = (self.low as f64, self.high as f64);
        BOTTOM - (level as f64 - low) / (high - low) * (BOTTOM - TOP)
    }

    /// A level lasts until the next event.
    fn steps(&self, moments: &[Moment]) -> String {
        let mut path = String::new();
        for moment in moments {
            let (x, y) = (short(self.x(moment.at)), short(self.y(moment.available)));
            match path.is_empty() {
                true => path.push_str(&format!("M{x} {y}")),
                false => path.push_str(&format!("H{x}V{y}")),
            }
        }
        path
    }
}

fn short(place: f64) -> String {
    format!("{place:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: TimeMs, available: i64) -> Moment {
        Moment { at, available, told: format!("<{available}>") }
    }

    fn shown(moments: &[Moment]) -> String {
        let ends = ["a".to_owned(), "b".to_owned()];
        picture(&Caption { title: "tea & milk", told: "all of it", ends }, moments).into_string()
    }

    #[test]
    fn a_level_lasts_until_the_next_event() {
        let drawn = shown(&[moment(0, 10), moment(50, 4), moment(100, 0)]);
        assert!(drawn.contains("d=\"M80.0 16.0H435.0V143.2H790.0V228.0\""), "{drawn}");
        assert_eq!(drawn.matches("<circle").count(), 3);
        for part in
            ["tea &amp; milk</title>", "&lt;4&gt;</title>", ">all of it</desc>", ">10</text>"]
        {
            assert!(drawn.contains(part), "no {part} in {drawn}");
        }
        assert!(!drawn.contains("style"), "a page forbids it: {drawn}");
    }

    #[test]
    fn what_is_below_nothing_has_room_and_one_moment_stands_alone() {
        let owed = shown(&[moment(5, -7), moment(6, 3)]);
        assert!(
            owed.contains(">−7</text>") && owed.contains("d=\"M80.0 228.0H790.0V16.0\""),
            "{owed}"
        );
        assert!(shown(&[moment(5, 0)]).contains("d=\"M435.0 228.0\""));
        assert_eq!(shown(&[]), "");
        let extremes = shown(&[moment(0, i64::MIN), moment(TimeMs::MAX, i64::MAX)]);
        assert!(!extremes.contains("NaN") && !extremes.contains("inf"), "{extremes}");
    }

    #[test]
    fn many_events_are_a_line_alone() {
        let many: Vec<_> = (0..=DOTS_MAX as u64).map(|at| moment(at, 1)).collect();
        let drawn = shown(&many);
        assert!(!drawn.contains("<circle"), "{drawn}");
        assert!(drawn.len() < 8_000, "{} bytes", drawn.len());
    }
}
