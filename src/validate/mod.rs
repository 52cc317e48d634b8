//! .
pub mod identity;
pub mod rows;
