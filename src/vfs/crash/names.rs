//! The names in the directories: those that programs see, and those that are durable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::parent;

pub(super) type Inode = usize;

/// The directories, and the files in each.
#[derive(Clone, Debug)]
pub(super) struct Names {
    dirs: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, BTreeMap<String, Inode>>,
}

impl Default for Names {
    /// The directory that the process is in, and the root.
    fn default() -> Self {
        Self { dirs: [".", "/"].map(PathBuf::from).into(), files: BTreeMap::new() }
    }
}

impl Names {
    pub(super) fn has_dir(&self, dir: &Path) -> bool {
        self.dirs.contains(dir)
    }

    pub(super) fn find(&self, dir: &Path, name: &str) -> Option<Inode> {
        self.files.get(dir)?.get(name).copied()
    }

    pub(super) fn list(&self, dir: &Path) -> Vec<String> {
        self.files.get(dir).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// Every file with its path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PathBuf, Inode)> {
        self.files
            .iter()
            .flat_map(|(dir, names)| names.iter().map(|(name, inode)| (dir.join(name), *inode)))
    }

    /// What lies in a directory that was lost is lost with it.
    pub(super) fn drop_orphans(&mut self) {
        let dirs = self.dirs.clone();
        let is_rooted = |dir: &Path| {
            let mut at = dir.to_path_buf();
            while dirs.contains(&at) {
                match parent(&at) {
                    above if above == at || above == Path::new(".") => return true,
                    above => at = above,
                }
            }
            false
        };
        self.dirs.retain(|dir| is_rooted(dir));
        self.files.retain(|dir, _| is_rooted(dir));
    }

    /// Gives every file the number that `renumber` has for it.
    pub(super) fn renumber(&mut self, mut renumber: impl FnMut(Inode) -> Inode) {
        self.files
            .values_mut()
            .flat_map(BTreeMap::values_mut)
            .for_each(|inode| *inode = renumber(*inode));
    }
}

/// A change of one directory that is not durable yet.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) dir: PathBuf,
    pub(super) removed: Option<String>,
    pub(super) added: Option<(String, Inode)>,
    /// A directory made in it.
    pub(super) made: Option<PathBuf>,
}

impl Change {
    pub(super) fn in_dir(dir: PathBuf) -> Self {
        Self { dir, removed: None, added: None, made: None }
    }

    pub(super) fn apply(&self, names: &mut Names) {
        names.dirs.extend(self.made.clone());
        let files = names.files.entry(self.dir.clone()).or_default();
        if let Some(removed) = &self.removed {
            files.remove(removed);
        }
        if let Some((added, inode)) = &self.added {
            files.insert(added.clone(), *inode);
        }
    }
}
