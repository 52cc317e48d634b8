//! What this process has used, where the system tells (Linux).

use std::path::PathBuf;

use procfs::process::Process;

/// User and system time of this process.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = Process::myself().ok()?.stat().ok()?;
    Some((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

/// Time that this thread has spent on a core, to the nanosecond.
pub(super) fn thread_cpu_seconds() -> Option<f64> {
    let thread = Process::new_with_root(PathBuf::from("/proc/thread-self")).ok()?;
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
