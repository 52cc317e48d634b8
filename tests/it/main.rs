//! The integration tests, one binary: whatever crosses rooms, or needs the repository's files.

mod city;
mod door;
