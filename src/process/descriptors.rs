//! Files and connections share the process's descriptors: connections get what files cannot need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::base::error::{Error, Result};
use crate::http::TURNED_AWAY_MAX;

/// For segments, snapshots, the archive, history, the log and the mirror's own connections.
const FILES: u64 = 128;
/// With fewer connections a server is of no use.
const CONNECTIONS_MIN: u64 = 8;

/// How many connections can be served when `wanted` are, and `besides` more files and
/// sockets may have to be open. Raises the limit as far as that takes and the system allows.
///
/// # Errors
/// `Unavailable` when hardly any could.
pub(crate) fn connections(wanted: usize, besides: u64) -> Result<usize> {
    let (others, needed) = needed(wanted, besides);
    let limit = raise(needed);
    let served = served(wanted, limit, others, needed)?;
    if let Some(fewer) = fewer(wanted, served, limit, needed) {
        tracing::warn!("{fewer}");
    }
    Ok(served)
}

/// As [`connections`], without raising anything; what is to be told where they are fewer than
/// `wanted`.
///
/// # Errors
/// As [`connections`].
pub(crate) fn foreseen(wanted: usize, besides: u64) -> Result<Option<String>> {
    let (others, needed) = needed(wanted, besides);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let of = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let limit = of(current).max(needed.min(of(maximum)));
    Ok(fewer(wanted, served(wanted, limit, others, needed)?, limit, needed))
}

/// How many descriptors others than connections may need, and all together.
fn needed(wanted: usize, besides: u64) -> (u64, u64) {
    let others = FILES.saturating_add(TURNED_AWAY_MAX as u64).saturating_add(besides);
    (others, others.saturating_add(wanted as u64))
}

fn served(wanted: usize, limit: u64, others: u64, needed: u64) -> Result<usize> {
    let possible = possible(limit, others);
    if possible >= wanted as u64 {
        return Ok(wanted);
    }
    if possible < CONNECTIONS_MIN {
        return Err(Error::unavailable(format!(
            "the limit of open files is {limit}, which leaves next to none for connections: raise it (LimitNOFILE of \
             systemd, or ulimit -n) to {needed}"
        )));
    }
    Ok(possible as usize)
}

fn fewer(wanted: usize, served: usize, limit: u64, needed: u64) -> Option<String> {
    (served < wanted).then(|| {
        format!(
            "the limit of open files is too low for max_connections: {served} connections are served, not {wanted}. Raise \
             it from {limit} to {needed} (LimitNOFILE of systemd, or ulimit -n)"
        )
    })
}

/// What is left for connections. Where files could take it all, connections get a half: a mirror
/// that is so far behind is rare.
fn possible(limit: u64, others: u64) -> u64 {
    let fewest = FILES + TURNED_AWAY_MAX as u64;
    limit.saturating_sub(others).max(limit.saturating_sub(fewest) / 2)
}

/// The limit of open files, raised to `needed` or as far as is allowed.
fn raise(needed: u64) -> u64 {
    let of = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if of(current) >= needed {
        return of(current);
    }
    let raised = needed.min(of(maximum));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(error) => {
            tracing::warn!(%error, limit = of(current), "the limit of open files cannot be raised");
            of(current)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_their_share() {
        let fewest = FILES + TURNED_AWAY_MAX as u64;
        assert_eq!(possible(1024, fewest), 864, "all that files cannot need");
        assert_eq!(possible(1024, fewest + 256), 608, "with a mirror");
        assert_eq!(
            possible(1024, fewest + 1024),
            432,
            "with a mirror that may be far behind, a half"
        );
        assert_eq!(possible(100, fewest), 0, "nothing");
    }
}
