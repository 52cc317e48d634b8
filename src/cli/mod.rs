//! .
pub mod keys;
