//! What was shared about one person: disclosures, from the time when the records they speak of were that person's.

use std::collections::BTreeSet;

use serde::Serialize;

use super::chain::AuditKind;
use super::find::AuditRecord;
use crate::model::ids::{ClusterId, RecordId};

/// One message that left, or the end of a list entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// When.
    pub at: String,
    /// With whom.
    pub recipient: String,
    /// What it was, e.g. `uk.priorityd.alert.v1`.
    pub what: String,
    /// The kind of finding, where it was about one.
    pub finding: Option<String>,
    /// What the person was in it.
    pub role: Option<String>,
    /// Under which clause; none for the end of an entry, which tells nothing.
    pub clause: Option<String>,
    /// Of which version of the agreement.
    pub agreement_version: String,
    /// The message, as its recipient knows it.
    pub message: String,
    /// The audit record: partition and number.
    pub record: (i32, u64),
}

/// One time that somebody looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LookedAt {
    /// When.
    pub at: String,
    /// Who: initials and a number.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Follows one person through the audit.
pub struct Subject {
    records: BTreeSet<RecordId>,
    persons: BTreeSet<ClusterId>,
    /// What was shared, the oldest first.
    pub shared: Vec<Shared>,
    /// Who looked the person up, the oldest first.
    pub looked_at: Vec<LookedAt>,
}

impl Subject {
    /// The person who has these records.
    #[must_use]
    pub fn new(records: BTreeSet<RecordId>) -> Self {
        Self { records, persons: BTreeSet::new(), shared: Vec::new(), looked_at: Vec::new() }
    }

    /// Takes the next record in.
    pub fn add(&mut self, record: &AuditRecord) {
        let body = &record.body;
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let person = || text("person").and_then(|id| id.parse::<ClusterId>().ok());
        match record.kind {
            AuditKind::Combination => {
                let (Some(person), Some(members)) = (person(), body["records"].as_array()) else { return };
                let mut members = members.iter().filter_map(|id| id.as_str()?.parse::<RecordId>().ok());
                if members.any(|member| self.records.contains(&member)) {
                    self.persons.insert(person);
                } else {
                    self.persons.remove(&person);
                }
            }
            AuditKind::Disclosure => {
                let of_record = text("record").and_then(|id| id.parse().ok());
                let is_theirs = match of_record {
                    Some(record) => self.records.contains(&record),
                    None => person().is_some_and(|person| self.persons.contains(&person)),
                };
                if is_theirs {
                    self.shared.push(Shared {
                        at: record.at.clone(),
                        recipient: text("recipient").unwrap_or_default(),
                        what: text("type").unwrap_or_default(),
                        finding: text("kind"),
                        role: text("role"),
                        clause: text("clause").filter(|clause| !clause.is_empty()),
                        agreement_version: text("agreement_version").unwrap_or_default(),
                        message: text("message").unwrap_or_default(),
                        record: (record.partition, record.seq),
                    });
                }
            }
            AuditKind::Consultation => {
                let Some(id) = text("looked_at") else { return };
                let is_record = id.parse().is_ok_and(|id| self.records.contains(&id));
                if is_record || id.parse().is_ok_and(|id| self.persons.contains(&id)) {
                    self.looked_at.push(LookedAt {
                        at: record.at.clone(),
                        by: text("decided_by").unwrap_or_default(),
                        reason: text("reason").unwrap_or_default(),
                    });
                }
            }
            AuditKind::Collection
            | AuditKind::Alteration
            | AuditKind::Erasure
            | AuditKind::Rejection
            | AuditKind::Agreement => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::chain::Chain;
    use super::*;

    #[test]
    fn what_was_shared_while_records_were_somebody_elses_is_theirs() {
        let scope = "portsmouth".parse().expect("a name");
        let id = |digit: &str| digit.repeat(32);
        let mut chain = Chain::resume(0, None).expect("a new chain");
        let mut subject = Subject::new(BTreeSet::from([RecordId([0xaa; 16])]));
        let mut add = |kind, body: Value| {
            let line = chain.append(0, kind, &scope, body, [1; 16]);
            subject.add(&AuditRecord::read(&line.json).expect("as written"));
        };
        let listed = |person: &str| json!({"recipient": "up2u", "person": id(person), "clause": "U-1", "record": null});
        add(AuditKind::Disclosure, listed("c"));
        add(AuditKind::Combination, json!({"person": id("c"), "records": [id("a"), id("b")]}));
        add(AuditKind::Disclosure, listed("c"));
        add(AuditKind::Disclosure, json!({"recipient": "idva", "person": id("c"), "clause": "I-1", "record": id("b")}));
        add(AuditKind::Consultation, json!({"action": "person", "looked_at": id("c"), "decided_by": "JS2"}));
        add(AuditKind::Combination, json!({"person": id("c"), "records": [id("b")]}));
        add(AuditKind::Combination, json!({"person": id("d"), "records": [id("a")]}));
        add(AuditKind::Disclosure, listed("c"));
        add(AuditKind::Disclosure, listed("d"));
        let seqs: Vec<_> = subject.shared.iter().map(|shared| shared.record.1).collect();
        assert_eq!(seqs, [3, 9]);
        assert_eq!(subject.shared[0].clause.as_deref(), Some("U-1"));
        assert_eq!(subject.looked_at.len(), 1);
    }
}
