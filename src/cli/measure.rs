//! What this process has used, where the system tells (Linux).

use std::fs;

use procfs::process::Process;

/// User and system time of this process.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = Process::myself().ok()?.stat().ok()?;
    Some((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

/// Time that this thread has spent on a core, to the nanosecond.
pub(super) fn thread_cpu_seconds() -> Option<f64> {
    // The link itself ends in no number, which is what a process is known by.
    let thread = Process::new_with_root(fs::canonicalize("/proc/thread-self").ok()?).ok()?;
    Some(thread.schedstat().ok()?.sum_exec_runtime as f64 / 1e9)
}

/// The most memory this process held.
pub(super) fn peak_rss_mb() -> Option<f64> {
    Some(Process::myself().ok()?.status().ok()?.vmhwm? as f64 / 1024.0)
}

/// The memory this process holds.
pub(super) fn rss_mb() -> Option<f64> {
    Some(Process::myself().ok()?.status().ok()?.vmrss? as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_time_is_its_own() {
        let before = thread_cpu_seconds().expect("Linux tells");
        let mut spent = before;
        while spent - before < 0.02 {
            spent = thread_cpu_seconds().expect("Linux tells");
        }
        let of_another = std::thread::spawn(thread_cpu_seconds).join().expect("it ends").expect("Linux tells");
        assert!(of_another < spent - before, "a new thread has spent nothing of it: {of_another}");
    }
}
