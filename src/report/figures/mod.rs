//! The sections of the performance framework, each a function of the facts.

pub(super) mod children;
pub(super) mod demand;
pub(super) mod justice;
pub(super) mod people;
pub(super) mod repeats;
pub(super) mod risk;
pub(super) mod support;

#[cfg(test)]
mod tests;
