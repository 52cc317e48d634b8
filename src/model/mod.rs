//! Ids, roles, risk, tokens, dates, outcomes: the nouns every room shares. Nothing here can hold clear identity.

pub mod event;
pub mod feed;
pub mod finding;
pub mod ids;
pub mod outcome;
pub mod register;
pub mod sealed;
pub mod tokens;
