//! .
pub mod identity;
