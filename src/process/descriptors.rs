//! Files and connections share the process's descriptors: connections get what files cannot need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::base::error::{Error, Result};
use crate::http::TURNED_AWAY_MAX;

/// For segments, snapshots, the archive, history, the log and the mirror's own connections.
const FILES: u64 = 128;
/// With fewer connections a server is of no use.
const CONNECTIONS_MIN: u64 = 8;

/// How many connections can be served when `wanted` are, and `segments` more files may have to be
/// open. Raises the limit as far as that takes and the system allows.
///
/// # Errors
/// `Unavailable` when hardly any could.
pub(crate) fn connections(wanted: usize, segments: u64) -> Result<usize> {
    let others = FILES.saturating_add(TURNED_AWAY_MAX as u64).saturating_add(segments);
    let needed = others.saturating_add(wanted as u64);
    let limit = raise(needed);
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
    tracing::warn!(
        limit,
        needed,
        connections = possible,
        "the limit of open files is too low for max_connections: fewer connections are served. Raise it (LimitNOFILE of \
         systemd, or ulimit -n)"
    );
    Ok(possible as usize)
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
