//! A receiver of webhooks that is given reports: its outbox takes them, and keeps which was the last.

use super::Receiver;
use crate::base::error::{Error, Result};
use crate::mall::{Report, Span};
use crate::webhooks::{Refusal, Webhooks};

pub(super) struct Hook<'a> {
    webhooks: &'a Webhooks,
    id: String,
    spans: Vec<Span>,
}

impl<'a> Hook<'a> {
    /// Whoever wants reports now.
    pub(super) fn all(webhooks: &'a Webhooks) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for span in Span::ALL.iter().copied() {
            for id in webhooks.wanting_reports(span) {
                match all.iter_mut().find(|hook| hook.id == id) {
                    Some(hook) => hook.spans.push(span),
                    None => all.push(Self { webhooks, id, spans: vec![span] }),
                }
            }
        }
        all
    }
}

impl Receiver for Hook<'_> {
    fn name(&self) -> &str {
        &self.id
    }

    fn wants(&self, span: Span) -> bool {
        self.spans.contains(&span)
    }

    fn last(&self, span: Span) -> Result<Option<String>> {
        self.webhooks.last_reported(&self.id, span).map_err(failed)
    }

    fn take(&self, report: &Report) -> Result<()> {
        self.webhooks.send_report(&self.id, report).map_err(failed)
    }

    fn keep_last(&self, span: Span, period: &str) -> Result<()> {
        self.webhooks.keep_reported(&self.id, span, period).map_err(failed)
    }
}

fn failed(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NotFound => Error::unavailable("the receiver was deleted"),
        Refusal::Exists => Error::unavailable("there is such a receiver"),
        Refusal::Engine(error) => error,
    }
}
