//! Keyed tokens: what linkage may see of a person.

use serde::{Deserialize, Serialize};

/// The first 64 bits of an HMAC-SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token(pub u64);

/// Everything linkage compares of one person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PersonTokens {
    /// Compound blocking keys.
    pub blocking: Vec<Token>,
}
