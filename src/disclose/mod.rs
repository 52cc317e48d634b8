//! .
mod jose;
pub mod open;
pub mod seal;
