//! Reports: what happened in the mall in a day, or in a week.
//!
//! The figures are added up from the events, which say when each thing happened: so a report is the
//! same whenever it is made, and what is given back later changes no day that is over. One look at the
//! events of the period and of the one before goes through the journal and its archive beside the
//! threads that sell. What an order keeps of its products, and who exchanged before, history tells.

mod figures;
mod past;
mod period;
mod tally;

pub(crate) use figures::*;
use past::OfHistory;
pub use period::Zone;
pub(crate) use period::{Period, Span};
use tally::Tally;

use super::Mall;
use super::browsing::DayOfViews;
use super::views::Views;
use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs};
use crate::engine::Engine;

/// How long after its end a period is over: an event may be written a little after its time.
pub(crate) const REPORT_SETTLED_MS: u64 = 60_000;
/// By how much the clock may have been set back between the events of a period.
const SET_BACK_MS: u64 = 86_400_000;

impl Mall {
    /// Where the mall's days begin.
    pub(crate) fn zone(&self) -> &Zone {
        &self.config().time_zone
    }

    /// What happened in `period`. It blocks on the disk, for long where much happened: its thread
    /// should have nothing else to do.
    ///
    /// # Errors
    /// `Invalid` when the period has not begun, `NotFound` when its events are no longer kept,
    /// `Overloaded` when more users exchanged than can be told apart; what the engine reports.
    pub(crate) fn report(&self, period: &Period) -> Result<Report> {
        let (engine, now) = (self.engine(), self.now_ms());
        if now < period.from {
            return Err(Error::invalid(format!("{} has not begun", period.name)));
        }
        engine.catch_up().wait()?;
        let kept = Kept::look(engine, period)?;
        let knows_all = engine.history().first_seq()? <= 1;
        let names = engine.clone();
        let mut views = Views::new(Box::new(move |account| names.key_of(account)));
        let (past, mut tally) = (OfHistory { engine }, Tally::new(period));
        let mut events = engine.subscribe(kept.from_seq)?;
        while let Some((_, event)) = events.try_next()? {
            if event.at >= period.to.saturating_add(SET_BACK_MS) {
                break;
            }
            if period.has(event.at) || period.follows(event.at) {
                let changes = views.changes(&event)?;
                tally.add(event.at, changes, &past)?;
            }
        }
        let is_over = now >= period.to.saturating_add(REPORT_SETTLED_MS);
        let (products_count, mut products) = tally.products();
        let views = self.views_in(period, is_over)?;
        for product in &mut products {
            product.views = views.as_ref().map(|days| views_of(days, &product.id));
            product.exchanges_per_view =
                product.views.and_then(|views| figures::ratio(product.exchanges, views));
        }
        let users = tally.users(knows_all, kept.has_before);
        let (exchanged, is_day) = (tally.orders.exchanged, period.span == Span::Daily);
        let of_views =
            |days: Vec<_>| ConversionFigures::of(&days, is_day, exchanged, users.exchanging);
        let conversion = views.map(of_views);
        let service = self.served(period.days())?.as_ref().map(ServiceFigures::of);
        let lacks = Lacks {
            conversion: conversion.is_none(),
            service: service.is_none(),
            new_users: !knows_all,
            retention: !kept.has_before,
        };
        Ok(Report {
            span: period.span,
            period: period.name.clone(),
            time_zone: period.zone.name().to_owned(),
            from: period.from,
            to: period.to,
            is_over,
            as_of: (!is_over).then_some(now),
            users,
            revenue: tally.revenue(),
            turnover: tally.turnover(),
            orders: tally.orders.clone(),
            units: tally.units.clone(),
            points: tally.points.clone(),
            products_count,
            products,
            course: tally.course(),
            conversion,
            service,
            left_out: lacks.told(),
        })
    }

    /// The views of the days of a period; `None` where none is on record.
    fn views_in(&self, period: &Period, is_over: bool) -> Result<Option<Vec<DayOfViews>>> {
        if is_over && let Err(error) = self.keep_views() {
            // They are in the report all the same.
            tracing::warn!(%error, "views that are not written yet may be lost in a crash");
        }
        let days = period.days().map(|day| self.views_of_day(day));
        let days: Vec<_> = days.filter_map(Result::transpose).collect::<Result<_>>()?;
        Ok((!days.is_empty()).then_some(days))
    }
}

fn views_of(days: &[DayOfViews], product: &str) -> u64 {
    let views = days.iter().filter_map(|day| day.products.get(product));
    views.fold(0, |sum, it| sum.saturating_add(it.views))
}

/// Figures that there are not.
struct Lacks {
    conversion: bool,
    service: bool,
    new_users: bool,
    retention: bool,
}

/// Where the events of a period begin.
struct Kept {
    from_seq: Seq,
    /// Whether all those of the period before are kept.
    has_before: bool,
}

impl Kept {
    fn look(engine: &Engine, period: &Period) -> Result<Self> {
        let oldest = engine.status().oldest_seq.max(1);
        let first_at = if oldest == 1 { None } else { time_of(engine, oldest)? };
        if oldest > 1 && first_at.is_none_or(|at| at >= period.from) {
            return Err(Error::not_found(format!(
                "what happened in {} is no longer kept: the oldest event there is, {oldest}, is later",
                period.name
            )));
        }
        let (mut low, mut high) = (oldest, engine.durable_seq().saturating_add(1).max(oldest));
        let from = period.before_from.saturating_sub(SET_BACK_MS);
        while low < high {
            let middle = low + (high - low) / 2;
            match time_of(engine, middle)? {
                Some(at) if at < from => low = middle + 1,
                Some(_) | None => high = middle,
            }
        }
        let has_before = first_at.is_none_or(|at| at < period.before_from);
        Ok(Self { from_seq: low, has_before })
    }
}

/// When an event happened; `None` when there is none yet.
fn time_of(engine: &Engine, seq: Seq) -> Result<Option<TimeMs>> {
    Ok(engine.subscribe(seq)?.try_next()?.map(|(_, event)| event.at))
}

impl Lacks {
    fn told(&self) -> Vec<LeftOut> {
        let all = [
            (self.conversion, "conversion", "no views of products are on record"),
            (self.service, "errorsAndLatency", "no answers of a server are on record"),
            (self.new_users, "newUsers", "history was made anew without the oldest events"),
            (self.retention, "retention", "the events of the period before are no longer all kept"),
        ];
        let lacking = all.into_iter().filter(|(lacks, ..)| *lacks);
        lacking.map(|(_, figure, why)| LeftOut { figure: figure.into(), why: why.into() }).collect()
    }
}
