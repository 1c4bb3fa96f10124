//! Requests and their steps as spans, for whoever looks at traces.
//!
//! Spans have a target of their own, so that nobody makes one who does not ask for them: without a
//! subscriber of theirs each costs one look at a flag.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Span, field, info_span};

use super::asked;

/// Whom spans are of, for those who filter by it.
#[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "whoever tells traces asks for it"))]
pub(crate) const TARGET: &str = module_path!();

/// A request that is to be answered, as part of the trace that `traceparent` and `tracestate` name.
pub(crate) fn request(id: &str, traceparent: Option<&str>, tracestate: Option<&str>) -> Span {
    let span = info_span!(
        parent: None,
        "request",
        otel.name = field::Empty,
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = field::Empty,
        http.route = field::Empty,
        http.response.status_code = field::Empty,
        stockhold.code = field::Empty,
        stockhold.request_id = id,
        enduser.id = field::Empty,
    );
    if let Some(traceparent) = traceparent.filter(|_| !span.is_disabled()) {
        context::follow(&span, traceparent, tracestate);
    }
    span
}

/// Says on the span of a request with which code of the API it failed.
pub(crate) fn failed(span: &Span, code: &'static str) {
    span.record("stockhold.code", code);
}

/// Says on the span of a request what it asks for; of one that found no route, with which method. A
/// span has its name before it has steps, or never.
pub(crate) fn found(span: &Span, method: &'static str, route: Option<&'static str>) {
    if span.is_disabled() {
        return;
    }
    match route {
        Some(route) => span.record("otel.name", format!("{method} {route}").as_str()),
        None => span.record("otel.name", method),
    };
    span.record("http.request.method", method);
    route.map(|route| span.record("http.route", route));
}

/// Says on the span of a request how it was answered, and who asked.
pub(crate) fn answered(span: &Span, status: u16, user: Option<&str>) {
    span.record("http.response.status_code", i64::from(status));
    user.map(|user| span.record("enduser.id", user));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// A step of the request that this thread works for, from now until it is dropped. It is for no
/// trace where there is no request.
pub(crate) fn step(name: &'static str) -> Span {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return Span::none();
    }
    match asked::current() {
        Some(asked) => info_span!(parent: &asked.span, "step", otel.name = name),
        None => Span::none(),
    }
}

/// A request of ours to another server, from now until it is dropped: of the request that this thread
/// works for, or a trace of its own.
pub(crate) fn call(name: &'static str) -> Span {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return Span::none();
    }
    let asked = asked::current();
    let parent = asked.as_ref().and_then(|asked| asked.span.id());
    info_span!(
        parent: parent,
        "call",
        otel.name = name,
        otel.kind = "client",
        otel.status_code = field::Empty,
        http.response.status_code = field::Empty,
        error.r#type = field::Empty,
    )
}

/// Says on the span of a call what came of it: the status of the answer, or why there is none.
pub(crate) fn told(span: &Span, came: Result<u16, &'static str>) {
    match came {
        Ok(status) => {
            span.record("http.response.status_code", i64::from(status));
            if status >= 400 {
                span.record("otel.status_code", "ERROR");
            }
        }
        Err(why) => {
            span.record("error.type", why);
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// The headers by which another server's spans join the trace of `span`; none where nobody looks.
pub(crate) fn passed_on(span: &Span) -> Vec<(&'static str, String)> {
    if span.is_disabled() {
        return Vec::new();
    }
    context::passed_on(span)
}

/// What became of spans that ended.
#[derive(Debug, Default)]
pub(crate) struct SpanCounts {
    sent: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

/// What can become of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "whoever tells traces counts them"))]
pub(crate) enum Fate {
    /// The collector has it.
    Sent,
    /// Too many waited.
    Dropped,
    /// The collector would not have it.
    Refused,
}

impl SpanCounts {
    #[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "as `Fate`"))]
    pub(crate) fn add(&self, fate: Fate, spans: u64) {
        // Relaxed: the count is the whole message.
        self.of(fate).fetch_add(spans, Ordering::Relaxed);
    }

    /// How many there were of each fate, with its name.
    pub(crate) fn seen(&self) -> [(&'static str, u64); 3] {
        [("sent", Fate::Sent), ("dropped", Fate::Dropped), ("refused", Fate::Refused)]
            .map(|(name, fate)| (name, self.of(fate).load(Ordering::Relaxed)))
    }

    fn of(&self, fate: Fate) -> &AtomicU64 {
        match fate {
            Fate::Sent => &self.sent,
            Fate::Dropped => &self.dropped,
            Fate::Refused => &self.refused,
        }
    }
}

/// Traces that go on elsewhere (W3C Trace Context, level 1).
#[cfg(feature = "otel")]
mod context {
    use std::collections::HashMap;

    use opentelemetry::propagation::TextMapPropagator as _;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing::Span;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    const NAMES: [&str; 2] = ["traceparent", "tracestate"];

    pub(super) fn follow(span: &Span, traceparent: &str, tracestate: Option<&str>) {
        let mut carried = HashMap::from([(NAMES[0].to_owned(), traceparent.to_owned())]);
        carried.extend(tracestate.map(|state| (NAMES[1].to_owned(), state.to_owned())));
        // Only a subscriber of somebody else's knows no traces, and it needs no parent.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carried));
    }

    pub(super) fn passed_on(span: &Span) -> Vec<(&'static str, String)> {
        let mut carried = HashMap::new();
        TraceContextPropagator::new().inject_context(&span.context(), &mut carried);
        let known = NAMES.into_iter().filter_map(|name| Some((name, carried.remove(name)?)));
        known.filter(|(_, value)| !value.is_empty()).collect()
    }
}

#[cfg(not(feature = "otel"))]
mod context {
    use tracing::Span;

    pub(super) fn follow(_: &Span, _: &str, _: Option<&str>) {}

    pub(super) fn passed_on(_: &Span) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
