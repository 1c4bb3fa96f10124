//! How often each thing was tried: a run that tried nothing must not look like one that found
//! nothing.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by group and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<(&'static str, String), u64>);

impl Counts {
    pub(super) fn add(&mut self, group: &'static str, name: impl Into<String>) {
        self.add_many(group, name, 1);
    }

    pub(super) fn add_many(&mut self, group: &'static str, name: impl Into<String>, count: u64) {
        *self.0.entry((group, name.into())).or_default() += count;
    }

    /// Adds what another run tried.
    pub(crate) fn merge(&mut self, other: &Self) {
        for ((group, name), count) in &other.0 {
            *self.0.entry((group, name.clone())).or_default() += count;
        }
    }

    /// How often this in a group.
    #[cfg(test)]
    pub(crate) fn get(&self, group: &'static str, name: &str) -> u64 {
        self.0.get(&(group, name.to_owned())).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counts {
    /// A line for each group, the most frequent first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
        for ((group, name), count) in &self.0 {
            groups.entry(group).or_default().push((*count, name));
        }
        for (group, mut counts) in groups {
            counts.sort_by(|one, other| other.cmp(one));
            let total: u64 = counts.iter().map(|(count, _)| count).sum();
            let list: Vec<String> =
                counts.iter().map(|(count, name)| format!("{name} {count}")).collect();
            writeln!(f, "{group:<14} {total:>9}  {}", list.join(", "))?;
        }
        Ok(())
    }
}
