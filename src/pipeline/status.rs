//! What tells silence from safety: a signed heartbeat for each recipient with a manifest of its list, and signed heads of
//! the audit. The caller says when.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde_json::json;

use super::work::Work;
use super::{Engine, Now};
use crate::audit::SignedHead;
use crate::config::agreement::Recipient;
use crate::disclose::statement::{self, Manifest, Statement};
use crate::disclose::told::Digest;
use crate::keys::recipient::RecipientKey;
use crate::log::{HEADS_TOPIC, Transaction, topic_name};
use crate::model::ids::{PartyId, hex};

/// A heartbeat each minute: the next one is late after that.
pub const HEARTBEAT: SignedDuration = SignedDuration::from_mins(1);

impl Engine {
    /// A heartbeat for each recipient, and a head of the audit if it grew. `None` when our signing key has expired: then
    /// nothing is signed, and silence says so.
    pub fn beat(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Option<Transaction> {
        let setup = std::sync::Arc::clone(&self.setup);
        let signer = setup.keys.signing();
        if signer.expires().is_some_and(|expires| expires <= now.at) {
            return None;
        }
        let mut work = Work::new(now, rng);
        let mut lists: BTreeMap<&PartyId, Vec<Digest>> = BTreeMap::new();
        for (recipient, list) in self.scopes.values().flat_map(|scope| scope.told.lists()) {
            lists.entry(recipient).or_default().extend(list);
        }
        for recipient in &setup.agreement.recipients {
            let list = lists.remove(&recipient.party).unwrap_or_default();
            let manifest = Manifest::of(list.iter().map(|digest| hex(digest)));
            let event = json!({
                "specversion": "1.0",
                "id": format!("{}/{}", self.partition, now.at),
                "source": "urn:priorityd:hub",
                "type": "uk.priorityd.heartbeat.v1",
                "time": now.at,
                "datacontenttype": "application/json",
                "recipient": recipient.party,
                "data": {
                    "next_by": now.at.saturating_add(HEARTBEAT).unwrap_or(Timestamp::MAX),
                    "entries": manifest.entries,
                    "digest": manifest.digest,
                    "held": self.held(recipient, now),
                },
            });
            let value = statement::sign(Statement::Heartbeat, event.to_string().as_bytes(), signer);
            let topic = topic_name("status", &recipient.party);
            work.output(self.partition, topic, self.partition.to_string(), Some(value.into_bytes()));
        }
        let head = self.chain.head();
        if head.seq > self.signed_seq {
            self.signed_seq = head.seq;
            let said = SignedHead {
                partition: self.partition,
                seq: head.seq,
                hash: head.hash,
                root: self.chain.root(),
                at: now.at.to_string(),
            };
            let said = serde_json::to_vec(&said).expect("a head has a JSON form");
            let value = statement::sign(Statement::AuditHead, &said, setup.keys.audit());
            work.output(self.partition, HEADS_TOPIC.to_owned(), head.seq.to_string(), Some(value.into_bytes()));
        }
        Some(self.finish(work).0)
    }

    /// Why this recipient is told nothing at present, if so.
    fn held(&self, recipient: &Recipient, now: Now) -> Option<&'static str> {
        let setup = &self.setup;
        let key = setup.keys.recipient(&recipient.party);
        let is_agreed = |key: &RecipientKey| recipient.pins(key.kid());
        let has_key = key.is_some_and(|key| key.expires().is_none_or(|expires| now.at < expires) && is_agreed(key));
        if let Some(why) = self.holds_everything(now.as_of) {
            Some(why)
        } else if !recipient.in_force(now.as_of) || !has_key {
            Some("recipient_expired_or_without_key")
        } else {
            None
        }
    }
}
