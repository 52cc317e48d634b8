//! What an operator sees: health, metrics, logs, HTTP. Ids, counts and states only.

pub mod health;
pub mod http;
pub mod metrics;
pub mod stages;
pub mod telemetry;
