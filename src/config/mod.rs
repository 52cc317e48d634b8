//! Raw to checked: the daemon's settings, the data-sharing agreement and the rules of assessment.
//!
//! Owns the files' forms and reports every mistake at once with file, key and what would be right. Reads no key and no
//! event. The other rooms import the checked types only.

pub mod agreement;
pub mod annex;
pub mod files;
pub mod reader;
mod routing;
pub mod rules;
mod scores;
pub mod settings;

pub use reader::Problem;
