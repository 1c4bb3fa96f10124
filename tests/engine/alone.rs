//! A process of its own for a test that counts what its process has, or changes it for all.

use std::env;
use std::process::Command;

/// In the environment of such a process.
const ALONE: &str = "STOCKHOLD_TEST_ALONE";

/// Whether the test has this process to itself. Where it has not, runs it in one of its own, and
/// fails when it fails there. `test` is its name with its module.
pub fn is_alone(test: &str) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let this = env::current_exe().expect("a test knows its binary");
    let output = Command::new(this).args(["--exact", test]).env(ALONE, "").output();
    let output = output.expect("the test's own binary runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    // A name that no test has runs nothing, which is no failure to the harness.
    let ran = output.status.success() && printed.contains("1 passed");
    assert!(ran, "{test}, alone:\n{printed}{}", String::from_utf8_lossy(&output.stderr));
    false
}
