//! Other keys of recipients and pseudonyms: what was told under the earlier ones is told under the new, and the recipient
//! hears when that is done. `advance` says everything anew that has changed, and a key is part of what a list entry is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::work::Work;
use super::{Engine, Now};
use crate::audit::AuditKind;
use crate::config::agreement::Recipient;
use crate::disclose::decide::Disclosed;
use crate::disclose::told::take_back;
use crate::log::topic_name;
use crate::model::ids::{ScopeId, hex};
use crate::model::register::{RowChange, RowKind};

/// What a recipient was last told with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToldWith {
    /// Id of the recipient's key.
    kid: String,
    /// Epoch of the key of its pseudonyms.
    output_epoch: u32,
}

impl Engine {
    /// Takes back what stands under pseudonyms of an earlier epoch: nobody could end it under the new ones.
    pub(super) fn take_back_earlier(&mut self, id: &ScopeId, now: Now, rng: &mut dyn CryptoRng, work: &mut Work) {
        let setup = Arc::clone(&self.setup);
        let epoch = setup.keys.output_epoch();
        for recipient in &setup.agreement.recipients {
            let (days, recipient) = (recipient.message_days, &recipient.party);
            let earlier = self.told_with.get(recipient).map(|told| told.output_epoch).filter(|told| *told != epoch);
            let Some(earlier) = earlier else { continue };
            let Some(key) = setup.keys.output_of(recipient, earlier) else {
                tracing::error!(%recipient, earlier, "an output key was retired before what it named was taken back: those entries stay until they expire");
                continue;
            };
            let Some(scope) = self.scopes.get_mut(id) else { continue };
            let messages = take_back(&mut scope.told, recipient, days, &key);
            self.send(id, Disclosed { messages, ..Disclosed::default() }, &[], now, rng, work);
        }
    }

    /// Is a recipient told with other keys than before?
    pub(super) fn has_other_keys(&self) -> bool {
        let keys = &self.setup.keys;
        self.told_with.iter().any(|(party, told)| {
            let kid = keys.recipient(party).map(|key| key.kid());
            told.output_epoch != keys.output_epoch() || kid.is_some_and(|kid| kid != told.kid)
        })
    }

    /// Notes what recipients are told with from now on, and says so to those whose key is another one than before: their
    /// whole list has been sealed to it in this very transaction.
    pub(super) fn tell_rotated(&mut self, now: Now, rng: &mut dyn CryptoRng, work: &mut Work) {
        let setup = Arc::clone(&self.setup);
        let output_epoch = setup.keys.output_epoch();
        for recipient in &setup.agreement.recipients {
            // Where everything is held, nothing was sealed anew.
            let served = setup.agreement.held(now.as_of).is_none() && recipient.in_force(now.as_of);
            let Some(key) = setup.keys.recipient(&recipient.party).filter(|_| served) else { continue };
            let told = ToldWith { kid: key.kid().to_owned(), output_epoch };
            let earlier = self.told_with.insert(recipient.party.clone(), told.clone());
            if earlier.as_ref() == Some(&told) {
                continue;
            }
            if let Some(earlier) = earlier.filter(|earlier| earlier.kid != told.kid)
                && !self.announce(recipient, &earlier.kid, now, rng, work)
            {
                // Told with the next opportunity: the row still names the earlier key.
                self.told_with.insert(recipient.party.clone(), earlier);
                continue;
            }
            let value = Some(postcard::to_allocvec(&told).expect("a text and a number have a plain form"));
            let id = recipient.party.as_str().as_bytes().to_vec();
            work.change(self.partition, "", RowChange { kind: RowKind::ToldWith, id, value });
        }
    }

    /// One message on the recipient's alerts, sealed to the new key: whoever opens it has that key.
    fn announce(
        &mut self,
        recipient: &Recipient,
        earlier: &str,
        now: Now,
        rng: &mut dyn CryptoRng,
        work: &mut Work,
    ) -> bool {
        let setup = Arc::clone(&self.setup);
        let (Some(key), Some(scope)) = (setup.keys.recipient(&recipient.party), self.scopes.keys().next().cloned())
        else {
            return false;
        };
        let lists = self.scopes.values().flat_map(|scope| scope.told.lists());
        let entries: usize = lists.filter(|(party, _)| **party == recipient.party).map(|(_, list)| list.len()).sum();
        let hash = Sha256::new().chain_update(b"priorityd/v1/rotated").chain_update(key.kid()).finalize();
        let message = hex(&hash[..16]);
        let hours = 24 * i64::from(recipient.message_days);
        let event = json!({
            "specversion": "1.0",
            "id": message,
            "source": format!("urn:priorityd:hub:{scope}"),
            "type": "uk.priorityd.key_rotated.v1",
            "time": now.at,
            "datacontenttype": "application/json",
            "recipient": recipient.party,
            "expirytime": now.at.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX),
            "data": {"kid": key.kid(), "replaces": earlier, "entries": entries},
        });
        let envelope = self.sealer.prepare(key, now.at, rng);
        let sealed = envelope.and_then(|envelope| envelope.seal(event.to_string().as_bytes(), setup.keys.signing()));
        let value = match sealed {
            Ok(value) => value.into_bytes(),
            Err(error) => {
                tracing::error!(recipient = %recipient.party, reason = %error, "a key's rotation cannot be announced");
                return false;
            }
        };
        work.output(self.partition, topic_name("alerts", &recipient.party), message.clone(), Some(value));
        let body = json!({
            "recipient": recipient.party, "message": message, "type": "uk.priorityd.key_rotated.v1", "kid": key.kid(),
        });
        work.audit(AuditKind::Disclosure, &scope, body);
        true
    }
}
