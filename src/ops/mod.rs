//! What an operator sees: health, metrics, logs, traces, pages, HTTP. Ids, counts and states only.

mod connections;
pub mod health;
pub mod http;
pub mod metrics;
pub mod pages;
mod process;
pub mod stages;
pub mod telemetry;
pub mod traces;
