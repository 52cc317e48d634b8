//! The integration tests, one binary, a module per subject: whatever crosses rooms, or needs the repository's files.
//! `tests/run` installs what they need of other languages first.

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
mod erasure;
mod evidence;
mod jose;
mod kafka;
mod kafka_access;
mod kafka_clients;
mod kafka_commands;
mod kafka_exactly_once;
mod kafka_security;
mod kafka_topics;
mod kafka_watch;
mod keys;
mod linkage;
mod memory;
mod outputs;
mod review;
mod silence;
mod source;
mod support;
mod token;
mod vectors;
