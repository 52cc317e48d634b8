//! The one integration binary: a module per subject.

mod broker;
mod conformance;
mod embedded;
mod kafka;
mod kafka_security;
mod memory;
