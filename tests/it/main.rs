//! The integration tests, one binary, a module per subject: whatever crosses rooms, or needs the repository's files.

mod conformance;
mod door;
mod embedded;
mod memory;
