//! Key ring: purposes, epochs, states, files. Nobody else reads a key file.

pub mod linkage;
pub mod vault;
