//! Days and weeks where the mall is.

use jiff::Timestamp;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::base::every;

const HOUR_MS: u64 = 3_600_000;

/// Where a mall's days begin: a time zone of the IANA database, of which the program has its own
/// copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone with this name, as in `Asia/Shanghai`.
    ///
    /// # Errors
    /// `Invalid` when there is none.
    pub fn named(name: &str) -> Result<Self> {
        let zone = TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name));
        zone.map(Self).ok_or_else(|| {
            Error::invalid(format!("{name:?} is no time zone: name one as in Asia/Shanghai"))
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// When a day begins here: where its midnight is left out, just after.
    fn midnight(&self, date: Date) -> Result<TimeMs> {
        let midnight = self.0.to_ambiguous_zoned_datetime(date.at(0, 0, 0, 0)).compatible();
        let ms =
            midnight.ok().and_then(|it| TimeMs::try_from(it.timestamp().as_millisecond()).ok());
        ms.ok_or_else(|| Error::invalid(format!("{date} is before 1970, or after the calendar")))
    }

    /// The day that a moment is in; `None` past every calendar.
    fn day_of(&self, at: TimeMs) -> Option<Date> {
        Some(self.local(at)?.date())
    }

    /// A moment for people, as in `2026-11-30 09:00:07`.
    #[cfg(feature = "server")]
    pub(crate) fn told(&self, at: TimeMs) -> String {
        let local = self.local(at);
        local.map_or_else(|| at.to_string(), |it| it.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// A moment as people write it here, as in `2026-11-30T09:00`: where a clock shows it twice, the
    /// first, and where it shows it never, just after.
    #[cfg(feature = "server")]
    pub(crate) fn read(&self, text: &str) -> Option<TimeMs> {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        let at = self.0.to_ambiguous_zoned_datetime(local).compatible().ok()?;
        TimeMs::try_from(at.timestamp().as_millisecond()).ok()
    }

    /// A moment as a form has it, which [`Zone::read`] reads.
    #[cfg(feature = "server")]
    pub(crate) fn filled_in(&self, at: TimeMs) -> Option<String> {
        Some(self.local(at)?.strftime("%Y-%m-%dT%H:%M:%S").to_string())
    }

    /// The clock on the wall, as in `09:00`.
    fn clock(&self, at: TimeMs) -> String {
        self.local(at).map_or_else(|| at.to_string(), |it| it.strftime("%H:%M").to_string())
    }

    fn local(&self, at: TimeMs) -> Option<jiff::ZonedDateTime> {
        let at = Timestamp::from_millisecond(i64::try_from(at).ok()?).ok()?;
        Some(at.to_zoned_datetime(self.0.clone()))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

every! {
    /// How long a report looks at.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) enum Span {
        Daily,
        Weekly,
    }
}

impl Span {
    /// Its name, as in addresses and files.
    #[cfg(feature = "bin")]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }
}

/// A day, or a week that begins on a Monday. A day has 23 or 25 hours where the clocks change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) span: Span,
    /// As in `2026-11-28`, or `2026-W48`.
    pub(crate) name: String,
    pub(crate) zone: Zone,
    pub(crate) from: TimeMs,
    /// The first moment after it.
    pub(crate) to: TimeMs,
    /// When the day or the week before it begins.
    pub(crate) before_from: TimeMs,
    /// The hours of a day, or the days of a week, and what each is called.
    pub(crate) slots: Vec<(TimeMs, String)>,
}

impl Period {
    /// The period that `text` names.
    ///
    /// # Errors
    /// `Invalid`, naming the text.
    pub(crate) fn parse(span: Span, text: &str, zone: &Zone) -> Result<Self> {
        match span {
            Span::Daily => Self::day(date(text)?, zone),
            Span::Weekly => Self::week(week(text)?, zone),
        }
    }

    /// The names of its days.
    pub(crate) fn days(&self) -> impl Iterator<Item = &str> {
        let (day, week) = match self.span {
            Span::Daily => (Some(&self.name), None),
            Span::Weekly => (None, Some(self.slots.iter().map(|(_, name)| name))),
        };
        day.into_iter().chain(week.into_iter().flatten()).map(String::as_str)
    }

    /// The last one that was over by then. `None` before there was any.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn last_over(span: Span, now: TimeMs, zone: &Zone) -> Option<Self> {
        let today = zone.day_of(now)?;
        match span {
            Span::Daily => Self::day(today.yesterday().ok()?, zone).ok(),
            Span::Weekly => {
                let monday = monday_of(today)?.checked_sub(jiff::Span::new().weeks(1)).ok()?;
                Self::week(monday.iso_week_date(), zone).ok()
            }
        }
    }

    /// The day that a moment is in.
    ///
    /// # Errors
    /// `Invalid` past every calendar.
    pub(crate) fn day_at(at: TimeMs, zone: &Zone) -> Result<Self> {
        let past = || Error::invalid(format!("{at} is past every calendar"));
        Self::day(zone.day_of(at).ok_or_else(past)?, zone)
    }

    fn day(day: Date, zone: &Zone) -> Result<Self> {
        let (from, to) = (zone.midnight(day)?, zone.midnight(next(day)?)?);
        let hours = (from..to).step_by(HOUR_MS as usize);
        Ok(Self {
            span: Span::Daily,
            name: day.to_string(),
            from,
            to,
            before_from: before(zone, day, jiff::Span::new().days(1), from),
            slots: hours.map(|at| (at, zone.clock(at))).collect(),
            zone: zone.clone(),
        })
    }

    fn week(week: ISOWeekDate, zone: &Zone) -> Result<Self> {
        let monday = week.date();
        let mut slots = Vec::with_capacity(7);
        let mut day = monday;
        for _ in 0..7 {
            slots.push((zone.midnight(day)?, day.to_string()));
            day = next(day)?;
        }
        let from = zone.midnight(monday)?;
        Ok(Self {
            span: Span::Weekly,
            name: format!("{:04}-W{:02}", week.year(), week.week()),
            from,
            to: zone.midnight(day)?,
            before_from: before(zone, monday, jiff::Span::new().weeks(1), from),
            slots,
            zone: zone.clone(),
        })
    }

    /// The one after it.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn next(&self) -> Option<Self> {
        let day = self.zone.day_of(self.to)?;
        match self.span {
            Span::Daily => Self::day(day, &self.zone).ok(),
            Span::Weekly => Self::week(day.iso_week_date(), &self.zone).ok(),
        }
    }

    pub(crate) fn has(&self, at: TimeMs) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// Whether a moment is in the day or week before it.
    pub(crate) fn follows(&self, at: TimeMs) -> bool {
        (self.before_from..self.from).contains(&at)
    }

    /// The place of its hour, or of its day.
    pub(crate) fn slot_of(&self, at: TimeMs) -> Option<usize> {
        self.slots.partition_point(|(from, _)| *from <= at).checked_sub(1)
    }
}

/// When the period before begins; nothing is before 1970.
fn before(zone: &Zone, first: Date, by: jiff::Span, from: TimeMs) -> TimeMs {
    let before = first.checked_sub(by).ok().and_then(|day| zone.midnight(day).ok());
    before.unwrap_or(0).min(from)
}

fn next(day: Date) -> Result<Date> {
    day.tomorrow().map_err(|_| Error::invalid(format!("{day} is the last day of the calendar")))
}

#[cfg(any(test, feature = "bin"))]
fn monday_of(day: Date) -> Option<Date> {
    let back = day.weekday().to_monday_zero_offset();
    day.checked_sub(jiff::Span::new().days(i64::from(back))).ok()
}

/// As in `2026-11-28`.
fn date(text: &str) -> Result<Date> {
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| Error::invalid(format!("{text:?} is no date: write it as in 2026-11-28")))
}

/// As in `2026-W48`.
fn week(text: &str) -> Result<ISOWeekDate> {
    let parts = text.split_once("-W").filter(|(year, week)| year.len() == 4 && week.len() == 2);
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let week = parts.filter(|(year, week)| is_number(year) && is_number(week));
    let week = week.and_then(|(year, week)| {
        ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, Weekday::Monday).ok()
    });
    week.ok_or_else(|| {
        Error::invalid(format!("{text:?} is no week of the calendar: write it as in 2026-W48"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).expect("a zone")
    }

    fn day(name: &str, text: &str) -> Period {
        Period::parse(Span::Daily, text, &zone(name)).expect("a day")
    }

    /// Would catch days that are taken to have 24 hours, and midnights that are those of UTC.
    #[test]
    fn a_day_is_as_long_as_it_is_where_the_mall_is() {
        for (name, text, from, hours) in [
            ("UTC", "2026-11-28", 1_795_824_000_000, 24),
            ("Asia/Shanghai", "2026-11-28", 1_795_824_000_000 - 8 * HOUR_MS, 24),
            ("Europe/Berlin", "2026-03-29", 1_774_738_800_000, 23),
            ("Europe/Berlin", "2026-10-25", 1_792_879_200_000, 25),
            // Their clocks go forward at midnight: the day begins at one.
            ("America/Asuncion", "2023-10-01", 1_696_132_800_000, 23),
            // And back to it: midnight comes twice, and the day begins with the first.
            ("America/Havana", "2023-11-05", 1_699_156_800_000, 25),
            // The day was left out when the date line moved; it is empty.
            ("Pacific/Apia", "2011-12-30", 1_325_239_200_000, 0),
        ] {
            let day = day(name, text);
            assert_eq!((day.from, day.to - day.from), (from, hours * HOUR_MS), "{name} {text}");
            assert_eq!(day.slots.len() as u64, hours, "{name} {text}");
            let next = day.next().expect("a day");
            assert_eq!((next.from, next.before_from), (day.to, day.from), "{name} {text}");
        }
    }

    #[test]
    fn a_week_is_that_of_the_calendar_and_has_the_hours_of_its_days() {
        let week = Period::parse(Span::Weekly, "2026-W43", &zone("Europe/Berlin")).expect("a week");
        assert_eq!(week.slots.first().map(|(_, name)| name.as_str()), Some("2026-10-19"));
        assert_eq!(week.slots.last().map(|(_, name)| name.as_str()), Some("2026-10-25"));
        assert_eq!(week.to - week.from, (7 * 24 + 1) * HOUR_MS);
        assert_eq!(week.from - week.before_from, 7 * 24 * HOUR_MS);
        assert_eq!(week.slot_of(week.to - 1), Some(6));
        let last = Period::parse(Span::Weekly, "2026-W53", &zone("UTC")).expect("a long year");
        assert_eq!(last.next().map(|it| it.name).as_deref(), Some("2027-W01"));
    }

    #[test]
    fn what_was_over_last_is_yesterday_and_the_week_before_this() {
        let (zone, now) = (zone("Asia/Shanghai"), 1_795_824_000_000 - 8 * HOUR_MS);
        let last = |span, now| Period::last_over(span, now, &zone).map(|it| it.name);
        assert_eq!(last(Span::Daily, now).as_deref(), Some("2026-11-27"));
        assert_eq!(last(Span::Daily, now - 1).as_deref(), Some("2026-11-26"));
        assert_eq!(last(Span::Weekly, now).as_deref(), Some("2026-W47"));
        assert_eq!(last(Span::Daily, 0), None);
    }

    #[test]
    fn what_is_no_day_and_no_week_is_refused_by_name() {
        for text in
            ["", "2026-11-31", "2026-1-1", "20261128", "2026-11-28T00:00", "x", "1969-12-30"]
        {
            let error = Period::parse(Span::Daily, text, &zone("UTC")).expect_err("no day");
            assert!(error.to_string().contains(text), "{text:?}: {error}");
        }
        for text in ["", "2026-48", "2026-W54", "2025-W53", "2026-W00", "2026-W+1", "2026-W48-1"] {
            let error = Period::parse(Span::Weekly, text, &zone("UTC")).expect_err("no week");
            assert!(error.to_string().contains(text), "{text:?}: {error}");
        }
        for name in ["", "Shanghai", "+08:00", "asia/shanghai", "Mars/Olympus"] {
            let error = Zone::named(name).expect_err("no zone");
            assert!(error.to_string().contains(name), "{name:?}: {error}");
        }
    }
}
