//! What the operating system says of this process. Linux tells it in files; elsewhere these metrics are missing.

use std::fs;

/// The unit of times in `/proc/self/stat`. The kernel promises it to programs, whatever its own is.
const TICKS_PER_S: f64 = 100.0;

/// Bytes in memory.
pub(super) fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Seconds of processors used, in the program and in the kernel.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    Some((field(&stat, 14)? + field(&stat, 15)?) / TICKS_PER_S)
}

/// When it started, in seconds of Unix time.
pub(super) fn started() -> Option<f64> {
    let after_boot = field(&fs::read_to_string("/proc/self/stat").ok()?, 22)? / TICKS_PER_S;
    let system = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + after_boot)
}

/// Open files and sockets.
pub(super) fn open_files() -> Option<f64> {
    // The listing has a file of its own open.
    let n = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(n as f64)
}

/// How many may be open.
pub(super) fn open_files_limit() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A field of `stat` by its number in proc(5). The second, the program's name, may hold spaces and parentheses.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    behind_name.split(' ').nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_behind_any_name() {
        let stat = "7 (a ) (b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 900 1";
        assert_eq!((field(stat, 14), field(stat, 15), field(stat, 22)), (Some(250.0), Some(50.0), Some(900.0)));
        assert_eq!((field(stat, 99), field("", 14), field(stat, 2), field(stat, 3)), (None, None, None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_there() {
        let file = fs::File::open("/proc/self/status").expect("a file");
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1e6));
        assert!(open_files().is_some_and(|n| n >= 4.0));
        assert!(open_files_limit().is_some_and(|n| n >= 16.0));
        assert!(cpu_seconds().is_some_and(|s| s >= 0.0));
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
        assert!(started().is_some_and(|at| at > now - 86_400.0 * 365.0 && at < now + 2.0));
        drop(file);
    }
}
