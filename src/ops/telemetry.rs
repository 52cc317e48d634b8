//! Logs: static messages with typed fields, ids and counts only, to stderr.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. Libraries below us are held to warnings whatever the level: their debug output may show bytes of what
/// passes through them.
pub fn start(level: Level, json: bool) {
    let targets = Targets::new().with_default(LevelFilter::WARN).with_target("priorityd", level);
    let registry = tracing_subscriber::registry().with(targets);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start, as in tests, keeps the first.
    if json {
        registry.with(layer.json().flatten_event(true)).try_init().ok();
    } else {
        registry.with(layer).try_init().ok();
    }
}
