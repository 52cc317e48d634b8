//! Feeds by what kind of party sends them.

use serde::{Deserialize, Serialize};

/// What kind of party a feed belongs to; it decides which types of event the feed may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedKind {
    /// A police force.
    Police,
    /// Probation; the feed keeps the name of the former Community Rehabilitation Companies.
    Crc,
    /// A local authority: its MASH, MARAC and children's social care.
    LocalAuthority,
    /// A specialist service.
    Service,
    /// The people who decide what the machine cannot.
    Review,
}

impl FeedKind {
    /// The name in the CloudEvents types of such feeds: `uk.priorityd.<feed>.<event>.v1`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Police => "police",
            Self::Crc => "crc",
            Self::LocalAuthority => "local_authority",
            Self::Service => "service",
            Self::Review => "review",
        }
    }
}
