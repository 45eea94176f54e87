//! [`Memory`]: what this process holds, as Linux tells it; zeros elsewhere.

use std::fs;

/// Memory in KiB, which the system calls kB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Memory {
    /// Anonymous and shared: what bench.py counts. Mapped files are not in it, for the system can drop them at any time.
    pub(super) anonymous: f64,
    /// All that is resident, pages of mapped files too.
    pub(super) resident: f64,
}

impl Memory {
    /// Now.
    pub(super) fn now() -> Self {
        Self::of(&fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default())
    }

    fn of(rollup: &str) -> Self {
        Self { anonymous: kib(rollup, "Pss_Anon:") + kib(rollup, "Pss_Shmem:"), resident: kib(rollup, "Rss:") }
    }
}

/// The most that was resident since the process began, in KiB.
pub(super) fn peak() -> f64 {
    kib(&fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmHWM:")
}

/// bench.py's MB: a thousand KiB.
pub(super) fn mb(kib: f64) -> f64 {
    (kib / 1e3).round()
}

/// The value of a line `<key> <number> kB`; 0 where there is none.
fn kib(text: &str, key: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_lines_are_read() {
        let rollup = "55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:  12000 kB\nPss: 9000 kB\nPss_Anon: 4500 kB\n\
                      Pss_File: 3500 kB\nPss_Shmem: 500 kB\n";
        assert_eq!(Memory::of(rollup), Memory { anonymous: 5_000.0, resident: 12_000.0 });
        assert_eq!(Memory::of("Rss: what\n"), Memory::default());
        assert_eq!(mb(12_300.0), 12.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_memory() {
        let memory = Memory::now();
        assert!(memory.anonymous > 0.0 && memory.resident > memory.anonymous && peak() > 0.0, "{memory:?}");
    }
}
