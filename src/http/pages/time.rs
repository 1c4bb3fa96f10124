//! Times, as pages show them: in the mall's zone, and exactly for machines.

use std::time::{Duration, UNIX_EPOCH};

use maud::{Markup, html};

use crate::base::TimeMs;
use crate::mall::Mall;

/// A moment.
pub(super) fn told(mall: &Mall, at: TimeMs) -> Markup {
    html! { time datetime=(exact(at)) { (mall.config().time_zone.told(at)) } }
}

/// A deadline, beside which a script counts down.
pub(super) fn deadline(mall: &Mall, at: TimeMs) -> Markup {
    html! { (told(mall, at)) " " span .countdown data-deadline=(at) {} }
}

/// As RFC 3339 has it.
fn exact(at: TimeMs) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at)).to_string()
}
