//! What must hold at the end of every seed, whatever happened on the way. I2 is the comparison with the undisturbed run.

use std::collections::BTreeMap;

use priorityd::audit::{self, AuditKind, AuditRecord};
use priorityd::log::{AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC, topic_name};
use priorityd::model::register::RowKind;
use serde_json::{Value, json};

use super::universe;
use crate::support::events::Sent;
use crate::support::hub::{Hub, Office};

pub(crate) fn check(hub: &Hub<'_>, office: &Office) {
    conserved(hub);
    told_once_and_by_a_clause(hub);
    blind(hub, office);
    explained(hub);
}

/// I1: what was read is what was sent, and each has one outcome, which `outcomes` adds up.
fn conserved(hub: &Hub<'_>) {
    assert_eq!(hub.outcomes().read, hub.fed(), "I1: every record that was sent has an outcome");
}

/// I3 and I5: each message once, and each with its clause in the message and its record in the audit. A desk refuses an
/// alert id that comes twice and the end of an entry that is not there.
fn told_once_and_by_a_clause(hub: &Hub<'_>) {
    let mut disclosed: BTreeMap<(String, String, bool), i64> = BTreeMap::new();
    let mut redacted = 0;
    for record in records(hub).iter().filter(|record| record.kind == AuditKind::Disclosure) {
        if record.is_redacted {
            redacted += 1;
            continue;
        }
        let text =
            |name: &str| record.body[name].as_str().unwrap_or_else(|| panic!("I5: no {name} in the audit")).to_owned();
        // That something ends needs nobody's leave.
        let by_clause = !text("clause").is_empty() || text("type") == "tombstone";
        assert!(by_clause, "I5: a disclosure by no clause");
        let on_list = !["uk.priorityd.alert.v1", "uk.priorityd.correction.v1"].contains(&text("type").as_str());
        *disclosed.entry((text("recipient"), text("message"), on_list)).or_default() += 1;
    }
    for (recipient, topics) in hub.said() {
        for (on_list, messages) in topics.into_iter().enumerate() {
            for (id, event) in messages {
                if let Some(event) = event {
                    let clause = event["data"]["clause"].as_str();
                    assert!(clause.is_some_and(|clause| !clause.is_empty()), "I5: {recipient} was told by no clause");
                }
                *disclosed.entry((recipient.to_string(), id, on_list == 1)).or_default() -= 1;
            }
        }
    }
    // Of people who were erased the audit no longer says what was told, but still how often.
    let missing: i64 = disclosed.values().filter(|count| **count < 0).sum();
    let unsaid: Vec<_> = disclosed.iter().filter(|(_, count)| **count > 0).collect();
    assert!(unsaid.is_empty(), "I3, I5: the audit knows of messages that are not there: {unsaid:?}");
    assert_eq!(-missing, redacted, "I3, I5: messages without a record in the audit");
}

/// I4: no name in the register, and none on a topic but inside what is sealed.
fn blind(hub: &Hub<'_>, office: &Office) {
    let mut seen: Vec<Vec<u8>> = hub.register().into_iter().flat_map(|(key, value)| [key, value]).collect();
    let parties = office.agreement.feeds.iter().map(|feed| &feed.party);
    let parties = parties.chain(office.agreement.recipients.iter().map(|recipient| &recipient.party));
    let of_party = |party| ["alerts", "list", "status", "rejections"].map(|kind| topic_name(kind, party));
    let topics = parties.flat_map(of_party).chain([AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC].map(str::to_owned));
    for topic in topics {
        seen.extend(hub.topic(&topic).into_iter().flat_map(|record| [record.key, record.value.unwrap_or_default()]));
    }
    for name in universe::clear() {
        let name = name.as_bytes();
        assert!(!seen.iter().any(|bytes| bytes.windows(name.len()).any(|at| at == name)), "I4: a name is in clear");
    }
}

/// I8: the chain holds, and the last that it says of each linked person is how they are linked.
fn explained(hub: &Hub<'_>) {
    let lines = hub.topic(AUDIT_TOPIC).into_iter().map(|record| record.value.expect("a line"));
    audit::verify(lines, None).unwrap_or_else(|faults| panic!("I8: the audit's chain is broken: {faults:?}"));
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for record in records(hub).into_iter().filter(|record| record.kind == AuditKind::Combination) {
        if record.is_redacted {
            // Somebody was erased from it: what it said of those who were linked with them went too.
            return;
        }
        if let (Some(person), true) = (record.body["person"].as_str(), record.body.get("records").is_some()) {
            last.insert(person.to_owned(), record.body["records"].clone());
        }
    }
    for (person, records) in hub.linked().into_iter().filter(|(_, records)| records.len() > 1) {
        let said = last.get(&person.to_string());
        assert_eq!(said, Some(&json!(records)), "I8: what the audit says of a linked person");
    }
}

/// I6: with every event cancelled nobody is on a list, nothing that was said stands, and of people nothing is left (I7).
pub(crate) fn reversible(hub: &mut Hub<'_>, everything: &[Sent]) {
    hub.send(&universe::cancellations(everything));
    for (recipient, desk) in hub.desks() {
        assert!(desk.list.is_empty(), "I6: {recipient} still has a list");
        assert!(desk.live().is_empty(), "I6: {recipient} was not told that it was all taken back");
    }
    for key in hub.register().into_keys() {
        let kind = RowKind::from_byte(key[0]).expect("a kind of row");
        let of_people = matches!(kind, RowKind::Record | RowKind::Edge | RowKind::Identity | RowKind::Listed);
        assert!(!of_people, "I6, I7: a row of kind {kind:?} outlived everybody");
    }
}

fn records(hub: &Hub<'_>) -> Vec<AuditRecord> {
    let lines = hub.topic(AUDIT_TOPIC).into_iter().map(|record| record.value.expect("a line"));
    lines.map(|line| AuditRecord::read(&line).expect("as written")).collect()
}
