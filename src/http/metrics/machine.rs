//! This process and its machine, as Linux shows them under `/proc`; elsewhere nothing is known.

/// In what `/proc` counts time: a hundredth of a second on every Linux that there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Machine {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) descriptors: Option<u64>,
    pub(super) descriptors_max: Option<u64>,
    /// Since 1970.
    pub(super) started_seconds: Option<f64>,
    /// How many processes of the machine would run, on average over a minute.
    pub(super) load: Option<f64>,
}

impl Machine {
    #[allow(
        clippy::disallowed_methods,
        reason = "what the system tells is no file of the engine's"
    )]
    pub(super) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let descriptors = std::fs::read_dir("/proc/self/fd").ok();
        Self {
            // The one that lists them is not counted.
            descriptors: descriptors.map(|all| (all.count() as u64).saturating_sub(1)),
            ..Self::of(
                &read("/proc/self/stat"),
                &read("/proc/self/status"),
                &read("/proc/self/limits"),
                &read("/proc/stat"),
                &read("/proc/loadavg"),
            )
        }
    }

    fn of(stat: &str, status: &str, limits: &str, machine: &str, load: &str) -> Self {
        // The name of the program may have anything in it, so one counts from behind it. What
        // follows is the third field of proc(5).
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_ascii_whitespace().collect())
            .unwrap_or_default();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        let after_boot = ticks(22).map(|ticks| ticks / TICKS_PER_SECOND);
        let booted = named(machine, "btime").map(|seconds| seconds as f64);
        Self {
            cpu_seconds: ticks(14)
                .zip(ticks(15))
                .map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            resident_bytes: named(status, "VmRSS:").map(|kib| kib * 1024),
            virtual_bytes: named(status, "VmSize:").map(|kib| kib * 1024),
            threads: named(status, "Threads:"),
            descriptors: None,
            descriptors_max: named(limits, "Max open files"),
            started_seconds: booted.zip(after_boot).map(|(booted, after)| booted + after),
            load: load.split_ascii_whitespace().next().and_then(|load| load.parse().ok()),
        }
    }
}

/// The number behind a name at the beginning of a line.
fn named(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 9 0 1000 9 9 9";
        let status = "Name:\tx\nVmSize:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t9\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files   1024   4096   files\n";
        let looked = Machine::of(stat, status, limits, "cpu 1 2\nbtime 5000\n", "1.25 0.5 0 1/2 3");
        let expected = Machine {
            cpu_seconds: Some(4.0),
            resident_bytes: Some(1 << 20),
            virtual_bytes: Some(2 << 20),
            threads: Some(9),
            descriptors: None,
            descriptors_max: Some(1024),
            started_seconds: Some(5010.0),
            load: Some(1.25),
        };
        assert_eq!(looked, expected);
        assert_eq!(Machine::of("", "", "", "", ""), Machine::default(), "where there is no /proc");
    }
}
