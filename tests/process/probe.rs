//! Would catch a probe that says yes where no server is, or no where one is well.

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Process, run, stockhold};

#[test]
fn a_probe_says_how_the_server_is() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let listen = server.address.to_string();
    for (what, status) in [("health", "healthy"), ("ready", "ready")] {
        let (code, printed, log) = run(&mut stockhold(&["probe", what, "--listen", &listen]));
        assert_eq!(code, 0, "{printed}{log}");
        let said: Value = serde_json::from_str(&printed).expect("it is JSON");
        assert_eq!(said["status"], status);
    }
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    let (code, _, log) = run(&mut stockhold(&["probe", "health", "--listen", &listen]));
    assert!(code == 1 && log.contains(&listen), "{code}: {log}");
    let (code, _, log) = run(&mut stockhold(&["probe", "wealth"]));
    assert!(code == 2 && log.contains("health, ready"), "{code}: {log}");
}
