//! Ids, roles, risk, tokens, dates, outcomes: the nouns every room shares. Nothing here can hold clear identity.

pub mod arriving;
pub mod codes;
pub mod decision;
pub mod event;
pub mod feed;
pub mod finding;
pub mod frequencies;
pub mod ids;
pub mod limits;
pub mod linked;
pub mod outcome;
pub mod register;
pub mod sealed;
pub mod source;
pub mod text;
pub mod tokens;
