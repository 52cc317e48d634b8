//! What the process takes, in the names that Prometheus's own libraries give it; read when somebody scrapes.

use std::fmt::Error;

use procfs::process::Process;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Reads `/proc/self`.
#[derive(Debug)]
pub(super) struct OwnProcess;

struct Taken {
    cpu_seconds: f64,
    resident_bytes: u64,
    open_files: u64,
    threads: i64,
}

fn taken() -> procfs::ProcResult<Taken> {
    let process = Process::myself()?;
    let stat = process.stat()?;
    let ticks = stat.utime + stat.stime;
    Ok(Taken {
        cpu_seconds: ticks as f64 / procfs::ticks_per_second() as f64,
        resident_bytes: stat.rss * procfs::page_size(),
        open_files: process.fd_count()? as u64,
        threads: stat.num_threads,
    })
}

impl Collector for OwnProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        // Where the system does not tell, a scrape has the rest.
        let Ok(taken) = taken() else { return Ok(()) };
        let cpu = ConstCounter::new(taken.cpu_seconds);
        let help = "Processor time of the process, user and system";
        cpu.encode(encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), cpu.metric_type())?)?;
        let resident = ConstGauge::new(taken.resident_bytes as f64);
        let help = "Memory of the process that is resident";
        resident.encode(encoder.encode_descriptor(
            "process_resident_memory",
            help,
            Some(&Unit::Bytes),
            resident.metric_type(),
        )?)?;
        let files = ConstGauge::new(taken.open_files as f64);
        files.encode(encoder.encode_descriptor(
            "process_open_fds",
            "Open file descriptors",
            None,
            files.metric_type(),
        )?)?;
        let threads = ConstGauge::new(taken.threads);
        threads.encode(encoder.encode_descriptor("process_threads", "Threads", None, threads.metric_type())?)
    }
}
