//! What must hold at the end of every seed, whatever happened on the way. I2 is the comparison with the undisturbed
//! run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use priorityd::audit::{AuditKind, AuditRecord, ChainsVerifier, SignedHead};
use priorityd::disclose::statement::Manifest;
use priorityd::log::{AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC, StoredRecord, topic_name};
use priorityd::model::ids::PartyId;
use priorityd::model::register::RowKind;
use serde_json::{Value, json};

use super::universe;
use crate::support::events::Sent;
use crate::support::hub::{Hub, Message, Office, signed, standing_revisions, text};
use crate::support::told::told_once;

/// What each recipient was ever told: alerts, and records of its list.
type Said = BTreeMap<PartyId, [Vec<Message>; 2]>;

/// How much there was to look at: a check that finds nothing to check would hold whatever happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    /// People of several records.
    linked: usize,
    /// And those of them whose last line of the audit was still to be read.
    explained: usize,
    /// Heartbeats held to a list.
    heartbeats: usize,
    /// Heads of the audit that were signed.
    heads: usize,
    /// Records of lists that a subscriber had read and the file has no more.
    pub(crate) swept: usize,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, more: Self) {
        self.linked += more.linked;
        self.explained += more.explained;
        self.heartbeats += more.heartbeats;
        self.heads += more.heads;
        self.swept += more.swept;
    }
}

impl Seen {
    /// Over many seeds nearly everybody was explained: who is left out was linked with somebody who was erased.
    pub(crate) fn is_enough(self) {
        assert!(self.explained * 10 >= self.linked * 9 && self.heartbeats > 0 && self.heads > 0, "{self:?}");
    }
}

pub(crate) fn check(hub: &Hub<'_>, office: &Office) -> Seen {
    let said = hub.said();
    conserved(hub);
    told(hub, &said);
    blind(hub, office);
    let (linked, explained) = explained(hub);
    Seen {
        linked,
        explained,
        heartbeats: announced(hub, &said),
        heads: hub.topic(HEADS_TOPIC).len(),
        swept: swept(hub),
    }
}

/// I1: what was read is what was sent, and each has one outcome, which `outcomes` adds up.
fn conserved(hub: &Hub<'_>) {
    assert_eq!(hub.outcomes().read, hub.fed(), "I1: every record that was sent has an outcome");
}

/// I3 and I5: each message once, and each with its clause in the message and its record in the audit. A desk refuses an
/// alert id that comes twice and the end of an entry that is not there.
fn told(hub: &Hub<'_>, said: &Said) {
    for event in said.values().flatten().flatten().filter_map(|(_, event)| event.as_ref()) {
        let clause = event["data"]["clause"].as_str();
        assert!(clause.is_some_and(|clause| !clause.is_empty()), "I5: somebody was told by no clause");
    }
    let of_topic = |party: &PartyId, on_list, messages: &[Message]| -> Vec<_> {
        messages.iter().map(|(key, _)| (party.clone(), on_list, key.clone())).collect()
    };
    let messages = said.iter().flat_map(|(party, [alerts, list])| {
        of_topic(party, false, alerts).into_iter().chain(of_topic(party, true, list))
    });
    told_once(&records(hub), messages);
}

/// I3: each heartbeat names the list as it stood when it was signed; says how many there were.
fn announced(hub: &Hub<'_>, said: &Said) -> usize {
    let mut count = 0;
    for (recipient, heartbeats) in hub.heartbeats() {
        let list = &said[recipient][1];
        for (length, heartbeat) in heartbeats {
            let manifest = Manifest::of(standing_revisions(&list[..*length]).into_iter());
            let named = (heartbeat["entries"].as_u64(), text(&heartbeat["digest"]));
            assert_eq!(named, (Some(manifest.entries), manifest.digest.as_str()), "I3: {recipient}'s manifest");
            count += 1;
        }
    }
    count
}

/// I2: what was swept is no loss: who reads a list from its beginning has it as those who never stopped. Says how many
/// records are gone.
fn swept(hub: &Hub<'_>) -> usize {
    let standing = |records: &[StoredRecord]| -> BTreeMap<Vec<u8>, Vec<u8>> {
        let last: BTreeMap<_, _> = records.iter().map(|record| (record.key.clone(), record.value.clone())).collect();
        last.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    };
    let mut gone = 0;
    for (recipient, followed) in hub.followed() {
        let read = hub.topic(&topic_name("list", recipient));
        assert!(standing(&read) == standing(followed), "I2: {recipient}'s list, read from its beginning");
        gone += followed.len() - read.len();
    }
    gone
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

/// I8: the chain and its signed heads hold, and the last that the audit says of each linked person is how they are
/// linked. Says how many people have several records, and of how many that could be read.
fn explained(hub: &Hub<'_>) -> (usize, usize) {
    let mut verifier = ChainsVerifier::default();
    for head in hub.topic(HEADS_TOPIC) {
        verifier.expect(&serde_json::from_value::<SignedHead>(signed(&head)).expect("a head"));
    }
    hub.topic(AUDIT_TOPIC).iter().for_each(|line| verifier.push(Some(0), line.value.as_deref().expect("a line")));
    verifier.finish(&[].into()).unwrap_or_else(|faults| panic!("I8: the audit's chain is broken: {faults:?}"));
    let mut last: BTreeMap<String, (u64, Value)> = BTreeMap::new();
    // Lines that said of somebody who they are, and were with somebody who was erased since.
    let mut redacted: BTreeSet<u64> = BTreeSet::new();
    for record in records(hub).into_iter().filter(|record| record.kind == AuditKind::Combination) {
        let change = record.body["change"].as_str().expect("what changed");
        if record.is_redacted && change.starts_with("cluster.") && change != "cluster.retired" {
            redacted.insert(record.seq);
        } else if let (Some(person), Some(_)) = (record.body["person"].as_str(), record.body.get("records")) {
            last.insert(person.to_owned(), (record.seq, record.body["records"].clone()));
        }
    }
    let linked: Vec<_> = hub.linked().into_iter().filter(|(_, records)| records.len() > 1).collect();
    let mut explained = 0;
    for (person, records) in &linked {
        let (seq, said) = last.get(&person.to_string()).map_or((0, None), |(seq, said)| (*seq, Some(said)));
        if said == Some(&json!(records)) {
            explained += 1;
            continue;
        }
        // What was said last of them went with who was erased: each such line spoke of one person.
        let went = redacted.range(seq..).next_back().copied();
        let went =
            went.unwrap_or_else(|| panic!("I8: what the audit says of a linked person: {said:?}, not {records:?}"));
        redacted.remove(&went);
    }
    (linked.len(), explained)
}

/// I6: with every event cancelled nobody is on a list, nothing that was said stands, and of people nothing is left
/// (I7).
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
