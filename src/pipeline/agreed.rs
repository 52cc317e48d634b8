//! Which agreement it is that what was told rests on. The register says so, in the transaction that decides anew: after a
//! restart, or with a partition that comes from another instance, an older agreement is seen to be one, and holds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::work::Work;
use super::{Engine, Now};
use crate::audit::AuditKind;
use crate::config::agreement::{Agreement, Recipient};
use crate::model::ids::{ScopeId, hex};
use crate::model::register::{RowChange, RowKind};

/// An agreement to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToldUnder {
    serial: u32,
    digest: [u8; 32],
}

impl ToldUnder {
    pub(super) fn of(agreement: &Agreement) -> Self {
        Self { serial: agreement.serial, digest: agreement.digest() }
    }

    /// Must `other` not follow this one? It is older, or another of the same serial.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        other.serial < self.serial || (other.serial == self.serial && other.digest != self.digest)
    }
}

impl Engine {
    /// Puts on record that what is told rests on another agreement from here on; whether it does.
    pub(super) fn note_agreement(&mut self, now: Now, work: &mut Work) -> bool {
        let agreement = &self.setup.agreement;
        let ours = ToldUnder::of(agreement);
        if self.holds_everything(now.as_of).is_some() || self.told_under.as_ref() == Some(&ours) {
            return false;
        }
        let value = postcard::to_allocvec(&ours).expect("a number and a digest have a plain form");
        work.change(self.partition, "", RowChange { kind: RowKind::Agreement, id: Vec::new(), value: Some(value) });
        let before = self.told_under.as_ref().map(|before| before.serial);
        let body = json!({
            "version": agreement.version,
            "serial": agreement.serial,
            "sha256": hex(&ours.digest),
            "signed_by": agreement.signed_by,
            "serial_before": before,
        });
        if let Some(scope) = agreement.scopes.first().cloned() {
            work.audit(AuditKind::Agreement, &scope, body);
        }
        self.told_under = Some(ours);
        true
    }

    /// Who was told something and is no recipient any more: the policies know nothing of them, so it ends.
    pub(super) fn former_recipients(&self, scope: &ScopeId) -> Vec<Recipient> {
        let Some(scope) = self.scopes.get(scope) else { return Vec::new() };
        let current: BTreeSet<_> = self.setup.agreement.recipients.iter().map(|recipient| &recipient.party).collect();
        let told = scope.told.parties().into_iter().filter(|party| !current.contains(party));
        told.filter(|party| self.setup.outputs.contains_key(party)).map(Recipient::former).collect()
    }
}
