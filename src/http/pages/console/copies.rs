//! Where else the data are: the mirror, the backups, and who follows the journal.

use maud::{Markup, html};

use super::nav;
use crate::backup::{BackupStatus, BackupView};
use crate::http::pages::number::number;
use crate::http::pages::page::AdminDesk;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::sink::MirrorView;

pub(in crate::http::pages) async fn get(page: &AdminDesk<'_>) -> Answer {
    let words = page.words;
    let app = page.call.app;
    let claims = page.mall().engine().claims();
    let content = html! {
        (nav(page))
        h2 { (words.mirror) }
        @match &app.mirror {
            Some(mirror) => { (mirrored(page, mirror)) }
            None => { p { (words.none) } }
        }
        h2 { (words.backups) }
        @match app.backup.as_ref().map(BackupView::status) {
            Some(backup) => { (backed_up(page, &backup)) }
            None => { p { (words.none) } }
        }
        h2 { (words.claims) }
        p .quiet { (words.claims_hint) }
        @if claims.is_empty() { p { (words.none) } }
        ul { @for claim in &claims { li { code { (claim) } } } }
        h2 { (words.replicas) }
        p { (words.none) }
    };
    Ok(page.show(words.copies, &content))
}

fn mirrored(page: &AdminDesk<'_>, mirror: &MirrorView) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let (status, lag_events, lag_ms) = mirror.status_of(mall.engine());
    html! {
        dl {
            dt { (words.status) } dd { code { (status.state.name()) } }
            dt { (words.shows_up_to) } dd { (number(status.watermark))
                @if let Some(at) = status.event_at { " · " (time::told(mall, at)) } }
            dt { (words.lag) } dd { (number(lag_events)) " · " (seconds(lag_ms)) }
            dt { (words.rejected_rows) } dd { (number(status.rejected)) }
            dt { (words.kept_for_it) } dd { (number(status.held_bytes >> 20)) " MiB"
                @if status.backlog_full { " " strong .out { (words.not_well) } } }
            dt { (words.last_error) } dd {
                @match (&status.last_error, status.last_error_at) {
                    (Some(error), Some(at)) => { (error) " · " (time::told(mall, at)) }
                    (Some(error), None) => { (error) }
                    (None, _) => { (words.none) }
                }
            }
        }
    }
}

fn backed_up(page: &AdminDesk<'_>, backup: &BackupStatus) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let exposed = backup.exposed_ms(mall.now_ms(), mall.engine().durable_seq());
    let every = page.call.app.setting("backup_every");
    html! {
        dl {
            dt { (words.last_run) } dd {
                @match backup.complete_at {
                    Some(at) => { (time::told(mall, at)) " · " (words.events) " " (number(backup.last_seq)) }
                    None => { strong .out { (words.no_run) } }
                }
            }
            dt { (words.every) } dd { (every.map_or(words.not_known, |it| &it.value)) }
            dt { (words.would_be_lost) } dd {
                @match exposed {
                    Some(ms) => { (seconds(ms)) }
                    None => { (words.not_known) }
                }
            }
            dt { (words.failed_runs) } dd {
                @if backup.is_well() { (number(backup.failures)) }
                @else { strong .out { (number(backup.failures)) } }
            }
            @if let Some(error) = &backup.error { dt { (words.last_error) } dd { (error) } }
            dt { (words.verified) } dd { (words.verify_hint) " " code { "stockhold backup --to … --check" } }
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{} s", number(ms / 1000))
}
