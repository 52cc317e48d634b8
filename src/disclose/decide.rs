//! Who is told what: the agreement laid over what was assessed, and the difference to what each was told before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::identities::{Identities, OpenedPerson};
use super::permit::No;
use super::told::{Digest, Told, ToldAlert, alert_id};
use crate::assess::Assessed;
use crate::assess::ledger::Case;
use crate::config::agreement::{Agreement, Grant, Recipient};
use crate::config::rules::Rules;
use crate::keys::KeyRing;
use crate::keys::output::OutputKey;
use crate::keys::recipient::RecipientKey;
use crate::model::finding::Finding;
use crate::model::ids::{ClusterId, FindingId, PartyId, RecordId, ScopeId};

/// What a decision rests on. Nothing here changes while one batch is disclosed.
pub struct Desk<'a> {
    /// The partnership.
    pub scope: &'a ScopeId,
    /// The agreement.
    pub agreement: &'a Agreement,
    /// Why everything is held, if it is.
    pub held: Option<&'static str>,
    /// Who is no recipient any more, and is told so.
    pub former: Vec<Recipient>,
    /// The rules that assessed.
    pub rules: &'a Rules,
    /// The day.
    pub as_of: Date,
    /// The moment.
    pub at: Timestamp,
    /// Opens sealed identities.
    pub keys: &'a KeyRing,
    /// Each recipient's key for pseudonyms; a recipient without keys is held, never served in clear.
    pub outputs: &'a BTreeMap<PartyId, OutputKey>,
    /// Sealed identities.
    pub identities: &'a Identities,
    /// Cases of any linked person.
    pub cases_of: &'a dyn Fn(ClusterId) -> BTreeMap<PartyId, Case>,
    /// How sure the links of a person are: `strong`, `moderate` or `single_source`.
    pub confidence_of: &'a dyn Fn(ClusterId) -> &'static str,
    /// Linked persons who share an event with somebody.
    pub neighbours_of: &'a dyn Fn(ClusterId) -> Vec<ClusterId>,
    /// Is the person seen in both roles, and nobody has looked yet?
    pub awaits_review: &'a dyn Fn(ClusterId) -> bool,
}

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// A finding.
    Alert,
    /// What an earlier alert said no longer holds.
    Correction,
    /// A list entry, new or changed.
    ListEntry,
    /// A list entry's end.
    Tombstone,
}

/// One message, not yet sealed. Its body may name people, so there is no `Debug`.
pub struct Message {
    /// To whom.
    pub recipient: PartyId,
    /// Alerts or list.
    pub kind: MessageKind,
    /// CloudEvents id and record key: a pseudonym of this recipient alone.
    pub id: String,
    /// CloudEvents data; `None` is a tombstone.
    pub body: Option<Map<String, Value>>,
    /// Its messages may be opened for so many days.
    pub message_days: u32,
    /// The clause that it rests on.
    pub clause: String,
    /// About whom, for the audit.
    pub cluster: ClusterId,
    /// About which finding, for the audit.
    pub finding: Option<FindingId>,
}

/// The outcome of one round of disclosure.
#[derive(Default)]
pub struct Disclosed {
    /// What leaves.
    pub messages: Vec<Message>,
    /// What was held, by reason.
    pub held: BTreeMap<&'static str, u64>,
}

impl Desk<'_> {
    /// Tells every recipient the difference that a change made: `before` are the linked persons that were touched as they
    /// were, `now` as they are.
    pub fn disclose(&self, before: &BTreeSet<ClusterId>, now: &[Assessed], told: &mut Told) -> Disclosed {
        let mut out = Disclosed::default();
        if let Some(why) = self.held {
            out.hold(why);
            return out;
        }
        let recipients: Vec<_> = self.recipients().filter(|recipient| self.may_be_served(recipient)).collect();
        if recipients.len() < self.recipients().count() {
            out.hold("recipient_expired_or_without_key");
        }
        let touched = before.iter().copied().chain(now.iter().map(|person| person.cluster));
        let mut gone = told.findings_of(touched);
        for person in now {
            for finding in &person.findings {
                gone.remove(&finding.id);
                told.move_alert(finding.id, person.cluster);
                for recipient in &recipients {
                    self.tell_alert(recipient, person, finding, told, &mut out);
                }
            }
        }
        for finding in gone {
            let Some(cluster) = told.cluster_of(finding) else { continue };
            for recipient in &recipients {
                let earlier = told.alert(finding, &recipient.party).filter(|earlier| earlier.live).cloned();
                if let Some(earlier) = earlier {
                    self.correct(recipient, cluster, finding, earlier, "withdrawn", told, &mut out);
                }
            }
        }
        let still_there: BTreeSet<_> = now.iter().map(|person| person.cluster).collect();
        for cluster in before.difference(&still_there) {
            for recipient in &recipients {
                if told.listed(*cluster, &recipient.party).is_some() {
                    self.unlist(recipient, *cluster, told, &mut out);
                }
            }
        }
        for person in now {
            for recipient in &recipients {
                self.tell_list(recipient, person, told, &mut out);
            }
        }
        out.messages
            .sort_by(|one, other| (&one.recipient, one.kind, &one.id).cmp(&(&other.recipient, other.kind, &other.id)));
        out
    }

    fn recipients(&self) -> impl Iterator<Item = &Recipient> {
        self.agreement.recipients.iter().chain(&self.former)
    }

    fn may_be_served(&self, recipient: &Recipient) -> bool {
        let lives = |expires: Option<Timestamp>| expires.is_none_or(|expires| self.at < expires);
        recipient.in_force(self.as_of)
            && self.outputs.contains_key(&recipient.party)
            && self
                .keys
                .recipient(&recipient.party)
                .is_some_and(|key| lives(key.expires()) && recipient.pins(key.kid()))
            && lives(self.keys.signing().expires())
    }

    fn tell_alert(
        &self,
        recipient: &Recipient,
        person: &Assessed,
        finding: &Finding,
        told: &mut Told,
        out: &mut Disclosed,
    ) {
        let live = |told: &Told| told.alert(finding.id, &recipient.party).filter(|earlier| earlier.live).cloned();
        let (grant, body) = match self.alert(recipient, person, finding) {
            Ok(granted) => granted,
            Err(no) => {
                let reason = match no {
                    No::Ungranted => "clause_closed",
                    No::NotInCaseload => "not_in_caseload",
                    No::TooOld | No::CaseClosed => return,
                    No::BothParties | No::BothRoles | No::StaffConflict => {
                        out.hold(no.as_str());
                        "withdrawn"
                    }
                };
                if let Some(earlier) = live(told) {
                    self.correct(recipient, person.cluster, finding.id, earlier, reason, told, out);
                }
                return;
            }
        };
        let digest = self.digest(recipient, &body);
        let live = live(told);
        if live.as_ref().is_some_and(|earlier| earlier.digest == digest) {
            return;
        }
        let generation = told.alert(finding.id, &recipient.party).map_or(0, |earlier| earlier.generation) + 1;
        if let Some(earlier) = live {
            self.correct(recipient, person.cluster, finding.id, earlier, "changed", told, out);
        }
        let id = self.alert_id(recipient, finding.id, generation);
        out.messages.push(Message {
            recipient: recipient.party.clone(),
            message_days: recipient.message_days,
            kind: MessageKind::Alert,
            body: Some(self.signed_off(body, &grant, &id, "alert_id")),
            id,
            clause: grant.clause().to_owned(),
            cluster: person.cluster,
            finding: Some(finding.id),
        });
        let now = ToldAlert { generation, live: true, digest, clause: grant.clause().to_owned() };
        told.set_alert(finding.id, person.cluster, &recipient.party, now);
    }

    #[expect(clippy::too_many_arguments, reason = "one call of three, all within this file")]
    fn correct(
        &self,
        recipient: &Recipient,
        cluster: ClusterId,
        finding: FindingId,
        earlier: ToldAlert,
        reason: &str,
        told: &mut Told,
        out: &mut Disclosed,
    ) {
        let corrects = self.alert_id(recipient, finding, earlier.generation);
        let id = hex(&self.pseudonym(recipient, &format!("correction/{}", earlier.generation), &finding.0));
        let mut body = Map::new();
        body.insert("corrects".to_owned(), json!(corrects));
        body.insert("reason".to_owned(), json!(reason));
        body.insert("clause".to_owned(), json!(earlier.clause));
        out.messages.push(Message {
            recipient: recipient.party.clone(),
            message_days: recipient.message_days,
            kind: MessageKind::Correction,
            id,
            body: Some(body),
            clause: earlier.clause.clone(),
            cluster,
            finding: Some(finding),
        });
        told.set_alert(finding, cluster, &recipient.party, ToldAlert { live: false, ..earlier });
    }

    fn tell_list(&self, recipient: &Recipient, person: &Assessed, told: &mut Told, out: &mut Disclosed) {
        let listed = told.listed(person.cluster, &recipient.party);
        match self.list_entry(recipient, person) {
            Ok((grant, body)) => {
                let id = self.entry_id(recipient, person.cluster);
                let body = self.signed_off(body, &grant, &id, "entry");
                let digest = self.list_digest(recipient, &id, &body);
                if listed == Some(digest) {
                    return;
                }
                told.set_listed(person.cluster, &recipient.party, Some(digest));
                out.messages.push(Message {
                    recipient: recipient.party.clone(),
                    message_days: recipient.message_days,
                    kind: MessageKind::ListEntry,
                    id,
                    body: Some(body),
                    clause: grant.clause().to_owned(),
                    cluster: person.cluster,
                    finding: None,
                });
            }
            Err(no) => {
                if no.holds() {
                    out.hold(no.as_str());
                }
                if listed.is_some() {
                    self.unlist(recipient, person.cluster, told, out);
                }
            }
        }
    }

    fn unlist(&self, recipient: &Recipient, cluster: ClusterId, told: &mut Told, out: &mut Disclosed) {
        told.set_listed(cluster, &recipient.party, None);
        out.messages.push(Message {
            recipient: recipient.party.clone(),
            message_days: recipient.message_days,
            kind: MessageKind::Tombstone,
            id: self.entry_id(recipient, cluster),
            body: None,
            clause: String::new(),
            cluster,
            finding: None,
        });
    }

    pub(super) fn open(&self, record: RecordId) -> Option<OpenedPerson> {
        self.identities.open(record, self.scope, self.keys)
    }

    /// Adds what every message says of itself.
    fn signed_off(&self, mut body: Map<String, Value>, grant: &Grant, id: &str, id_name: &str) -> Map<String, Value> {
        body.insert(id_name.to_owned(), json!(id));
        body.insert("clause".to_owned(), json!(grant.clause()));
        body.insert("agreement_version".to_owned(), json!(self.agreement.version));
        body.insert("rules_version".to_owned(), json!(self.rules.version));
        body
    }

    fn alert_id(&self, recipient: &Recipient, finding: FindingId, generation: u32) -> String {
        alert_id(self.key(recipient), finding, generation)
    }

    fn entry_id(&self, recipient: &Recipient, cluster: ClusterId) -> String {
        hex(&self.pseudonym(recipient, "list", &cluster.0))
    }

    /// As `digest`, and another one each half of a message's life: a message expires, so an entry that stays the same is
    /// sealed again before its last one does. Entries take turns, so that not all are sealed on one day.
    fn list_digest(&self, recipient: &Recipient, id: &str, body: &Map<String, Value>) -> Digest {
        let half_life = u64::from(recipient.message_days / 2).max(1);
        let turn = id.bytes().fold(0, |sum, byte| sum + u64::from(byte)) % half_life;
        let days = self.as_of.duration_since(Date::constant(1970, 1, 1)).as_hours().unsigned_abs() / 24;
        let mut body = body.clone();
        body.insert("sealed_in_turn".to_owned(), json!((days + turn) / half_life));
        // An entry sealed to another key is another entry: the whole list follows the key.
        body.insert("sealed_to".to_owned(), json!(self.keys.recipient(&recipient.party).map(RecipientKey::kid)));
        self.digest(recipient, &body)
    }

    /// A keyed digest of a body: the register keeps it, and a plain hash of a name could be guessed.
    fn digest(&self, recipient: &Recipient, body: &Map<String, Value>) -> Digest {
        let canonical = serde_json::to_vec(body).expect("a JSON map has a text form");
        let hash = Sha256::digest(canonical);
        let half = hash[..16].try_into().expect("SHA-256 gives 32 bytes");
        self.pseudonym(recipient, "digest", &half)
    }

    fn pseudonym(&self, recipient: &Recipient, label: &str, id: &[u8; 16]) -> [u8; 16] {
        self.key(recipient).pseudonym(label, id)
    }

    fn key(&self, recipient: &Recipient) -> &OutputKey {
        self.outputs.get(&recipient.party).expect("only recipients with keys are told anything")
    }
}

impl Disclosed {
    fn hold(&mut self, reason: &'static str) {
        *self.held.entry(reason).or_insert(0) += 1;
    }
}

fn hex(bytes: &[u8; 16]) -> String {
    FindingId(*bytes).to_string()
}
