//! Sealing, with the audit line of each message in the same transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::CryptoRng;
use rayon::prelude::*;

use super::work::Work;
use super::{Engine, Now};
use crate::assess::Assessed;
use crate::audit::{AuditKind, Said};
use crate::disclose::decide::{Disclosed, MessageKind};
use crate::disclose::message::cloud_event;
use crate::log::topic_name;
use crate::model::finding::Finding;
use crate::model::ids::ScopeId;

impl Engine {
    /// Seals messages, each with its audit line in the same transaction (I5).
    pub(super) fn send(
        &mut self,
        id: &ScopeId,
        disclosed: Disclosed,
        people: &[Assessed],
        now: Now,
        rng: &mut dyn CryptoRng,
        work: &mut Work,
    ) {
        let setup = Arc::clone(&self.setup);
        for (reason, count) in disclosed.held {
            *work.report.held.entry(reason).or_insert(0) += count;
        }
        let mut ready = Vec::with_capacity(disclosed.messages.len());
        for message in &disclosed.messages {
            let Some(key) = setup.keys.recipient(&message.recipient) else { continue };
            let told = self.scopes.get(id).map(|scope| &scope.told).filter(|_| message.kind == MessageKind::ListEntry);
            let revision = told.and_then(|told| told.listed(message.cluster, &message.recipient));
            let envelope = cloud_event(message, id, now.at, revision)
                .map(|event| self.sealer.prepare(key, now.at, rng).map(|envelope| (event, envelope)));
            ready.push((message, envelope));
        }
        let sealed: Vec<_> = ready
            .into_par_iter()
            .map(|(message, envelope)| {
                let sealed = envelope
                    .map(|ready| ready.and_then(|(event, envelope)| envelope.seal(&event, setup.keys.signing())));
                (message, sealed.transpose())
            })
            .collect();
        // Of many findings few are told.
        let told: BTreeSet<_> = disclosed.messages.iter().filter_map(|message| message.finding).collect();
        let findings = people.iter().flat_map(|person| &person.findings).filter(|finding| told.contains(&finding.id));
        let findings: BTreeMap<_, &Finding> = findings.map(|finding| (finding.id, finding)).collect();
        for (message, sealed) in sealed {
            let value = match sealed {
                Ok(value) => value.map(String::into_bytes),
                Err(error) => {
                    // Expired keys were held before anything was told, so this is a fault of ours.
                    tracing::error!(recipient = %message.recipient, reason = %error, "a message was held: it cannot be sealed");
                    *work.report.held.entry("cannot_be_sealed").or_insert(0) += 1;
                    continue;
                }
            };
            let topic = topic_name(message.kind.topic_kind(), &message.recipient);
            work.output(self.partition, topic, message.id.clone(), value);
            *work.report.messages.entry((message.recipient.clone(), message.kind.topic_kind())).or_insert(0) += 1;
            let finding = message.finding.and_then(|finding| findings.get(&finding));
            let mut line = Said::default();
            line.add("recipient", &message.recipient)
                .add("message", &message.id)
                .add("type", message.kind.event_type().unwrap_or("tombstone"))
                .add("clause", &message.clause)
                .add("person", message.cluster)
                .add("finding", message.finding)
                .add("kind", finding.map(|finding| finding.kind))
                .add("role", finding.map(|finding| finding.role))
                .add("record", finding.map(|finding| finding.record))
                .add("evidence", finding.map(|finding| &finding.evidence))
                .add("agreement_version", &setup.agreement.version)
                .add("rules_version", &setup.rules.version);
            work.audit(AuditKind::Disclosure, id, line);
        }
    }
}
