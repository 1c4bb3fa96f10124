//! The table of settings.
//!
//! A row is all there is of a setting: flag, variable, key of the file, help, bounds and messages
//! follow from it, and `set` says what it sets. `docs/operations.md`, `docs/mirror.md` and
//! `deploy/stockhold.toml` are held to the table by tests.

mod backup;
mod ledger;
mod log;
mod mall;
mod mirror;
mod overload;
mod points;
mod proxies;
mod serving;
mod tls;
mod tokens;
mod traces;
mod webhooks;

use super::setting::Setting;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

const GROUPS: &[&[Setting]] = &[
    serving::ROWS,
    overload::ROWS,
    tls::ROWS,
    proxies::ROWS,
    mall::ROWS,
    ledger::ROWS,
    backup::ROWS,
    tokens::ROWS,
    log::ROWS,
    traces::ROWS,
    points::ROWS,
    mirror::ROWS,
    webhooks::ROWS,
];

/// Every row, as documents and help show them.
pub(super) const SETTINGS: [&Setting; COUNT] = joined();

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

const fn joined() -> [&'static Setting; COUNT] {
    let mut all = [&GROUPS[0][0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut row = 0;
        while row < GROUPS[group].len() {
            all[at] = &GROUPS[group][row];
            (at, row) = (at + 1, row + 1);
        }
        group += 1;
    }
    all
}
