//! Whether the process lives, and whether it can serve.

use std::time::{Duration, UNIX_EPOCH};

use hyper::StatusCode;
use serde::Serialize;

use crate::http::call::PublicCall;
use crate::http::reply::{Answer, HttpResponse, respond};

#[derive(Serialize)]
struct Report {
    status: &'static str,
    /// ISO 8601, in UTC.
    timestamp: String,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    engine: &'static str,
    disk: &'static str,
    space: &'static str,
    /// As last seen; absent where the file system does not say.
    #[serde(rename = "freeBytes", skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    #[serde(rename = "historyBytes")]
    history_bytes: u64,
    /// How long the disk has been at one group of events; absent while it rests.
    #[serde(rename = "syncAgeMs", skip_serializing_if = "Option::is_none")]
    sync_age_ms: Option<u64>,
    history: &'static str,
    checkpoint: &'static str,
    /// The engine's own threads.
    threads: &'static str,
    /// Whether the engine's time is the machine's.
    clock: &'static str,
    accepting: bool,
    /// Absent without a mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<&'static str>,
    /// Absent where the server makes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<&'static str>,
}

/// 503 once the engine cannot serve any more, when only a restart helps, and while the disk hangs.
/// A history that failed is told and no more: it takes a restart too, but what is sold until then
/// is sold rightly.
pub(in crate::http) async fn health(call: PublicCall<'_>) -> Answer {
    let well = call.app.mall.check_alive().is_ok()
        && call.app.mall.engine().status().dead_thread.is_none();
    Ok(report(&call, well, ["healthy", "unhealthy"]))
}

/// 503 also while the journal's queue is full or the server drains: no new requests should be sent
/// here.
pub(in crate::http) async fn ready(call: PublicCall<'_>) -> Answer {
    let ready = call.app.mall.engine().check_ready().is_ok() && !call.app.is_draining();
    Ok(report(&call, ready, ["ready", "not ready"]))
}

fn report(call: &PublicCall<'_>, well: bool, [good, bad]: [&'static str; 2]) -> HttpResponse {
    let told = |well: bool| if well { "fulfilled" } else { "rejected" };
    let engine = told(call.app.mall.check_alive().is_ok());
    // Space, history, checkpoint, mirror and backup never decide whether the server is well: sales go on
    // without them.
    let status = call.app.mall.engine().status();
    let clock = told(status.clock_ahead_ms == 0);
    let (history, threads) = (told(!status.history_failed), told(status.dead_thread.is_none()));
    let checkpoint = told(status.checkpoint_failures == 0);
    let mirror = call.app.mirror.as_ref().map(|mirror| told(mirror.status().is_well()));
    let backup = call.app.backup.as_ref().map(|backup| told(backup.status().is_well()));
    let now = UNIX_EPOCH + Duration::from_millis(call.app.mall.clock_ms());
    let report = Report {
        status: if well { good } else { bad },
        timestamp: humantime::format_rfc3339_millis(now).to_string(),
        checks: Checks {
            engine,
            disk: told(!status.stalled && !status.poisoned),
            space: told(!status.low_space),
            free_bytes: status.free_bytes,
            history_bytes: status.history_bytes,
            sync_age_ms: status.sync_age_ms,
            history,
            checkpoint,
            threads,
            clock,
            accepting: !call.app.is_draining(),
            mirror,
            backup,
        },
    };
    respond(
        if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE },
        call.format,
        &report,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hyper::HeaderMap;
    use secrecy::SecretString;

    use super::*;
    use crate::base::asked::Asked;
    use crate::base::clock::ManualClock;
    use crate::engine::Engine;
    use crate::http::call::Unchecked;
    use crate::http::format::Format;
    use crate::http::guests::Address;
    use crate::http::rates::Counted;
    use crate::http::route::ROUTES;
    use crate::http::{App, Auth, Limits};
    use crate::mall::{Mall, MallConfig};

    /// Whoever is still connected while the server drains is told to go elsewhere, and that it is
    /// not ill.
    #[tokio::test]
    async fn a_server_that_drains_is_healthy_and_not_ready() {
        let dir = tempfile::tempdir().expect("a directory");
        let builder = Engine::builder(dir.path())
            .clock(Arc::new(ManualClock::new(0)))
            .segment_bytes(128 << 10);
        let mall = builder
            .open()
            .and_then(|engine| Mall::open(engine, MallConfig::default()))
            .expect("it opens");
        let auth = Auth::new(&SecretString::from("0123456789abcdef0123456789abcdef"))
            .expect("a long secret");
        let app = App::new(mall, auth, Limits::default());
        assert_eq!(statuses(&app).await, (200, 200));
        app.draining.send_replace(true);
        assert_eq!(statuses(&app).await, (200, 503));
    }

    async fn statuses(app: &App) -> (u16, u16) {
        let headers = HeaderMap::new();
        let request = Unchecked {
            app,
            format: Format::Json,
            address: Address::of([127, 0, 0, 1].into()),
            counted: &Counted::default(),
            asked: &Asked::new("".into(), None),
            headers: &headers,
            route: &ROUTES[0].row,
            spelled: "",
            query: None,
            parameters: &[],
        };
        let call = || request.public().expect("everybody may ask");
        let health = health(call()).await.expect("an answer");
        let ready = ready(call()).await.expect("an answer");
        (health.status().as_u16(), ready.status().as_u16())
    }
}
