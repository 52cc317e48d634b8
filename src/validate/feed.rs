//! What a feed may say: whose it is, for which sources it speaks, which scopes it serves.

use crate::model::feed::FeedKind;
use crate::model::ids::{PartyId, ScopeId};

/// The rights of one feed, from the checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedContext {
    /// Whose feed: `feeds.<party>.v1`.
    pub party: PartyId,
    /// Which types of event it may carry.
    pub kind: FeedKind,
    /// CloudEvents sources that it may speak for.
    pub sources: Vec<String>,
    /// Scopes whose events it may send.
    pub scopes: Vec<ScopeId>,
}

impl FeedContext {
    /// A feed that speaks for its own party, as `urn:priorityd:<party>`, and for nobody else.
    #[must_use]
    pub fn new(party: PartyId, kind: FeedKind, scopes: Vec<ScopeId>) -> Self {
        let sources = vec![format!("urn:priorityd:{party}")];
        Self { party, kind, sources, scopes }
    }
}
