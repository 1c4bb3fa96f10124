//! Would catch an ignored advisory whose crate is gone, an action of the workflows that is not pinned,
//! and a step of the workflows that `scripts/test` does not have.

#![allow(clippy::disallowed_methods, reason = "a test reads the repository's own files")]

use std::fs;
use std::path::Path;
use std::process::Command;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The crate that the reason of an ignored advisory begins with.
fn ignored(line: &str) -> Option<&str> {
    line.trim().strip_prefix("{ id = ")?.split("reason = \"").nth(1)?.split(' ').next()
}

#[test]
fn every_ignored_advisory_is_of_a_crate_that_is_used() {
    let (rules, lock) = (text("deny.toml"), text("Cargo.lock"));
    let ignored: Vec<&str> = rules.lines().filter_map(ignored).collect();
    assert_eq!(ignored, ["fxhash", "instant"], "each with its reason, until sled lets go of it");
    for name in ignored {
        assert!(
            lock.contains(&format!("\nname = \"{name}\"\n")),
            "{name} is gone: so is the excuse"
        );
    }
}

#[test]
fn workflows_are_pinned_and_run_steps_that_there_are() {
    let mut list = Command::new("scripts/test");
    let list = list.arg("--list").current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let list = String::from_utf8(list.expect("bash is there").stdout).expect("names are UTF-8");
    let known: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(known.contains(&"tests") && known.contains(&"deny"), "{list}");
    let ci = text(".github/workflows/ci.yml");
    let named: Vec<&str> =
        ci.lines().filter_map(|line| line.trim().strip_prefix("- steps: ")).collect();
    let named: Vec<&str> = named.iter().flat_map(|steps| steps.split(' ')).collect();
    // Those that only make ready are needed by others.
    let makes_ready = ["mariadb", "servers", "nginx", "haproxy"];
    for step in known.iter().filter(|step| !makes_ready.contains(step)) {
        assert!(named.contains(step), "the workflow leaves out {step}");
    }
    for step in named {
        assert!(known.contains(&step), "scripts/test has no {step}");
    }
    let workflows = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows"));
    let workflows: Vec<_> = workflows.expect("they are there").collect();
    assert!(workflows.len() >= 4, "ci, release, image and deploy: {workflows:?}");
    for workflow in workflows {
        let workflow = workflow.expect("an entry").path();
        let workflow = text(workflow.to_str().expect("a path in UTF-8"));
        for used in workflow.lines().filter_map(|line| line.trim().split("uses: ").nth(1)) {
            // One of this repository is what it is here.
            if used.starts_with("./") {
                continue;
            }
            let pin = used.split('@').nth(1).and_then(|pin| pin.split(' ').next()).unwrap_or("");
            let pinned = pin.len() == 40 && pin.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(pinned, "{used} can be another one tomorrow");
        }
    }
}
