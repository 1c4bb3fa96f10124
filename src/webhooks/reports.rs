//! Reports to those receivers that want them: each is a message like any other, and which was the last
//! is kept with it, in one file that is written whole. So each comes once into the outbox.

use super::kind::Kind;
use super::letter::Letter;
use super::{Refusal, Webhooks};
use crate::base::error::Error;
use crate::mall::{Report, Span};

impl Webhooks {
    /// The receivers that are on and want reports of a span.
    pub(crate) fn wanting_reports(&self, span: Span) -> Vec<String> {
        let receivers = self.0.receivers().into_iter().filter(|receiver| {
            let wants = receiver.profile.lock().events.has(Kind::of_report(span));
            wants && receiver.is_on()
        });
        receivers.map(|receiver| receiver.id.clone()).collect()
    }

    /// The last period of a span whose report a receiver has been sent, or that was left out.
    pub(crate) fn last_reported(&self, id: &str, span: Span) -> Result<Option<String>, Refusal> {
        Ok(self.find(id)?.outbox.lock().last_reported(span.name()))
    }

    /// Puts a report into a receiver's outbox, unless it has been there. Durable when it returns.
    pub(crate) fn send_report(&self, id: &str, report: &Report) -> Result<(), Refusal> {
        let (receiver, now) = (self.find(id)?, self.0.engine.now_ms());
        {
            let mut outbox = receiver.outbox.lock();
            let span = report.span.name();
            if outbox.last_reported(span).as_ref() == Some(&report.period) {
                return Ok(());
            }
            if !outbox.has_room() {
                return Err(Error::overloaded("as many messages wait as may").into());
            }
            let letter = Letter::report(report, self.0.origin, outbox.read_through())?;
            outbox.push(Letter { queued_at: now, next_at: now, ..letter });
            outbox.set_reported(span, &report.period);
        }
        receiver.keep(&self.0.engine)?;
        receiver.wake.notify_one();
        Ok(())
    }

    /// That was the last period of a span, for a receiver. Durable when it returns.
    pub(crate) fn keep_reported(&self, id: &str, span: Span, period: &str) -> Result<(), Refusal> {
        let receiver = self.find(id)?;
        {
            let mut outbox = receiver.outbox.lock();
            if outbox.last_reported(span.name()).as_deref() == Some(period) {
                return Ok(());
            }
            outbox.set_reported(span.name(), period);
        }
        Ok(receiver.keep(&self.0.engine)?)
    }
}
