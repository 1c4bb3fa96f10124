//! Sockets that whoever started the process listens at already, as sd_listen_fds(3) has it. Clients
//! wait in them while no server runs.

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use crate::base::error::{Error, Result};
use crate::http::{Audience, Inherited};

/// The names of sockets, with a colon between them.
const NAMES: &str = "LISTEN_FDNAMES";

/// What was passed to this process, each with whom it is for. To be called while it has no thread
/// but the first: it takes what it finds out of the environment.
///
/// # Errors
/// `Invalid` when one of them has a name that says nothing, or is no socket that listens.
pub(crate) fn inherited() -> Result<Vec<(Audience, Inherited)>> {
    let names = std::env::var(NAMES).unwrap_or_default();
    let mut passed = ListenFd::from_env();
    let audiences = audiences(&names, passed.len())?;
    let sockets = audiences.into_iter().enumerate();
    sockets.map(|(at, audience)| Ok((audience, socket(&mut passed, at)?))).collect()
}

/// Whom each of `count` sockets is for. Without names all are for everybody.
fn audiences(names: &str, count: usize) -> Result<Vec<Audience>> {
    if names.is_empty() {
        return Ok(vec![Audience::Everybody; count]);
    }
    let names: Vec<_> = names.split(':').collect();
    if names.len() != count && count > 0 {
        let (named, wrong) = (names.len(), "as many names as sockets are expected");
        return Err(Error::invalid(format!("{NAMES} has {named} for {count}: {wrong}")));
    }
    names.into_iter().take(count).map(audience).collect()
}

fn audience(name: &str) -> Result<Audience> {
    match name {
        "http" => Ok(Audience::Everybody),
        "operators" => Ok(Audience::Operators),
        _ => Err(Error::invalid(format!(
            "an inherited socket is called {name:?}: FileDescriptorName must be one of http, operators"
        ))),
    }
}

fn socket(passed: &mut ListenFd, at: usize) -> Result<Inherited> {
    let wrong =
        || Error::invalid(format!("inherited socket {at} is none of TCP or Unix that listens"));
    let tcp = passed.take_tcp_listener(at).ok().flatten().map(Inherited::Tcp);
    let unix = || passed.take_unix_listener(at).ok().flatten().map(Inherited::Unix);
    let socket = tcp.or_else(unix).ok_or_else(wrong)?;
    let listens = match &socket {
        Inherited::Tcp(socket) => socket_acceptconn(socket),
        Inherited::Unix(socket) => socket_acceptconn(socket),
    };
    listens.is_ok_and(|listens| listens).then_some(socket).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whom_sockets_are_for() {
        use Audience::{Everybody, Operators};
        assert_eq!(audiences("", 2).expect("no names"), [Everybody, Everybody]);
        assert_eq!(audiences("operators:http", 2).expect("good names"), [Operators, Everybody]);
        // They were another process's, which passed them on with the rest of its environment.
        assert_eq!(audiences("http:http", 0).expect("nothing was passed"), []);
        for (names, count, part) in
            [("http", 2, "1 for 2"), ("http:stockhold.socket", 2, "one of http, operators")]
        {
            let refused = audiences(names, count).expect_err("it says nothing").to_string();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
