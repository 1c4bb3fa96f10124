//! Times, as pages show them: in the mall's zone, and exactly for machines.

use maud::{Markup, html};

use crate::base::{TimeMs, rfc3339};
use crate::mall::Mall;

/// A moment.
pub(super) fn told(mall: &Mall, at: TimeMs) -> Markup {
    html! { time datetime=[rfc3339(at)] { (mall.config().time_zone.told(at)) } }
}

/// A deadline, beside which a script counts down.
pub(super) fn deadline(mall: &Mall, at: TimeMs) -> Markup {
    html! { (told(mall, at)) " " span .countdown data-deadline=(at) {} }
}
