//! Findings from events: a pure function of one linked person's events in force, the rules and the as-of date.
//!
//! Owns the ledger of events and the rules. Sees record ids, dates and codes; never a token, never a name.

pub mod findings;
pub mod history;
pub mod ledger;
pub mod profile;
