//! The integration tests, one binary, a module per subject: whatever crosses rooms, or needs the repository's files.
//! `tests/run` installs what they need of other languages first.

mod agreement;
mod audit;
mod biographies;
mod blindness;
mod broker;
mod city;
mod config;
mod conformance;
mod convergence;
mod daemon;
mod demo;
mod door;
mod embedded;
mod jose;
mod kafka;
mod kafka_security;
mod kafka_topics;
mod keys;
mod linkage;
mod memory;
mod outputs;
mod reload;
mod review;
mod support;
mod vectors;
