//! Whether the process lives, and whether it can serve.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Serialize;

use crate::base::rfc3339;
use crate::http::call::PublicCall;
use crate::http::parts::{Part, Standing};
use crate::http::reply::{Answer, HttpResponse, respond};

#[derive(Serialize)]
struct Report {
    status: &'static str,
    /// ISO 8601, in UTC.
    timestamp: Option<String>,
    phase: Phase,
    checks: Checks,
    dependencies: BTreeMap<&'static str, PartWire>,
}

/// What the server is at. While it starts there is another answer: see `starting`.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
enum Phase {
    Serving,
    Stopping,
}

#[derive(Serialize)]
struct PartWire {
    state: &'static str,
    /// ISO 8601, in UTC.
    since: Option<String>,
    /// What goes on without it; absent while it is well.
    #[serde(rename = "stillWorks", skip_serializing_if = "Option::is_none")]
    still_works: Option<&'static str>,
}

#[derive(Serialize)]
struct Checks {
    engine: &'static str,
    /// As last seen; absent where the file system does not say.
    #[serde(rename = "freeBytes", skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    #[serde(rename = "historyBytes")]
    history_bytes: u64,
    /// How long the disk has been at one group of events; absent while it rests.
    #[serde(rename = "syncAgeMs", skip_serializing_if = "Option::is_none")]
    sync_age_ms: Option<u64>,
    accepting: bool,
    /// Every part but the journal, which is the engine: `dependencies` says more.
    #[serde(flatten)]
    parts: BTreeMap<&'static str, &'static str>,
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
    // What the server can do without never decides whether it is well: sales go on.
    let parts = call.app.parts();
    let status = call.app.mall.engine().status();
    let is_draining = call.app.is_draining();
    let checked = parts.iter().filter(|standing| standing.part != Part::Journal);
    let report = Report {
        status: if well { good } else { bad },
        timestamp: rfc3339(call.app.mall.clock_ms()),
        phase: if is_draining { Phase::Stopping } else { Phase::Serving },
        checks: Checks {
            engine: told(call.app.mall.check_alive().is_ok()),
            free_bytes: status.free_bytes,
            history_bytes: status.history_bytes,
            sync_age_ms: status.sync_age_ms,
            accepting: !is_draining,
            parts: checked.map(|it| (it.part.name(), told(it.is_well))).collect(),
        },
        dependencies: parts.iter().map(|it| (it.part.name(), wire(it))).collect(),
    };
    respond(
        if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE },
        call.format,
        &report,
    )
}

fn wire(standing: &Standing) -> PartWire {
    let Standing { part, is_well, since_ms } = *standing;
    let still_works = (!is_well).then(|| part.works());
    PartWire { state: told(is_well), since: rfc3339(since_ms), still_works }
}

fn told(well: bool) -> &'static str {
    if well { "fulfilled" } else { "rejected" }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hyper::HeaderMap;
    use secrecy::SecretString;

    use super::*;
    use crate::base::asked::Asked;
    use crate::base::clock::ManualClock;
    use crate::engine::{Engine, EngineBuilder};
    use crate::http::call::Unchecked;
    use crate::http::format::Format;
    use crate::http::guests::Address;
    use crate::http::rates::Counted;
    use crate::http::route::ROUTES;
    use crate::http::visit::{Offer, Visit};
    use crate::http::{App, Auth, Limits};
    use crate::mall::{Mall, MallConfig};
    use crate::vfs::crash::{CrashVfs, Fault};

    /// Whoever is still connected while the server drains is told to go elsewhere, and that it is
    /// not ill.
    #[tokio::test]
    async fn a_server_that_drains_is_healthy_and_not_ready() {
        let dir = tempfile::tempdir().expect("a directory");
        let builder = Engine::builder(dir.path())
            .clock(Arc::new(ManualClock::new(0)))
            .segment_bytes(128 << 10);
        let app = app(builder);
        assert_eq!(statuses(&app).await, (200, 200));
        app.draining.send_replace(true);
        assert_eq!(statuses(&app).await, (200, 503));
    }

    /// A disk that fails ends all selling, and is no reason to say that anything else is ill.
    #[tokio::test]
    async fn a_journal_that_failed_is_named_with_what_still_works() {
        let vfs = CrashVfs::new(7);
        let builder = Engine::builder("/data").vfs(vfs.clone()).history(false);
        let builder = builder.clock(Arc::new(ManualClock::new(0))).segment_bytes(128 << 10);
        let app = app(builder);
        assert_eq!(statuses(&app).await, (200, 200));
        for next in 1..=50 {
            vfs.fault_at(vfs.operations() + next, Fault::Fail);
        }
        assert!(app.mall.load_demo().is_err(), "the disk fails");
        assert_eq!(statuses(&app).await, (503, 503));
        let ill = app.parts().into_iter().filter(|part| !part.is_well);
        let ill: Vec<_> = ill.map(|it| it.part).collect();
        assert_eq!(ill, [Part::Journal, Part::Disk]);
    }

    fn app(builder: EngineBuilder) -> App {
        let opened = builder.open().and_then(|engine| Mall::open(engine, MallConfig::default()));
        let auth = Auth::new(&SecretString::from("0123456789abcdef0123456789abcdef"));
        App::new(opened.expect("it opens"), auth.expect("a long secret"), Limits::default())
    }

    async fn statuses(app: &App) -> (u16, u16) {
        let headers = HeaderMap::new();
        let request = Unchecked {
            app,
            format: Format::Json,
            visit: Visit { address: Address::Local, offer: Offer::Everything },
            counted: &Counted::default(),
            asked: &Asked::new("".into(), None),
            headers: &headers,
            small_bytes: 0,
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
