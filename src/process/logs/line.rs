//! How an event becomes a line: text for people, or JSON in the shape of the mall's document.

use std::fmt::{self, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::mask::{MASKED, is_secret, masked};
use crate::base::asked::{self, Asked};
use crate::base::clock::{Clock as _, SystemClock};
use crate::settings::{LogConfig, LogFormat, LogUserIds};

/// How much of one text a line shows, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// How much of the hash of a user's id is shown, in characters.
const HASH_CHARS: usize = 16;
/// Fields that name a user, or an operator.
const USER_FIELDS: [&str; 3] = ["user", "by", "operator"];

/// Writes lines.
#[derive(Debug)]
pub(in crate::process) struct Lines {
    pub(super) format: LogFormat,
    service: String,
    user_ids: LogUserIds,
    /// What ids are hashed with.
    key: [u8; 32],
    clock: SystemClock,
}

/// One event.
struct Told<'a> {
    level: Level,
    /// The module that tells it.
    target: &'a str,
    message: Option<String>,
    fields: Map<String, Value>,
}

/// A line as JSON: first what tells files of the log apart by how they begin.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: String,
    service: &'a str,
    operation: String,
    user_id: Option<String>,
    level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    module: &'a str,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

impl Lines {
    /// Lines as they are set; ids are hashed with `key`.
    pub(in crate::process) fn new(config: &LogConfig, key: [u8; 32]) -> Self {
        Self {
            format: config.format,
            service: config.service.clone(),
            user_ids: config.user_ids,
            key,
            clock: SystemClock::default(),
        }
    }

    /// A line that is no event.
    pub(super) fn of(&self, level: Level, target: &str, message: &str) -> String {
        let message = Some(message.to_owned());
        self.line(&Told { level, target, message, fields: Map::new() }, None)
    }

    fn line(&self, told: &Told<'_>, asked: Option<&Asked>) -> String {
        match self.format {
            LogFormat::Text => self.text(told, asked),
            LogFormat::Json => self.json(told, asked),
        }
    }

    /// `timestamp`, `service`, `operation`, `userId`, `level` and `details`, as the mall's document
    /// has them.
    fn json(&self, told: &Told<'_>, asked: Option<&Asked>) -> String {
        let user = asked.and_then(|asked| asked.user.get()).map(|user| self.user(user));
        let line = Line {
            timestamp: self.now(),
            service: &self.service,
            operation: operation(told, asked),
            user_id: user,
            level: told.level.as_str().to_ascii_lowercase(),
            request_id: asked.map(|asked| &*asked.id),
            trace_id: asked.and_then(|asked| asked.trace.as_deref()),
            details: Details {
                message: told.message.as_deref(),
                module: told.target,
                fields: &told.fields,
            },
        };
        // Texts and numbers can always be written.
        serde_json::to_string(&line).map(|line| line + "\n").unwrap_or_default()
    }

    fn text(&self, told: &Told<'_>, asked: Option<&Asked>) -> String {
        let message = told.message.as_deref().unwrap_or_default();
        let mut line = format!("{} {:>5} {}: ", self.now(), told.level, told.target);
        escape(message, &mut line);
        // Writing to a string cannot fail.
        for (name, value) in &told.fields {
            let _ = write!(line, " {name}={value}");
        }
        if let Some(asked) = asked {
            let _ = write!(line, " request={}", asked.id);
            if let Some(user) = asked.user.get() {
                let _ = write!(line, " userId={}", self.user(user));
            }
            let _ = write!(line, " operation={:?}", operation(told, Some(asked)));
        }
        line.push('\n');
        line
    }

    fn now(&self) -> String {
        let now = UNIX_EPOCH + Duration::from_millis(self.clock.now_ms());
        humantime::format_rfc3339_millis(now).to_string()
    }

    /// A text as it may be shown.
    #[cfg(feature = "otel")]
    pub(in crate::process) fn text_shown(&self, text: &str) -> String {
        shown(text)
    }

    /// A user's id as it may be shown. One that is itself a number to call is not.
    pub(in crate::process) fn user(&self, id: &str) -> String {
        match self.user_ids {
            LogUserIds::Shown => masked(id).into_owned(),
            LogUserIds::Hidden => MASKED.to_owned(),
            LogUserIds::Hashed => {
                let hash = blake3::keyed_hash(&self.key, id.as_bytes()).to_hex();
                format!("h_{}", &hash[..HASH_CHARS])
            }
        }
    }
}

/// What was asked for; without a request, the part of the program that tells.
fn operation(told: &Told<'_>, asked: Option<&Asked>) -> String {
    match asked.and_then(|asked| asked.operation.get()) {
        Some((method, path)) => format!("{method} {path}"),
        None => {
            let module = told.target.strip_prefix("stockhold::").unwrap_or(told.target);
            module.split("::").next().unwrap_or_default().to_owned()
        }
    }
}

/// Whatever would end the line, or move a terminal's cursor, is written as Rust writes it.
fn escape(text: &str, to: &mut String) {
    for of in text.chars() {
        if of.is_control() {
            to.extend(of.escape_default());
        } else {
            to.push(of);
        }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut seen = Seen { lines: self, message: None, target: None, fields: Map::new() };
        event.record(&mut seen);
        let Seen { message, target, fields, .. } = seen;
        let target = target.as_deref().unwrap_or(metadata.target());
        let told = Told { level: *metadata.level(), target, message, fields };
        writer.write_str(&self.line(&told, asked::current().as_deref()))
    }
}

/// The fields of an event, looked at one by one.
struct Seen<'a> {
    lines: &'a Lines,
    message: Option<String>,
    /// Where the event came from the crate `log`, which says so in a field.
    target: Option<String>,
    fields: Map<String, Value>,
}

impl Seen<'_> {
    fn add(&mut self, field: &Field, value: Value) {
        let name = field.name();
        if name.starts_with("log.") {
            return;
        }
        let value = if is_secret(name) { MASKED.into() } else { value };
        self.fields.insert(name.to_owned(), value);
    }

    fn add_text(&mut self, field: &Field, text: &str) {
        let shown = shown(text);
        match field.name() {
            "message" => self.message = Some(shown),
            "log.target" => self.target = Some(text.to_owned()),
            name if USER_FIELDS.contains(&name) => {
                let user = self.lines.user(text);
                self.add(field, user.into());
            }
            _ => self.add(field, shown.into()),
        }
    }
}

/// A text as it may be shown.
fn shown(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    let cut = if end < text.len() { "…" } else { "" };
    format!("{}{cut}", masked(&text[..end]))
}

impl Visit for Seen<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add_text(field, &value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::json;

    use super::*;
    use crate::settings::log_for_tests;

    #[derive(Clone, Default)]
    struct Read(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Read {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `tell` logs.
    fn logged(format: LogFormat, user_ids: LogUserIds, tell: impl FnOnce()) -> String {
        let config = LogConfig { format, user_ids, ..log_for_tests() };
        let (read, lines) = (Read::default(), Lines::new(&config, [7; 32]));
        let writer = read.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(lines)
            .finish();
        tracing::subscriber::with_default(subscriber, tell);
        String::from_utf8(read.0.lock().clone()).expect("UTF-8")
    }

    fn asked() -> Arc<Asked> {
        let asked = Asked::new("req-7".into(), Some("4bf92f3577b34da6a3ce929d0e0e4736".into()));
        let _ = asked.operation.set(("POST", "/api/mall/exchange"));
        let _ = asked.user.set("ann".into());
        Arc::new(asked)
    }

    fn of_request(tell: impl FnOnce()) {
        let mut told = std::pin::pin!(asked::within(asked(), async { tell() }));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(told.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn a_line_has_the_shape_of_the_mall_document() {
        let line = logged(LogFormat::Json, LogUserIds::Shown, || {
            of_request(|| {
                tracing::warn!(count = 3, late = true, error = %"no 13800138000", token = "t", "it failed");
            });
        });
        let mut line: Value = serde_json::from_str(&line).expect("one line of JSON");
        let timestamp = line["timestamp"].take();
        let timestamp = timestamp.as_str().expect("a text");
        assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
        let expected = json!({
            "timestamp": null,
            "service": "mall-service",
            "operation": "POST /api/mall/exchange",
            "userId": "ann",
            "level": "warn",
            "requestId": "req-7",
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            "details": {
                "message": "it failed", "module": "stockhold::process::logs::line::tests",
                "count": 3, "late": true, "error": "no [phone]", "token": "[masked]",
            },
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_without_a_request_says_which_part_tells() {
        let tell = || tracing::error!(target: "stockhold::journal::group", "it failed");
        let line = logged(LogFormat::Json, LogUserIds::Shown, tell);
        let line: Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!((&line["operation"], &line["userId"]), (&"journal".into(), &Value::Null));
        assert!(line.get("requestId").is_none(), "{line}");
        let line = logged(LogFormat::Text, LogUserIds::Shown, tell);
        assert!(line.ends_with(" ERROR stockhold::journal::group: it failed\n"), "{line}");
    }

    #[test]
    fn whoever_asks_is_told_as_it_is_set() {
        let told = |user_ids| {
            logged(LogFormat::Json, user_ids, || {
                of_request(|| tracing::info!(user = "ann", by = "bob", "revoked"));
            })
        };
        let shown = told(LogUserIds::Shown);
        assert!(
            shown.contains("\"userId\":\"ann\"") && shown.contains("\"by\":\"bob\""),
            "{shown}"
        );
        for (user_ids, mark) in
            [(LogUserIds::Hashed, "\"userId\":\"h_"), (LogUserIds::Hidden, "\"userId\":\"[masked]")]
        {
            let line = told(user_ids);
            assert!(line.contains(mark), "{line}");
            assert!(!line.contains("\"ann\"") && !line.contains("\"bob\""), "{line}");
        }
        let hashed: Value = serde_json::from_str(&told(LogUserIds::Hashed)).expect("JSON");
        assert_eq!(hashed["userId"], hashed["details"]["user"], "one user has one hash");
    }

    /// Would catch a client that writes lines of its own into the log.
    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = logged(format, LogUserIds::Shown, || {
                tracing::warn!(cause = "a\nb\u{1b}[2J", "two\nlines\u{1b}");
            });
            let end = line.strip_suffix('\n').expect("it ends");
            assert!(!end.contains(char::is_control), "{line:?}");
            let long = "长".repeat(TEXT_BYTES_MAX);
            let line = logged(format, LogUserIds::Shown, || tracing::warn!("{long}"));
            assert!(line.len() < TEXT_BYTES_MAX + 1024, "{}", line.len());
        }
    }
}
