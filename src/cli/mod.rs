//! .
pub mod simulate;
