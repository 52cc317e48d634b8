//! x
pub mod assess;
pub mod audit;
pub mod cli;
pub mod config;
pub mod disclose;
pub mod keys;
pub mod link;
pub mod log;
pub mod model;
pub mod normalise;
pub mod ops;
pub mod pipeline;
pub mod pseudonymise;
pub mod report;
pub mod simulate;
pub mod validate;
