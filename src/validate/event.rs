//! What leaves this room: an event whose form and sense were checked, still in clear. Nothing here shows itself.

use zeroize::Zeroizing;

use super::identity::{ClearIdentity, ClearText};
use crate::model::event::{Facts, Role, Status};
use crate::model::source::SourceEvent;

/// An event as its agency sent it, checked: every field has the form that the schema promises.
pub struct Validated {
    /// CloudEvents `source`: one of those configured for the feed.
    pub source: String,
    /// CloudEvents `id`, unique within the source.
    pub id: ClearText,
    /// The earlier event of the same source that this one replaces or withdraws.
    pub supersedes: Option<ClearText>,
    /// What it says beside its people; an amendment has the detail of the amended type. The scope is one that the feed
    /// serves, the agency whose feed it came on, and `Detail::incident_mut` still leads to `None`.
    pub facts: Facts,
    /// Id of the incident or crime that this event speaks of, for pseudonymise to hash into `detail`.
    pub incident: Option<ClearText>,
    /// Who took part.
    pub persons: Vec<ClearPerson>,
    /// What stands in place of ids and people where the agency pseudonymised at the source; `persons` is empty then.
    pub pseudonymised: Option<SourceEvent>,
    /// What the event says, in one way of writing: its type, a line feed, and `data` as JSON with sorted keys and no
    /// spaces, unknown fields included. The fingerprint of this tells a replay from a reused id.
    pub content: Zeroizing<Vec<u8>>,
    /// Fields that our schemas do not know, ignored.
    pub ignored_fields: u32,
}

/// One person of an event, in clear.
pub struct ClearPerson {
    /// The agency's own reference.
    pub local_ref: ClearText,
    /// Role in this event.
    pub role: Role,
    /// Category in this event.
    pub status: Status,
    /// Who it is.
    pub identity: ClearIdentity,
}
