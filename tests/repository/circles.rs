//! Would catch two files that import each other, directly or by way of others: neither can be read,
//! tested or moved without the other then. What a `mod.rs` re-exports counts as imported from the
//! file that has it; parents and children may know each other.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::sources::paths;

/// A module by its path from the crate's root.
type Module = Vec<String>;

/// What a file says of others.
#[derive(Default)]
struct Source {
    /// Where it takes things from, by absolute paths.
    imports: Vec<Vec<String>>,
    /// The names that it has from elsewhere, and where.
    names: BTreeMap<String, Vec<String>>,
}

struct Tree(BTreeMap<Module, Source>);

/// The code of a source text: without comments, and without what only tests see.
pub(super) fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let (mut code, mut left_out) = (String::new(), None);
    for line in lines {
        let is_cfg = ["#[cfg(test)]", "#[cfg(doc)]", "#[cfg(all(test"];
        if left_out.is_none() && is_cfg.iter().any(|cfg| line.trim_start().starts_with(cfg)) {
            left_out = Some(0);
            continue;
        }
        let Some(depth) = left_out else {
            code.push_str(line);
            code.push('\n');
            continue;
        };
        // The item that follows goes to its last brace, or to its semicolon.
        let braces = line.matches('{').count() as i32 - line.matches('}').count() as i32;
        let depth = depth + braces;
        let ends = line.trim_end();
        let is_over =
            depth == 0 && (ends.ends_with('}') || ends.ends_with(';') || ends.ends_with(','));
        left_out = if is_over { None } else { Some(depth) };
    }
    code
}

/// `a::{b, c::{d}}` as `a::b` and `a::c::d`.
pub(super) fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        return Vec::from_iter((!tree.is_empty()).then(|| tree.to_owned()));
    };
    let (head, group) = (&tree[..open], &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())]);
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts.iter().flat_map(|part| expand(part)).map(|part| format!("{head}{part}")).collect()
}

impl Tree {
    fn read(files: &[(Module, String)]) -> Self {
        let mut tree =
            Self(files.iter().map(|(module, _)| (module.clone(), Source::default())).collect());
        for (module, text) in files {
            let source = tree.source(module, &code(text));
            tree.0.insert(module.clone(), source);
        }
        tree
    }

    fn source(&self, module: &Module, code: &str) -> Source {
        let mut source = Source::default();
        let mut rest = String::new();
        for statement in code.split_inclusive(';') {
            let begin = statement.rfind("use ").filter(|at| {
                let before = statement[..*at].trim_end();
                before.is_empty()
                    || before.ends_with(['}', ';', ')', ']', '{'])
                    || before.ends_with("pub")
            });
            let Some(begin) = begin else {
                rest.push_str(statement);
                continue;
            };
            rest.push_str(&statement[..begin]);
            let is_public = statement[..begin].trim_end().ends_with("pub")
                || statement[..begin].trim_end().ends_with(')');
            for path in expand(statement[begin + 4..].trim_end_matches(';')) {
                let (path, name) = match path.split_once(" as ") {
                    Some((path, name)) => (path.trim().to_owned(), Some(name.trim().to_owned())),
                    None => (path, None),
                };
                let path = path.trim_end_matches("::self").to_owned();
                let Some(absolute) = self.absolute(module, &path) else { continue };
                let last = absolute.last().cloned().unwrap_or_default();
                source.names.insert(name.unwrap_or(last), absolute.clone());
                if !is_public {
                    source.imports.push(absolute);
                }
            }
        }
        // And what is named in place.
        for marker in ["crate::", "super::"] {
            for (at, _) in rest.match_indices(marker) {
                let is_inside =
                    rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
                let path: String = rest[at..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || "_:".contains(*c))
                    .collect();
                if !is_inside {
                    source.imports.extend(self.absolute(module, path.trim_end_matches(':')));
                }
            }
        }
        source
    }

    /// A path from the crate's root; `None` for one into another crate.
    fn absolute(&self, module: &Module, path: &str) -> Option<Vec<String>> {
        let parts: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
        let supers = parts.iter().take_while(|part| *part == "super").count();
        let from = |base: &[String], rest: &[String]| base.iter().chain(rest).cloned().collect();
        match parts[0].as_str() {
            "crate" => Some(parts[1..].to_vec()),
            "self" => Some(from(module, &parts[1..])),
            "super" => Some(from(&module[..module.len().checked_sub(supers)?], &parts[supers..])),
            child => {
                let child: Module = from(module, &[child.to_owned()]);
                self.0.contains_key(&child).then(|| from(module, &parts))
            }
        }
    }

    /// The file that has what a path names.
    fn file_of(&self, path: &[String], depth: usize) -> Option<Module> {
        let length = (1..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let elsewhere = rest.first().and_then(|name| self.0[module].names.get(name));
        let elsewhere =
            elsewhere.filter(|to| depth > 0 && to[..] != path[..to.len().min(path.len())]);
        let found = elsewhere.and_then(|to| {
            let to: Vec<String> = to.iter().chain(&rest[1..]).cloned().collect();
            self.file_of(&to, depth - 1)
        });
        Some(found.unwrap_or_else(|| module.to_vec()))
    }

    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let edges_of = |module: &Module, source: &Source| {
            let files = source.imports.iter().filter_map(|path| self.file_of(path, 8));
            files.filter(|to| !to.starts_with(module) && !module.starts_with(to)).collect()
        };
        self.0.iter().map(|(module, source)| (module, edges_of(module, source))).collect()
    }

    /// The shortest circle through each module that is on one, each once.
    fn circles(&self) -> BTreeSet<Vec<String>> {
        let edges = self.edges();
        let circles = edges.keys().filter_map(|start| shortest(&edges, start));
        // The same one, whoever of it was asked.
        let turned = circles.map(|mut circle| {
            let least = (0..circle.len()).min_by_key(|at| circle[*at].clone()).unwrap_or_default();
            circle.rotate_left(least);
            circle
        });
        turned.collect()
    }
}

fn shortest(edges: &BTreeMap<&Module, BTreeSet<Module>>, start: &Module) -> Option<Vec<String>> {
    let (mut paths, mut seen) = (vec![vec![start.clone()]], BTreeSet::new());
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            for to in path.last().and_then(|last| edges.get(last)).into_iter().flatten() {
                if to == start {
                    return Some(path.iter().map(|module| module.join("/")).collect());
                }
                if seen.insert(to.clone()) {
                    longer.push(path.iter().chain([to]).cloned().collect());
                }
            }
        }
        paths = longer;
    }
    None
}

fn module_of(file: &Path) -> Module {
    let mut parts: Module = file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if let Some(last) = parts.pop().filter(|last| last != "mod.rs") {
        parts.push(last.trim_end_matches(".rs").to_owned());
    }
    parts
}

/// Tests look from above, and the root re-exports everything.
fn is_looked_at(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_test = file.iter().any(|part| part == "tests")
        || ["tests.rs", "_tests.rs", "_loom.rs"].iter().any(|end| name.ends_with(end));
    !is_test && name != "lib.rs" && name != "main.rs"
}

#[test]
fn no_files_import_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    paths(&root, &mut files);
    let mut texts = Vec::new();
    for path in files {
        let file = path.strip_prefix(&root).expect("found below the root");
        if is_looked_at(file) {
            texts.push((module_of(file), fs::read_to_string(&path).expect("it reads")));
        }
    }
    let tree = Tree::read(&texts);
    let edges: usize = tree.edges().values().map(BTreeSet::len).sum();
    assert!(edges > 500, "only {edges} imports were found: the look is broken");
    let circles: Vec<String> = tree
        .circles()
        .iter()
        .map(|circle| format!("{} -> {}", circle.join(" -> "), circle[0]))
        .collect();
    assert!(circles.is_empty(), "files that import each other: {circles:#?}");
}

#[test]
fn the_look_finds_a_circle() {
    let file = |module: &str, text: &str| {
        (module.split('/').map(str::to_owned).collect::<Module>(), text.to_owned())
    };
    let circles = |files: &[(Module, String)]| {
        Tree::read(files).circles().into_iter().map(|circle| circle.join(" ")).collect::<Vec<_>>()
    };
    let parent =
        file("a", "mod one;\nmod two;\npub(crate) use one::One;\npub use two::{Two as Second};");
    let one = file("a/one", "use super::Second;\npub struct One;");
    let two = file("a/two", "// use super::One;\npub struct Two;");
    assert_eq!(circles(&[parent.clone(), one.clone(), two]), [""; 0]);
    let back = file("a/two", "use std::fmt;\nfn f(_: &crate::a::One) {}");
    assert_eq!(circles(&[parent.clone(), one.clone(), back]), ["a/one a/two"], "by re-exports");
    let test = file("a/two", "#[cfg(test)]\nmod tests {\n    use super::super::One;\n}");
    assert_eq!(circles(&[parent, one, test]), [""; 0], "tests look from above");
}
