//! The linker of one scope: records, the profiles of tokens they share, edges between profiles, and clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::Decision;
use super::calibrate::Truth;
use super::changes::{PossibleMatch, Settled, Snapshot, differences};
use super::compare::Features;
use super::model::{Bits, LinkageModel};
use super::pairs::Pairs;
use super::postings::{Postings, Run};
use super::reviews::{Question, bars_between};
use super::rows::{self, BadRow, Head, ProfileKey, Row};
use super::slab::Slab;
use super::units::Unit;
use super::weigh::{self, Comparison, Veto};
use crate::model::ids::{ClusterId, LocalRefId, PartyId, RecordId};
use crate::model::register::{RowChange, RowKind};
use crate::model::tokens::PersonTokens;

/// A slot that nobody holds.
pub(super) const NONE: u32 = u32::MAX;

/// One record.
pub(super) struct Record {
    pub(super) id: RecordId,
    pub(super) local_ref: LocalRefId,
    pub(super) profile: u32,
    pub(super) unit: u32,
    pub(super) cluster: u32,
    pub(super) first_seen: i64,
    /// Did any other record ever have the same reference? Saves looking for those of nearly everybody.
    pub(super) shares_reference: bool,
}

/// Distinct tokens, compared once for all records that have them.
pub(super) struct Profile {
    pub(super) key: ProfileKey,
    pub(super) features: Features,
    pub(super) run: Run,
    /// Evidence that two records with just these tokens are one person.
    pub(super) own_weight: i32,
    pub(super) records: SmallVec<[u32; 2]>,
    /// Profiles with which the evidence reaches the review bar, and how much it is.
    pub(super) edges: Vec<(u32, i32)>,
}

/// One linked person.
pub(super) struct Cluster {
    pub(super) id: ClusterId,
    pub(super) members: SmallVec<[RecordId; 1]>,
    pub(super) weakest: Option<i32>,
}

/// Links the records of one scope.
///
/// Changes are taken in at once and take effect at the next [`Linker::settle`], which compares, clusters and tells what
/// changed. In between, clusters are those of the last settlement.
pub struct Linker {
    pub(super) model: Arc<LinkageModel>,
    pub(super) records: Slab<Record>,
    pub(super) record_of: FxHashMap<RecordId, u32>,
    pub(super) profiles: Slab<Profile>,
    pub(super) profile_of: FxHashMap<ProfileKey, u32>,
    pub(super) postings: Postings,
    pub(super) local_refs: FxHashMap<LocalRefId, SmallVec<[u32; 2]>>,
    pub(super) pairs: Pairs,
    pub(super) units: Slab<Unit>,
    pub(super) clusters: Slab<Cluster>,
    pub(super) cluster_of: FxHashMap<ClusterId, u32>,
    /// Possible matches as last told, by record; kept both ways round.
    pub(super) reviews: FxHashMap<RecordId, SmallVec<[RecordId; 1]>>,
    /// How each of them was put, the smaller id first.
    pub(super) questions: FxHashMap<(RecordId, RecordId), Question>,
    /// Profiles that were not compared yet.
    pub(super) uncompared: FxHashSet<u32>,
    /// Records whose surroundings changed.
    pub(super) dirty: FxHashSet<u32>,
    /// Units that lost a record.
    pub(super) broken: FxHashSet<u32>,
    /// Clusters that lost a record.
    pub(super) orphaned: FxHashSet<u32>,
    pub(super) removed: BTreeSet<RecordId>,
    pub(super) rows: Vec<RowChange>,
    restored_edges: Vec<(ProfileKey, ProfileKey, i32)>,
    restoring: bool,
    keeps_rows: bool,
}

impl Linker {
    /// An empty register under a frozen model.
    #[must_use]
    pub fn new(model: Arc<LinkageModel>) -> Self {
        let postings = Postings::new(model.block_limit);
        Self {
            model,
            records: Slab::new(),
            record_of: FxHashMap::default(),
            profiles: Slab::new(),
            profile_of: FxHashMap::default(),
            postings,
            local_refs: FxHashMap::default(),
            pairs: Pairs::default(),
            units: Slab::new(),
            clusters: Slab::new(),
            cluster_of: FxHashMap::default(),
            reviews: FxHashMap::default(),
            questions: FxHashMap::default(),
            uncompared: FxHashSet::default(),
            dirty: FxHashSet::default(),
            broken: FxHashSet::default(),
            orphaned: FxHashSet::default(),
            removed: BTreeSet::new(),
            rows: Vec::new(),
            restored_edges: Vec::new(),
            restoring: false,
            keeps_rows: true,
        }
    }

    /// The same for a table that is linked once: no rows are written.
    #[must_use]
    pub fn ephemeral(model: Arc<LinkageModel>) -> Self {
        Self { keeps_rows: false, ..Self::new(model) }
    }

    /// Roughly how many bytes the register takes, index included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let profiles = self.profiles.held().map(|profile| {
            let records = if profile.records.spilled() { profile.records.capacity() * 4 } else { 0 };
            profile.features.bytes() - size_of::<Features>()
                + records
                + profile.edges.capacity() * size_of::<(u32, i32)>()
        });
        let several = |members: &SmallVec<[RecordId; 1]>| if members.spilled() { members.capacity() } else { 0 };
        let clusters = self.clusters.held().map(|cluster| several(&cluster.members) * size_of::<RecordId>());
        let units = self.units.held().map(|unit| {
            let records = if unit.records.spilled() { unit.records.capacity() * 4 } else { 0 };
            records + unit.weights.as_ref().map_or(0, |weights| weights.bytes())
        });
        let maps = self.record_of.capacity() * (size_of::<(RecordId, u32)>() + 1)
            + self.profile_of.capacity() * (size_of::<(ProfileKey, u32)>() + 1)
            + self.local_refs.capacity() * (size_of::<(LocalRefId, SmallVec<[u32; 2]>)>() + 1)
            + self.cluster_of.capacity() * (size_of::<(ClusterId, u32)>() + 1);
        let slabs = self.records.bytes() + self.profiles.bytes() + self.units.bytes() + self.clusters.bytes();
        slabs + maps + self.postings.bytes() + profiles.chain(clusters).chain(units).sum::<usize>()
    }

    /// Fits the model to the records taken in so far, which makes them an epoch of their own: for a finished table, before
    /// the first settlement. Never for a running register.
    pub fn calibrate(&mut self) {
        self.postings.post();
        self.model = Arc::new(super::calibrate::fit(self, &Truth::default(), true));
        for slot in self.profile_of.values() {
            let features = &self.profiles[*slot].features;
            let own_weight = weigh::weigh(&self.model, features, features).total;
            self.profiles[*slot].own_weight = own_weight;
        }
    }

    /// A model trained on the records taken in so far and not settled: rates, and odds before evidence. Homes and relatives
    /// count as before, since a model outlives the records it was trained on.
    #[must_use]
    pub fn train(&mut self, truth: &Truth) -> LinkageModel {
        self.postings.post();
        super::calibrate::fit(self, truth, false)
    }

    /// The model in force.
    #[must_use]
    pub fn model(&self) -> &LinkageModel {
        &self.model
    }

    /// Takes a record in. A record that is held already stays as it is: its id stands for its content.
    pub fn insert(&mut self, record: RecordId, agency: PartyId, local_ref: LocalRefId, tokens: PersonTokens) {
        if self.record_of.contains_key(&record) {
            return;
        }
        let written = rows::tokens(&tokens);
        if self.keeps_rows {
            self.rows.push(rows::record(record, &Head { agency, local_ref }, &written));
        }
        let profile = self.profile(rows::profile_key(&written), &tokens);
        self.place(record, local_ref, profile);
    }

    /// Lets a record go: an erased or corrected identity.
    pub fn remove(&mut self, record: RecordId) {
        let Some(slot) = self.record_of.remove(&record) else { return };
        self.mark_around(slot);
        let held = self.records.remove(slot);
        self.dirty.remove(&slot);
        if held.unit != NONE {
            let unit = &mut self.units[held.unit];
            unit.records.retain(|member| *member != slot);
            // The slot of its profile may be another's soon.
            unit.weights = None;
            self.broken.insert(held.unit);
            self.orphaned.insert(held.cluster);
            self.removed.insert(record);
        }
        if let Some(sharing) = self.local_refs.get_mut(&held.local_ref) {
            sharing.retain(|other| *other != slot);
            if sharing.is_empty() {
                self.local_refs.remove(&held.local_ref);
            }
        }
        let profile = &mut self.profiles[held.profile];
        profile.records.retain(|other| *other != slot);
        if profile.records.is_empty() {
            self.drop_profile(held.profile);
        }
        self.rows.push(rows::record_gone(record));
    }

    /// Says when a record was first seen, in any unit: a cluster's id comes from its earliest record, ties and records
    /// never told going by record id. The caller's to keep; not in the rows.
    pub fn seen(&mut self, record: RecordId, at: i64) {
        let Some(&slot) = self.record_of.get(&record) else { return };
        if self.records[slot].first_seen != at {
            self.records[slot].first_seen = at;
            self.dirty.insert(slot);
        }
    }

    /// The two are opposing parties of one more event: they are two persons.
    pub fn forbid(&mut self, a: RecordId, b: RecordId) {
        if a != b {
            self.pairs.forbid(a, b);
            self.mark(a);
            self.mark(b);
        }
    }

    /// One event fewer says so.
    pub fn allow(&mut self, a: RecordId, b: RecordId) {
        self.pairs.allow(a, b);
        self.mark(a);
        self.mark(b);
    }

    /// A person decided about two records, or took the decision back.
    pub fn decide(&mut self, a: RecordId, b: RecordId, decision: Option<Decision>) {
        if a != b && self.pairs.decide(a, b, decision) {
            self.rows.push(rows::decision(a, b, decision));
            self.mark(a);
            self.mark(b);
        }
    }

    /// Compares what is new, clusters what it touched, and tells what changed.
    pub fn settle(&mut self) -> Settled {
        super::settle::settle(self)
    }

    /// Derives the clusters of a register that came back from its rows. Nothing of it is news to anybody.
    pub fn settle_restored(&mut self) {
        self.take_restored_edges();
        super::settle::settle_anew(self);
    }

    /// The cluster that holds a record, as of the last settlement.
    #[must_use]
    pub fn cluster_of(&self, record: RecordId) -> Option<ClusterId> {
        let slot = self.record_of.get(&record)?;
        let cluster = self.records[*slot].cluster;
        (cluster != NONE).then(|| self.clusters[cluster].id)
    }

    /// A cluster's records, sorted; none if there is no such cluster.
    #[must_use]
    pub fn members(&self, cluster: ClusterId) -> &[RecordId] {
        self.cluster_of.get(&cluster).map_or(&[], |slot| &self.clusters[*slot].members)
    }

    /// The lowest weight at which the cluster was joined; `None` for a single record or an unknown cluster.
    #[must_use]
    pub fn confidence(&self, cluster: ClusterId) -> Option<Bits> {
        let slot = self.cluster_of.get(&cluster)?;
        self.clusters[*slot].weakest.map(Bits)
    }

    /// All clusters, in no particular order.
    pub fn clusters(&self) -> impl Iterator<Item = (ClusterId, &[RecordId])> + '_ {
        self.cluster_of.iter().map(|(id, slot)| (*id, self.clusters[*slot].members.as_slice()))
    }

    /// How many records are held.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.record_of.len()
    }

    /// Every pair of records that was compared and reached the review bar, with its weight; references aside.
    pub fn scored_pairs(&self) -> impl Iterator<Item = (RecordId, RecordId, Bits)> + '_ {
        let id = |slot: &u32| self.records[*slot].id;
        self.profile_of.values().flat_map(move |&slot| {
            let profile = &self.profiles[slot];
            let own = profile.records.iter().enumerate().flat_map(move |(at, one)| {
                profile.records[at + 1..].iter().map(move |two| (id(one), id(two), Bits(profile.own_weight)))
            });
            let others = profile.edges.iter().filter(move |(other, _)| slot < *other);
            let across = others.flat_map(move |(other, weight)| {
                let theirs = &self.profiles[*other].records;
                profile
                    .records
                    .iter()
                    .flat_map(move |one| theirs.iter().map(move |two| (id(one), id(two), Bits(*weight))))
            });
            own.chain(across)
        })
    }

    /// Compares two held records in full.
    #[must_use]
    pub fn compare(&self, a: RecordId, b: RecordId) -> Option<Comparison> {
        let (one, two) = (&self.records[*self.record_of.get(&a)?], &self.records[*self.record_of.get(&b)?]);
        let (first, second) = (&self.profiles[one.profile].features, &self.profiles[two.profile].features);
        let mut comparison =
            weigh::explain(&self.model, first, second, self.share_reference(self.record_of[&a], self.record_of[&b]));
        if self.pairs.is_forbidden(a, b) {
            comparison.vetoes.push(Veto::Parties);
        }
        if self.pairs.decision(a, b) == Some(Decision::Different) {
            comparison.vetoes.push(Veto::Decided);
        }
        Some(comparison)
    }

    /// Takes a row back, in any order of rows. Call [`Linker::settle_restored`] after the last one.
    pub fn restore(&mut self, kind: RowKind, id: &[u8], value: &[u8]) -> Result<(), BadRow> {
        match rows::read(kind, id, value)? {
            Row::Record(record, row) => {
                if !self.record_of.contains_key(&record) {
                    let profile = self.profile(row.key, &row.tokens);
                    self.place(record, row.local_ref, profile);
                    // Its edges come as rows; there is nothing to compare again.
                    self.uncompared.remove(&profile);
                    self.restoring = true;
                }
            }
            Row::Edge(one, two, weight) => self.restored_edges.push((one, two, weight)),
            Row::Decision(one, two, decision) => {
                self.pairs.decide(one, two, Some(decision));
            }
        }
        Ok(())
    }

    /// Takes a row of a register that another model made: its edges count no more and their rows go; records are compared
    /// again. Settle with [`Linker::relink`] after the last row.
    pub fn take_over(&mut self, kind: RowKind, id: &[u8], value: &[u8]) -> Result<(), BadRow> {
        match rows::read(kind, id, value)? {
            Row::Record(record, row) => {
                if !self.record_of.contains_key(&record) {
                    let profile = self.profile(row.key, &row.tokens);
                    self.place(record, row.local_ref, profile);
                }
            }
            Row::Edge(one, two, _) => self.rows.push(rows::edge(one, two, None)),
            Row::Decision(one, two, decision) => {
                self.pairs.decide(one, two, Some(decision));
            }
        }
        Ok(())
    }

    /// Settles what was taken over and tells how it differs from `former`, which holds the same records under the model
    /// that made the rows.
    pub fn relink(&mut self, mut former: Self) -> Settled {
        former.settle_restored();
        let before = former.snapshot();
        let asked = former.asked();
        drop(former);
        let settled = self.settle();
        let after = self.snapshot();
        // An edge that is there again is news of its weight, not of its end.
        let rows: BTreeMap<_, _> = settled.rows.into_iter().map(|row| ((row.kind, row.id), row.value)).collect();
        Settled {
            changes: differences(&before, &after, &BTreeSet::new()),
            touched_before: before.into_keys().collect(),
            touched_after: after.into_keys().collect(),
            // Everything is asked again: what it weighs is another.
            reviews_withdrawn: asked.into_iter().collect(),
            rows: rows.into_iter().map(|((kind, id), value)| RowChange { kind, id, value }).collect(),
            ..settled
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.clusters().map(|(id, members)| (id, members.to_vec())).collect()
    }

    fn asked(&self) -> BTreeSet<(RecordId, RecordId)> {
        self.questions.keys().copied().collect()
    }

    /// What changed for people when this register took the place of `former`, which holds the same records under another
    /// key: only those are touched whose people differ.
    pub fn in_place_of(&mut self, former: &Self) -> Settled {
        let rows = self.take_rows();
        let (before, after) = (former.snapshot(), self.snapshot());
        let only = |one: &Snapshot, other: &Snapshot| {
            one.iter().filter(|(id, members)| other.get(*id) != Some(*members)).map(|(id, _)| *id).collect()
        };
        let new = |one: &Self, other: &Self| -> BTreeSet<(RecordId, RecordId)> {
            let questions = one.questions.iter();
            questions
                .filter(|(pair, question)| other.questions.get(pair) != Some(question))
                .map(|(pair, _)| *pair)
                .collect()
        };
        let raised = new(self, former).into_iter().filter_map(|(a, b)| self.possible_match(a, b));
        Settled {
            changes: differences(&before, &after, &BTreeSet::new()),
            touched_before: only(&before, &after),
            touched_after: only(&after, &before),
            reviews_raised: raised.collect(),
            reviews_withdrawn: new(former, self).into_iter().collect(),
            rows,
        }
    }

    /// Is the record in the register?
    #[must_use]
    pub fn holds(&self, record: RecordId) -> bool {
        self.record_of.contains_key(&record)
    }

    /// Every record, in no order.
    pub fn record_ids(&self) -> impl Iterator<Item = RecordId> {
        self.record_of.keys().copied()
    }

    /// Every row that the register has, by kind and id.
    #[must_use]
    pub fn row_ids(&self) -> Vec<(RowKind, Vec<u8>)> {
        let records = self.record_of.keys().map(|record| rows::record_gone(*record));
        let profiles = self.profile_of.values().map(|slot| &self.profiles[*slot]);
        let edges = profiles.flat_map(|one| {
            let others = one.edges.iter().map(|(other, _)| &self.profiles[*other].key);
            others.filter(|other| one.key < **other).map(|other| rows::edge(one.key, *other, None))
        });
        let decisions = self.pairs.all_decided().map(|(a, b)| rows::decision(a, b, None));
        records.chain(edges).chain(decisions).map(|row| (row.kind, row.id)).collect()
    }

    /// Possible matches that stand, each once.
    pub fn possible_matches(&self) -> Vec<PossibleMatch> {
        self.asked().into_iter().filter_map(|(a, b)| self.possible_match(a, b)).collect()
    }

    pub(super) fn possible_match(&self, a: RecordId, b: RecordId) -> Option<PossibleMatch> {
        let bars = bars_between(self, a, b);
        self.compare(a, b).map(|comparison| PossibleMatch { a, b, comparison, bars })
    }

    /// Records that share the agency's reference with this one. A reference that everybody shares is none.
    pub(super) fn same_reference(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let record = &self.records[slot];
        let sharing = record.shares_reference.then(|| self.local_refs.get(&record.local_ref)).flatten();
        let sharing = sharing.map_or(&[][..], |sharing| sharing.as_slice());
        let telling = if sharing.len() <= self.model.block_limit { sharing } else { &[] };
        telling.iter().copied().filter(move |other| *other != slot)
    }

    pub(super) fn share_reference(&self, one: u32, two: u32) -> bool {
        self.records[one].local_ref == self.records[two].local_ref && self.same_reference(one).any(|other| other == two)
    }

    /// Is there a constraint or a decision between two of these records?
    pub(super) fn any_settled_within(&self, slots: &[u32]) -> bool {
        let settled = |slot: &u32| {
            let id = self.records[*slot].id;
            let others = self.pairs.never(id).chain(self.pairs.same_as(id));
            others.filter_map(|other| self.record_of.get(&other)).any(|other| slots.contains(other))
        };
        slots.len() > 1 && slots.iter().any(settled)
    }

    /// Marks those whose surroundings a record changes by coming or going; neighbours by edges are marked with the edges.
    fn mark_around(&mut self, slot: u32) {
        let record = &self.records[slot];
        let sharing = record.shares_reference.then(|| self.local_refs.get(&record.local_ref)).flatten();
        let sharing = sharing.into_iter().flatten();
        let alike = &self.profiles[record.profile].records;
        let decided = self.pairs.same_as(record.id).filter_map(|other| self.record_of.get(&other));
        let around: Vec<u32> = sharing.chain(alike).chain(decided).copied().collect();
        self.dirty.extend(around);
    }

    /// Rows that changed since the last settlement.
    pub fn take_rows(&mut self) -> Vec<RowChange> {
        let rows = std::mem::take(&mut self.rows);
        if self.keeps_rows { rows } else { Vec::new() }
    }

    fn mark(&mut self, record: RecordId) {
        if let Some(slot) = self.record_of.get(&record) {
            self.dirty.insert(*slot);
        }
    }

    /// The profile of these tokens, which is made if nobody has it yet.
    pub(super) fn profile(&mut self, key: ProfileKey, tokens: &PersonTokens) -> u32 {
        if let Some(profile) = self.profile_of.get(&key) {
            return *profile;
        }
        let features = Features::pack(tokens, &self.model);
        let mut keys: SmallVec<[u32; 32]> = tokens.blocking.iter().map(|token| (token.0 >> 32) as u32).collect();
        keys.sort_unstable();
        keys.dedup();
        let own_weight = weigh::weigh(&self.model, &features, &features).total;
        let profile =
            Profile { key, features, run: Run::default(), own_weight, records: SmallVec::new(), edges: Vec::new() };
        let slot = self.profiles.insert(profile);
        self.profiles[slot].run = self.postings.insert(slot, &keys);
        self.profile_of.insert(key, slot);
        self.uncompared.insert(slot);
        slot
    }

    pub(super) fn place(&mut self, id: RecordId, local_ref: LocalRefId, profile: u32) {
        let sharing = self.local_refs.entry(local_ref).or_default();
        let shares_reference = !sharing.is_empty();
        let (unit, cluster, first_seen) = (NONE, NONE, i64::MAX);
        let slot = self.records.insert(Record { id, local_ref, shares_reference, profile, unit, cluster, first_seen });
        for other in sharing.iter() {
            self.records[*other].shares_reference = true;
        }
        sharing.push(slot);
        self.record_of.insert(id, slot);
        self.profiles[profile].records.push(slot);
        self.dirty.insert(slot);
        self.mark_around(slot);
        // A record that comes back before anybody was told that it left did not leave.
        self.removed.remove(&id);
    }

    fn drop_profile(&mut self, slot: u32) {
        let profile = self.profiles.remove(slot);
        self.postings.remove(slot, profile.run);
        self.profile_of.remove(&profile.key);
        self.uncompared.remove(&slot);
        for (other, _) in profile.edges {
            self.rows.push(rows::edge(profile.key, self.profiles[other].key, None));
            self.profiles[other].edges.retain(|(neighbour, _)| *neighbour != slot);
            self.dirty.extend(self.profiles[other].records.iter().copied());
        }
    }

    /// After a restore: what the rows say need not be compared again.
    fn take_restored_edges(&mut self) {
        for (one, two, weight) in std::mem::take(&mut self.restored_edges) {
            // A row of a profile that is no more is left over from nothing: edges leave in the same transaction.
            let (Some(&one), Some(&two)) = (self.profile_of.get(&one), self.profile_of.get(&two)) else { continue };
            self.profiles[one].edges.push((two, weight));
            self.profiles[two].edges.push((one, weight));
        }
        if std::mem::take(&mut self.restoring) {
            // Keys that crossed the limit on the way in did so before the edges were written.
            self.postings.post();
            drop(self.postings.take_crossed());
        }
    }
}
