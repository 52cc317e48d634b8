//! What each recipient was told, so that they hear each thing once and hear again when it changes (I3, I6).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::body::Body;
use super::decide::{Message, MessageKind};
use crate::keys::output::OutputKey;
use crate::model::ids::{ClusterId, FindingId, PartyId, hex};
use crate::model::register::{RowChange, RowKind, row_value};
use crate::model::text::Text;

/// Room for nearly every row.
const ROW_BYTES: usize = 192;

/// A digest of what was said; compared, never shown.
pub type Digest = [u8; 16];

/// One recipient's alert about one finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldAlert {
    /// How often it was raised; part of the alert's id, so that one raised again is a new alert.
    pub generation: u32,
    /// Raised and not corrected since.
    pub live: bool,
    /// Of the body as last said.
    pub digest: Digest,
    /// The clause it was told under.
    pub clause: Text,
}

/// What is noted for each recipient, by name. Few recipients are told any one thing: a list takes a tenth of a tree's room.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByParty<T>(Vec<(PartyId, T)>);

impl<T> Default for ByParty<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByParty<T> {
    /// What is noted for one.
    #[must_use]
    pub fn get(&self, party: &PartyId) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == party).map(|(_, noted)| noted)
    }

    fn insert(&mut self, party: &PartyId, noted: T) {
        match self.0.binary_search_by(|(known, _)| known.cmp(party)) {
            Ok(at) => self.0[at].1 = noted,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (party.clone(), noted));
            }
        }
    }

    fn remove(&mut self, party: &PartyId) {
        self.0.retain(|(known, _)| known != party);
    }
}

/// One finding as it was told.
#[derive(Default, Serialize, Deserialize)]
pub struct AlertRow {
    /// The linked person it was last about.
    cluster: ClusterId,
    to: ByParty<ToldAlert>,
}

impl AlertRow {
    /// What one recipient was told.
    #[must_use]
    pub fn to(&self, recipient: &PartyId) -> Option<&ToldAlert> {
        self.to.get(recipient)
    }

    /// Does it stand with anybody?
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.to.0.iter().any(|(_, told)| told.live)
    }
}

/// What all recipients of one scope were told.
#[derive(Default)]
pub struct Told {
    alerts: FxHashMap<FindingId, AlertRow>,
    /// Each list sorted.
    by_cluster: FxHashMap<ClusterId, SmallVec<[FindingId; 1]>>,
    lists: FxHashMap<ClusterId, ByParty<Digest>>,
    changed_alerts: BTreeSet<FindingId>,
    changed_lists: BTreeSet<ClusterId>,
}

impl Told {
    /// Findings that anybody was told about these people.
    #[must_use]
    pub fn findings_of(&self, clusters: impl IntoIterator<Item = ClusterId>) -> BTreeSet<FindingId> {
        clusters.into_iter().filter_map(|cluster| self.by_cluster.get(&cluster)).flatten().copied().collect()
    }

    /// What anybody was ever told of a finding.
    #[must_use]
    pub fn of(&self, finding: FindingId) -> Option<&AlertRow> {
        self.alerts.get(&finding)
    }

    /// What anybody's list says of a person.
    #[must_use]
    pub fn lists_of(&self, cluster: ClusterId) -> Option<&ByParty<Digest>> {
        self.lists.get(&cluster)
    }

    /// What one recipient was told of a finding.
    #[must_use]
    pub fn alert(&self, finding: FindingId, recipient: &PartyId) -> Option<&ToldAlert> {
        self.alerts.get(&finding)?.to.get(recipient)
    }

    /// The linked person that a finding was last about.
    #[must_use]
    pub fn cluster_of(&self, finding: FindingId) -> Option<ClusterId> {
        self.alerts.get(&finding).map(|row| row.cluster)
    }

    /// Findings that a recipient was ever told of, whom each is about, and how often it was raised.
    pub fn alerts_to<'a>(&'a self, recipient: &'a PartyId) -> impl Iterator<Item = (FindingId, ClusterId, u32)> + 'a {
        let told = |row: &AlertRow| row.to.get(recipient).map(|told| told.generation);
        self.alerts.iter().filter_map(move |(finding, row)| Some((*finding, row.cluster, told(row)?)))
    }

    /// Notes what one recipient was told of a finding, and whom it is about now.
    pub fn set_alert(&mut self, finding: FindingId, cluster: ClusterId, recipient: &PartyId, told: ToldAlert) {
        self.alerts.entry(finding).or_default().to.insert(recipient, told);
        self.move_alert(finding, cluster);
        self.changed_alerts.insert(finding);
    }

    /// Notes that a finding, if anybody was told, is about another cluster now.
    pub fn move_alert(&mut self, finding: FindingId, cluster: ClusterId) {
        let Some(row) = self.alerts.get_mut(&finding) else { return };
        let before = std::mem::replace(&mut row.cluster, cluster);
        if before != cluster {
            self.changed_alerts.insert(finding);
            self.unlink(before, finding);
        }
        self.link(cluster, finding);
    }

    fn link(&mut self, cluster: ClusterId, finding: FindingId) {
        let findings = self.by_cluster.entry(cluster).or_default();
        if let Err(at) = findings.binary_search(&finding) {
            findings.insert(at, finding);
        }
    }

    fn unlink(&mut self, cluster: ClusterId, finding: FindingId) {
        if let Entry::Occupied(mut findings) = self.by_cluster.entry(cluster) {
            findings.get_mut().retain(|other| *other != finding);
            if findings.get().is_empty() {
                findings.remove();
            }
        }
    }

    /// What one recipient's list says of a person.
    #[must_use]
    pub fn listed(&self, cluster: ClusterId, recipient: &PartyId) -> Option<Digest> {
        self.lists.get(&cluster)?.get(recipient).copied()
    }

    /// Everybody about whom anybody was told anything.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterId> {
        self.lists.keys().chain(self.by_cluster.keys()).copied()
    }

    /// Everybody who was told anything.
    #[must_use]
    pub fn parties(&self) -> BTreeSet<PartyId> {
        let lists = self.lists.values().flat_map(|row| row.0.iter().map(|(party, _)| party));
        let alerts = self.alerts.values().flat_map(|row| row.to.0.iter().map(|(party, _)| party));
        lists.chain(alerts).cloned().collect()
    }

    /// Notes what one recipient's list says of a person, or that it says nothing any more.
    pub fn set_listed(&mut self, cluster: ClusterId, recipient: &PartyId, digest: Option<Digest>) {
        let row = self.lists.entry(cluster).or_default();
        match digest {
            Some(digest) => row.insert(recipient, digest),
            None => row.remove(recipient),
        }
        if row.0.is_empty() {
            self.lists.remove(&cluster);
        }
        self.changed_lists.insert(cluster);
    }

    /// Forgets findings that cannot come again, where everybody who was told of them was told that they fell away.
    pub fn forget(&mut self, findings: &BTreeSet<FindingId>) {
        for finding in findings {
            let Some(row) = self.alerts.get(finding).filter(|row| !row.is_live()) else { continue };
            self.unlink(row.cluster, *finding);
            self.alerts.remove(finding);
            self.changed_alerts.insert(*finding);
        }
    }

    /// Of each recipient, what its list says now: a digest for each entry, sorted.
    #[must_use]
    pub fn lists(&self) -> BTreeMap<&PartyId, Vec<Digest>> {
        let mut lists: BTreeMap<_, Vec<Digest>> = BTreeMap::new();
        for (recipient, digest) in self.lists.values().flat_map(|row| &row.0) {
            lists.entry(recipient).or_default().push(*digest);
        }
        lists.values_mut().for_each(|list| list.sort_unstable());
        lists
    }

    /// Whom a recipient's list names, and which of its alerts stand.
    fn standing(&self, recipient: &PartyId) -> (Vec<ClusterId>, Vec<(FindingId, ClusterId, ToldAlert)>) {
        let listed = self.lists.iter().filter(|(_, row)| row.get(recipient).is_some()).map(|(cluster, _)| *cluster);
        let alerts = self.alerts.iter().filter_map(|(finding, row)| {
            let told = row.to.get(recipient).filter(|told| told.live)?;
            Some((*finding, row.cluster, told.clone()))
        });
        let (mut listed, mut alerts): (Vec<_>, Vec<_>) = (listed.collect(), alerts.collect());
        listed.sort_unstable();
        alerts.sort_unstable_by_key(|(finding, ..)| *finding);
        (listed, alerts)
    }

    /// Rows changed since the last call, alerts first, each by id.
    pub fn take_changes(&mut self) -> Vec<RowChange> {
        let alerts = std::mem::take(&mut self.changed_alerts).into_iter().map(|id| RowChange {
            kind: RowKind::Alerted,
            id: id.0.to_vec(),
            value: self.alerts.get(&id).map(|row| row_value(row, ROW_BYTES)),
        });
        let lists = std::mem::take(&mut self.changed_lists).into_iter().map(|id| RowChange {
            kind: RowKind::Listed,
            id: id.0.to_vec(),
            value: self.lists.get(&id).map(|row| row_value(row, ROW_BYTES)),
        });
        alerts.chain(lists).collect()
    }

    /// Takes a row back in after a restart; `None` when it is not one of ours.
    pub fn restore(&mut self, kind: RowKind, id: &[u8], value: &[u8]) -> Option<()> {
        let id: [u8; 16] = id.try_into().ok()?;
        if kind == RowKind::Alerted {
            let row: AlertRow = postcard::from_bytes(value).ok()?;
            self.link(row.cluster, FindingId(id));
            self.alerts.insert(FindingId(id), row);
        } else {
            self.lists.insert(ClusterId(id), postcard::from_bytes(value).ok()?);
        }
        Some(())
    }
}

/// The id of an alert as its recipient has it.
#[must_use]
pub fn alert_id(key: &OutputKey, finding: FindingId, generation: u32) -> String {
    hex(&key.pseudonym(&format!("alert/{generation}"), &finding.0))
}

/// Takes back all that a recipient was told, under the pseudonyms of an earlier key: its list ends, its alerts are
/// corrected. What still holds is told anew at the next opportunity.
pub fn take_back(told: &mut Told, recipient: &PartyId, message_days: u32, earlier: &OutputKey) -> Vec<Message> {
    let name = |label: &str, id: &[u8; 16]| hex(&earlier.pseudonym(label, id));
    let (listed, alerts) = told.standing(recipient);
    let mut messages = Vec::new();
    for cluster in listed {
        told.set_listed(cluster, recipient, None);
        messages.push(Message {
            recipient: recipient.clone(),
            kind: MessageKind::Tombstone,
            id: name("list", &cluster.0),
            body: None,
            clause: Text::default(),
            cluster,
            finding: None,
            message_days,
        });
    }
    for (finding, cluster, alert) in alerts {
        let corrects = alert_id(earlier, finding, alert.generation);
        let body = correction(&corrects, "changed", &alert.clause);
        messages.push(Message {
            recipient: recipient.clone(),
            kind: MessageKind::Correction,
            id: name(&format!("correction/{}", alert.generation), &finding.0),
            body: Some(body),
            clause: alert.clause.clone(),
            cluster,
            finding: Some(finding),
            message_days,
        });
        told.set_alert(finding, cluster, recipient, ToldAlert { live: false, ..alert });
    }
    messages
}

/// What a correction says.
pub(super) fn correction(corrects: &str, reason: &str, clause: &str) -> Body {
    let mut body = Body::default();
    body.add("corrects", corrects);
    body.add("reason", reason);
    body.add("clause", clause);
    body
}
