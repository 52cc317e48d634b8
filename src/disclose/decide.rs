//! Who is told what: the agreement laid over what was assessed, and the difference to what each was told before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;

use super::around::Around;
use super::body::Body;
use super::identities::Identities;
use super::permit::No;
use super::told::{AlertRow, Digest, Told, ToldAlert, alert_id, correction};
use crate::assess::Assessed;
use crate::assess::ledger::Case;
use crate::config::agreement::{Agreement, Channel, Decided as Policed, Grant, Kinds, Recipient, Ways};
use crate::config::rules::Rules;
use crate::keys::KeyRing;
use crate::keys::output::OutputKey;
use crate::keys::recipient::RecipientKey;
use crate::model::finding::{Finding, Profile};
use crate::model::ids::{ClusterId, FindingId, PartyId, ScopeId};
use crate::model::text::Text;

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
    pub cases_of: &'a (dyn Fn(ClusterId) -> BTreeMap<PartyId, Case> + Sync),
    /// How sure the links of a person are: `strong`, `moderate` or `single_source`.
    pub confidence_of: &'a (dyn Fn(ClusterId) -> &'static str + Sync),
    /// Is the person seen in both roles, and nobody has looked yet?
    pub awaits_review: &'a (dyn Fn(ClusterId) -> bool + Sync),
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
    pub body: Option<Body>,
    /// Its messages may be opened for so many days.
    pub message_days: u32,
    /// The clause that it rests on.
    pub clause: Text,
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

/// Somebody who is served today.
pub(super) struct Served<'a> {
    pub(super) recipient: &'a Recipient,
    /// Where the policies have what it may have; nowhere for who is no recipient any more.
    pub(super) place: Option<usize>,
    /// Whom it stands in for, and that one's place.
    pub(super) stands_in_for: Option<(&'a Recipient, Option<usize>)>,
}

/// What comes of one person: messages, and what is to be noted as told.
#[derive(Default)]
struct Decided {
    out: Disclosed,
    /// Findings of which anybody was ever told.
    known: SmallVec<[FindingId; 4]>,
    alerts: Vec<(FindingId, PartyId, ToldAlert)>,
    lists: Vec<(PartyId, Option<Digest>)>,
}

impl Desk<'_> {
    /// Tells every recipient the difference that a change made: `before` are the linked persons that were touched as they
    /// were, `now` as they are, and `gone` all findings that anybody was told of about either, of which those that are found
    /// again do not go.
    pub fn disclose(
        &self,
        before: &BTreeSet<ClusterId>,
        now: &[Assessed],
        mut gone: BTreeSet<FindingId>,
        told: &mut Told,
    ) -> Disclosed {
        let mut out = Disclosed::default();
        if let Some(why) = self.held {
            out.hold(why);
            return out;
        }
        let served = self.served();
        if served.len() < self.recipients().count() {
            out.hold("recipient_expired_or_without_key");
        }
        // Nothing that is decided of one person depends on what is told of another.
        let decided: Vec<_> = now.par_iter().map(|person| self.decide(person, &served, told)).collect();
        for (person, decided) in now.iter().zip(decided) {
            for finding in decided.known {
                gone.remove(&finding);
                told.move_alert(finding, person.cluster);
            }
            for (finding, recipient, alert) in decided.alerts {
                told.set_alert(finding, person.cluster, &recipient, alert);
            }
            for (recipient, digest) in decided.lists {
                told.set_listed(person.cluster, &recipient, digest);
            }
            out.add(decided.out);
        }
        for finding in gone {
            let Some(cluster) = told.cluster_of(finding) else { continue };
            for Served { recipient, .. } in &served {
                let earlier = told.alert(finding, &recipient.party).filter(|earlier| earlier.live).cloned();
                if let Some(earlier) = earlier {
                    let corrected = self.correct(recipient, cluster, finding, earlier, "withdrawn", &mut out);
                    told.set_alert(finding, cluster, &recipient.party, corrected);
                }
            }
        }
        let still_there: BTreeSet<_> = now.iter().map(|person| person.cluster).collect();
        for cluster in before.difference(&still_there) {
            for Served { recipient, .. } in &served {
                if told.listed(*cluster, &recipient.party).is_some() {
                    out.messages.push(self.tombstone(recipient, *cluster));
                    told.set_listed(*cluster, &recipient.party, None);
                }
            }
        }
        out.messages
            .sort_by(|one, other| (&one.recipient, one.kind, &one.id).cmp(&(&other.recipient, other.kind, &other.id)));
        out
    }

    fn recipients(&self) -> impl Iterator<Item = &Recipient> {
        self.agreement.recipients.iter().chain(&self.former)
    }

    fn served(&self) -> Vec<Served<'_>> {
        let place = |recipient: &Recipient| self.agreement.policies.place_of(&recipient.party);
        let served = self.recipients().filter(|recipient| self.may_be_served(recipient)).map(|recipient| {
            let stands_in = |of: &&Recipient| of.conflicts_to.as_ref() == Some(&recipient.party);
            let stands_in_for = self.agreement.recipients.iter().find(stands_in).map(|of| (of, place(of)));
            Served { recipient, place: place(recipient), stands_in_for }
        });
        served.collect()
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

    /// Decides what everybody is told of one person.
    fn decide(&self, person: &Assessed, served: &[Served<'_>], told: &Told) -> Decided {
        let mut decided = Decided::default();
        let around = Around::of(self, person);
        let since = self.as_of.saturating_sub(i64::from(self.rules.alert_days).days());
        // All are looked up before anything is decided: memory is waited for once.
        let rows: SmallVec<[_; 8]> = person.findings.iter().map(|finding| told.of(finding.id)).collect();
        for (finding, row) in person.findings.iter().zip(rows) {
            decided.known.extend(row.map(|_| finding.id));
            // What is too old to be told, and stands with nobody, can be neither told nor corrected.
            if finding.on < since && !row.is_some_and(AlertRow::is_live) {
                continue;
            }
            let ways = self.agreement.policies.decided(Channel::Alert, finding.role, Kinds::from_iter([finding.kind]));
            for one in served {
                let earlier = row.and_then(|row| row.to(&one.recipient.party));
                let own = one.place.map_or(&[][..], |place| &ways[place]);
                // Who may have nothing of the kind, was told nothing and stands in for nobody hears nothing.
                if own.is_empty() && earlier.is_none() && one.stands_in_for.is_none() {
                    continue;
                }
                self.tell_alert(one, &around, finding, (own, &ways), earlier, &mut decided);
            }
        }
        let listed = told.lists_of(person.cluster);
        let ways = person.profiles.iter().map(|profile| {
            let findings: Kinds = profile.findings.keys().copied().collect();
            (profile, self.agreement.policies.decided(Channel::List, profile.role, findings))
        });
        let ways: Vec<_> = ways.collect();
        if ways.is_empty() && listed.is_none() {
            return decided;
        }
        for Served { recipient, place, .. } in served {
            let listed = listed.and_then(|listed| listed.get(&recipient.party)).copied();
            let own = ways.iter().map(|(profile, ways)| (*profile, place.map_or(&[][..], |place| &*ways[place])));
            if listed.is_some() || own.clone().any(|(_, ways)| !ways.is_empty()) {
                self.tell_list(recipient, &around, own, listed, &mut decided);
            }
        }
        decided
    }

    fn tell_alert(
        &self,
        one: &Served<'_>,
        around: &Around<'_>,
        finding: &Finding,
        ways: (&Ways, &Policed),
        earlier: Option<&ToldAlert>,
        decided: &mut Decided,
    ) {
        let (recipient, person) = (one.recipient, around.person);
        let live = earlier.filter(|earlier| earlier.live).cloned();
        let note = |decided: &mut Decided, alert| {
            decided.alerts.push((finding.id, recipient.party.clone(), alert));
        };
        let (grant, mut body) = match self.alert(one, around, finding, ways) {
            Ok(granted) => granted,
            Err(no) => {
                let reason = match no {
                    No::Ungranted => "clause_closed",
                    No::NotInCaseload => "not_in_caseload",
                    No::TooOld | No::CaseClosed => return,
                    No::BothParties | No::BothRoles | No::StaffConflict => {
                        decided.out.hold(no.as_str());
                        "withdrawn"
                    }
                };
                if let Some(earlier) = live {
                    let (cluster, out) = (person.cluster, &mut decided.out);
                    let corrected = self.correct(recipient, cluster, finding.id, earlier, reason, out);
                    note(decided, corrected);
                }
                return;
            }
        };
        let digest = self.digest(recipient, &[body.open(), b"}"]);
        if live.as_ref().is_some_and(|earlier| earlier.digest == digest) {
            return;
        }
        let generation = earlier.map_or(0, |earlier| earlier.generation) + 1;
        if let Some(earlier) = live {
            // What is told anew below stands in its place.
            self.correct(recipient, person.cluster, finding.id, earlier, "changed", &mut decided.out);
        }
        let id = self.alert_id(recipient, finding.id, generation);
        self.sign_off(&mut body, &grant, &id, "alert_id");
        decided.out.messages.push(Message {
            recipient: recipient.party.clone(),
            message_days: recipient.message_days,
            kind: MessageKind::Alert,
            body: Some(body),
            id,
            clause: grant.clause().clone(),
            cluster: person.cluster,
            finding: Some(finding.id),
        });
        note(decided, ToldAlert { generation, live: true, digest, clause: grant.clause().clone() });
    }

    /// Takes an alert back; what is told of it from now on.
    fn correct(
        &self,
        recipient: &Recipient,
        cluster: ClusterId,
        finding: FindingId,
        earlier: ToldAlert,
        reason: &str,
        out: &mut Disclosed,
    ) -> ToldAlert {
        let corrects = self.alert_id(recipient, finding, earlier.generation);
        let id = hex(&self.pseudonym(recipient, &format!("correction/{}", earlier.generation), &finding.0));
        out.messages.push(Message {
            recipient: recipient.party.clone(),
            message_days: recipient.message_days,
            kind: MessageKind::Correction,
            id,
            body: Some(correction(&corrects, reason, &earlier.clause)),
            clause: earlier.clause.clone(),
            cluster,
            finding: Some(finding),
        });
        ToldAlert { live: false, ..earlier }
    }

    fn tell_list<'w>(
        &self,
        recipient: &Recipient,
        around: &Around<'_>,
        ways: impl Iterator<Item = (&'w Profile, &'w Ways)>,
        listed: Option<Digest>,
        decided: &mut Decided,
    ) {
        let cluster = around.person.cluster;
        match self.list_entry(recipient, around, ways) {
            Ok((grant, mut body)) => {
                let id = self.entry_id(recipient, cluster);
                self.sign_off(&mut body, &grant, &id, "entry");
                let digest = self.list_digest(recipient, &id, &body);
                if listed == Some(digest) {
                    return;
                }
                decided.lists.push((recipient.party.clone(), Some(digest)));
                decided.out.messages.push(Message {
                    recipient: recipient.party.clone(),
                    message_days: recipient.message_days,
                    kind: MessageKind::ListEntry,
                    id,
                    body: Some(body),
                    clause: grant.clause().clone(),
                    cluster,
                    finding: None,
                });
            }
            Err(no) => {
                if no.holds() {
                    decided.out.hold(no.as_str());
                }
                if listed.is_some() {
                    decided.lists.push((recipient.party.clone(), None));
                    decided.out.messages.push(self.tombstone(recipient, cluster));
                }
            }
        }
    }

    fn tombstone(&self, recipient: &Recipient, cluster: ClusterId) -> Message {
        Message {
            recipient: recipient.party.clone(),
            message_days: recipient.message_days,
            kind: MessageKind::Tombstone,
            id: self.entry_id(recipient, cluster),
            body: None,
            clause: Text::default(),
            cluster,
            finding: None,
        }
    }

    /// Adds what every message says of itself.
    fn sign_off(&self, body: &mut Body, grant: &Grant, id: &str, id_name: &str) {
        body.add(id_name, id);
        body.add("clause", grant.clause());
        body.add("agreement_version", &self.agreement.version);
        body.add("rules_version", &self.rules.version);
    }

    fn alert_id(&self, recipient: &Recipient, finding: FindingId, generation: u32) -> String {
        alert_id(self.key(recipient), finding, generation)
    }

    fn entry_id(&self, recipient: &Recipient, cluster: ClusterId) -> String {
        hex(&self.pseudonym(recipient, "list", &cluster.0))
    }

    /// As `digest`, and another one each half of a message's life: a message expires, so an entry that stays the same is
    /// sealed again before its last one does. Entries take turns, so that not all are sealed on one day.
    fn list_digest(&self, recipient: &Recipient, id: &str, body: &Body) -> Digest {
        let half_life = u64::from(recipient.message_days / 2).max(1);
        let turn = id.bytes().fold(0, |sum, byte| sum + u64::from(byte)) % half_life;
        let days = self.as_of.duration_since(Date::constant(1970, 1, 1)).as_hours().unsigned_abs() / 24;
        // An entry sealed to another key is another entry: the whole list follows the key.
        let kid = serde_json::to_string(&self.keys.recipient(&recipient.party).map(RecipientKey::kid));
        let turn = format!(r#","sealed_in_turn":{}"#, (days + turn) / half_life);
        let sealed = [turn.as_str(), r#","sealed_to":"#, &kid.expect("a text has a JSON form"), "}"].concat();
        self.digest(recipient, &[body.open(), sealed.as_bytes()])
    }

    /// A keyed digest of a body: the register keeps it, and a plain hash of a name could be guessed.
    fn digest(&self, recipient: &Recipient, body: &[&[u8]]) -> Digest {
        let hash = body.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
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
    fn add(&mut self, other: Self) {
        self.messages.extend(other.messages);
        for (reason, count) in other.held {
            *self.held.entry(reason).or_insert(0) += count;
        }
    }

    fn hold(&mut self, reason: &'static str) {
        *self.held.entry(reason).or_insert(0) += 1;
    }
}

fn hex(bytes: &[u8; 16]) -> String {
    FindingId(*bytes).to_string()
}
