//! An event that its agency pseudonymised at the source: ids are hashed, people are tokens, and identity is sealed under the
//! intake key that the agency shares with the hub.

use super::event::BlindPerson;
use super::ids::EventId;

/// What such an event says in place of ids and identities.
#[derive(Clone, PartialEq)]
pub struct SourceEvent {
    /// Epoch of the linkage key that made the tokens.
    pub linkage_epoch: u32,
    /// The event.
    pub id: EventId,
    /// The earlier event that it replaces or withdraws.
    pub supersedes: Option<EventId>,
    /// The incident that a crime was recorded from.
    pub incident: Option<EventId>,
    /// Of the content as the agency had it.
    pub fingerprint: [u8; 8],
    /// Identifiers dropped at the source for a failed check letter or form.
    pub dropped_identifiers: u32,
    /// Who took part; identity is sealed under the agency's intake key.
    pub persons: Vec<BlindPerson>,
}
