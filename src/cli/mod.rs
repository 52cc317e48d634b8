//! .
pub mod link;
