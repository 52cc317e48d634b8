//! The CloudEvent around a message's body (CloudEvents 1.0), as it is signed and sealed.

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::body::Body;
use super::decide::{Message, MessageKind};
use super::told::Digest;
use crate::model::ids::{ScopeId, hex};

impl MessageKind {
    /// The CloudEvents type; a tombstone has none, being no event.
    #[must_use]
    pub fn event_type(self) -> Option<&'static str> {
        match self {
            Self::Alert => Some("uk.priorityd.alert.v1"),
            Self::Correction => Some("uk.priorityd.correction.v1"),
            Self::ListEntry => Some("uk.priorityd.list_entry.v1"),
            Self::Tombstone => None,
        }
    }

    /// The kind of topic it goes to: `alerts.<recipient>.v1` or `list.<recipient>.v1`.
    #[must_use]
    pub fn topic_kind(self) -> &'static str {
        match self {
            Self::Alert | Self::Correction => "alerts",
            Self::ListEntry | Self::Tombstone => "list",
        }
    }
}

/// The whole event with its recipient and its end inside, so that both are signed; `None` for a tombstone. A list entry
/// has a `revision`, by which the recipient compares its list with the manifest.
#[must_use]
pub fn cloud_event(
    message: &Message,
    scope: &ScopeId,
    now: Timestamp,
    revision: Option<Digest>,
) -> Option<Zeroizing<Vec<u8>>> {
    let days = i64::from(message.message_days);
    let expires = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    let mut event = Body::default();
    event.add("specversion", "1.0");
    event.add("id", &message.id);
    event.add("source", format_args!("urn:priorityd:hub:{scope}"));
    event.add("type", message.kind.event_type()?);
    event.add("time", now);
    event.add("datacontenttype", "application/json");
    event.add("recipient", &message.recipient);
    event.add("expirytime", expires);
    event.add_body("data", message.body.as_ref()?);
    if let Some(revision) = revision {
        event.add("revision", hex(&revision));
    }
    Some(event.close())
}
