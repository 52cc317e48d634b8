//! The linker of one scope: records, the profiles of tokens they share, edges between profiles, and clusters.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::Decision;
use super::calibrate::Truth;
use super::changes::{PossibleMatch, Settled};
use super::compare::{Ceiling, Features, Sketch};
use super::index::{Index, References};
use super::model::{Bits, LinkageModel};
use super::pairs::Pairs;
use super::postings::{Postings, Run};
use super::restored::Arrived;
use super::reviews::{Asked, Question, bars_between};
use super::rows::{self, BadRow, Head, ProfileKey};
use super::slab::{Beside, Slab};
use super::units::Unit;
use super::weigh::{self, Comparison, Veto};
use crate::model::arriving::Arriving;
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
    pub(super) edges: SmallVec<[(u32, i32); 2]>,
}

/// What follows from tokens alone.
pub(super) struct Made {
    features: Features,
    sketch: Sketch,
    keys: SmallVec<[u32; 64]>,
    own_weight: i32,
}

impl Made {
    pub(super) fn of(tokens: &PersonTokens, model: &LinkageModel) -> Self {
        let features = Features::pack(tokens, model);
        let mut keys: SmallVec<[u32; 64]> = tokens.blocking.iter().map(|token| (token.0 >> 32) as u32).collect();
        keys.sort_unstable();
        keys.dedup();
        let own_weight = weigh::weigh(model, &features, &features).total;
        Self { sketch: Sketch::of(&features), features, keys, own_weight }
    }
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
    pub(super) ceiling: Ceiling,
    pub(super) records: Slab<Record>,
    pub(super) record_of: Index,
    pub(super) profiles: Slab<Profile>,
    /// Of each profile, in a table of their own: those of many candidates are read for each that is compared.
    pub(super) sketches: Beside<Sketch>,
    pub(super) profile_of: Index,
    pub(super) postings: Postings,
    pub(super) references: References,
    pub(super) pairs: Pairs,
    pub(super) units: Slab<Unit>,
    pub(super) clusters: Slab<Cluster>,
    pub(super) cluster_of: Index,
    /// Possible matches as last told, by record, and how each was put; kept both ways round.
    pub(super) reviews: FxHashMap<RecordId, SmallVec<[(RecordId, Question); 1]>>,
    /// Profiles that were not compared yet.
    pub(super) uncompared: FxHashSet<u32>,
    /// Records whose surroundings changed.
    pub(super) dirty: FxHashSet<u32>,
    /// Records that got or lost an edge too weak to join: only what people are asked about may change by it.
    pub(super) stirred: FxHashSet<u32>,
    /// Units that lost a record.
    pub(super) broken: FxHashSet<u32>,
    /// Clusters that lost a record.
    pub(super) orphaned: FxHashSet<u32>,
    pub(super) removed: BTreeSet<RecordId>,
    pub(super) rows: Vec<RowChange>,
    /// Rows on their way back after a restart, and the edges among them.
    pub(super) arriving: Arriving<Arrived, BadRow>,
    pub(super) arriving_edges: Vec<(ProfileKey, ProfileKey, i32)>,
    keeps_rows: bool,
}

impl Linker {
    /// An empty register under a frozen model.
    #[must_use]
    pub fn new(model: Arc<LinkageModel>) -> Self {
        let postings = Postings::new(model.block_limit);
        Self {
            ceiling: Ceiling::of(&model),
            model,
            records: Slab::new(),
            record_of: Index::new(),
            profiles: Slab::new(),
            sketches: Beside::default(),
            profile_of: Index::new(),
            postings,
            references: References::new(),
            pairs: Pairs::default(),
            units: Slab::new(),
            clusters: Slab::new(),
            cluster_of: Index::new(),
            reviews: FxHashMap::default(),
            uncompared: FxHashSet::default(),
            dirty: FxHashSet::default(),
            stirred: FxHashSet::default(),
            broken: FxHashSet::default(),
            orphaned: FxHashSet::default(),
            removed: BTreeSet::new(),
            rows: Vec::new(),
            arriving: Arriving::default(),
            arriving_edges: Vec::new(),
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
                + if profile.edges.spilled() { profile.edges.capacity() * size_of::<(u32, i32)>() } else { 0 }
        });
        let several = |members: &SmallVec<[RecordId; 1]>| if members.spilled() { members.capacity() } else { 0 };
        let clusters = self.clusters.held().map(|cluster| several(&cluster.members) * size_of::<RecordId>());
        let units = self.units.held().map(|unit| {
            let records = if unit.records.spilled() { unit.records.capacity() * 4 } else { 0 };
            records + unit.weights.as_ref().map_or(0, |weights| weights.bytes())
        });
        let asked = |others: &SmallVec<[(RecordId, Question); 1]>| {
            if others.spilled() { others.capacity() * size_of::<(RecordId, Question)>() } else { 0 }
        };
        let maps = self.record_of.bytes() + self.profile_of.bytes() + self.references.bytes() + self.cluster_of.bytes();
        let slabs = self.records.bytes() + self.profiles.bytes() + self.units.bytes() + self.clusters.bytes();
        slabs
            + self.sketches.bytes()
            + maps
            + self.postings.bytes()
            + self.pairs.bytes()
            + self.reviews.capacity() * (size_of::<(RecordId, SmallVec<[(RecordId, Question); 1]>)>() + 1)
            + self.reviews.values().map(asked).sum::<usize>()
            + profiles.chain(clusters).chain(units).sum::<usize>()
    }

    /// Fits the model to the records taken in so far, which makes them an epoch of their own: for a finished table, before
    /// the first settlement. Never for a running register.
    pub fn calibrate(&mut self) {
        self.postings.post();
        self.model = Arc::new(super::calibrate::fit(self, &Truth::default(), true));
        self.ceiling = Ceiling::of(&self.model);
        for profile in self.profiles.held_mut() {
            profile.own_weight = weigh::weigh(&self.model, &profile.features, &profile.features).total;
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
    pub fn insert(&mut self, record: RecordId, agency: PartyId, local_ref: LocalRefId, tokens: &PersonTokens) {
        if self.holds(record) {
            return;
        }
        let (row, key) = rows::record(record, &Head { agency, local_ref }, tokens);
        if self.keeps_rows {
            self.rows.push(row);
        }
        let profile = self.profile(key, tokens);
        self.place(record, local_ref, profile);
    }

    /// Lets a record go: an erased or corrected identity.
    pub fn remove(&mut self, record: RecordId) {
        let Some(slot) = self.slot_of(record) else { return };
        self.mark_around(slot);
        self.record_of.remove(&record.0, slot);
        let held = self.records.remove(slot);
        self.dirty.remove(&slot);
        self.stirred.remove(&slot);
        if held.unit != NONE {
            let unit = &mut self.units[held.unit];
            unit.records.retain(|member| *member != slot);
            // The slot of its profile may be another's soon.
            unit.weights = None;
            self.broken.insert(held.unit);
            self.orphaned.insert(held.cluster);
            self.removed.insert(record);
        }
        self.references.remove(slot, held.local_ref, |slot| self.records[slot].local_ref);
        let profile = &mut self.profiles[held.profile];
        profile.records.retain(|other| *other != slot);
        if profile.records.is_empty() {
            self.drop_profile(held.profile);
        }
        self.rows.push(rows::record_gone(record));
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

    /// The cluster that holds a record, as of the last settlement.
    #[must_use]
    pub fn cluster_of(&self, record: RecordId) -> Option<ClusterId> {
        let cluster = self.records[self.slot_of(record)?].cluster;
        (cluster != NONE).then(|| self.clusters[cluster].id)
    }

    /// The cluster of each of many records. Of a big register none of it is near the processor: step by step for all of them,
    /// so that within a step nothing depends on what was read just before, and memory is waited for side by side.
    #[must_use]
    pub fn clusters_of(&self, records: &[RecordId]) -> Vec<Option<ClusterId>> {
        let likely: Vec<_> = records.iter().map(|record| self.record_of.likely(&record.0)).collect();
        let cluster = |(record, likely): (&RecordId, Option<u32>)| {
            let slot = likely.filter(|slot| self.records[*slot].id == *record).or_else(|| self.slot_of(*record));
            slot.map_or(NONE, |slot| self.records[slot].cluster)
        };
        let clusters: Vec<u32> = records.iter().zip(likely).map(cluster).collect();
        clusters.into_iter().map(|cluster| (cluster != NONE).then(|| self.clusters[cluster].id)).collect()
    }

    /// A cluster's records, sorted; none if there is no such cluster.
    #[must_use]
    pub fn members(&self, cluster: ClusterId) -> &[RecordId] {
        self.cluster_slot(cluster).map_or(&[], |slot| &self.clusters[slot].members)
    }

    /// The lowest weight at which the cluster was joined; `None` for a single record or an unknown cluster.
    #[must_use]
    pub fn confidence(&self, cluster: ClusterId) -> Option<Bits> {
        self.clusters[self.cluster_slot(cluster)?].weakest.map(Bits)
    }

    /// All clusters, in no particular order.
    pub fn clusters(&self) -> impl Iterator<Item = (ClusterId, &[RecordId])> + '_ {
        self.clusters.held().map(|cluster| (cluster.id, cluster.members.as_slice()))
    }

    /// How many records are held.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.records.count()
    }

    /// Every pair of records that was compared and reached the review bar, with its weight; references aside.
    pub fn scored_pairs(&self) -> impl Iterator<Item = (RecordId, RecordId, Bits)> + '_ {
        let id = |slot: &u32| self.records[*slot].id;
        self.profiles.slots().flat_map(move |(slot, profile)| {
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
        Some(self.compare_slots(self.slot_of(a)?, self.slot_of(b)?))
    }

    fn compare_slots(&self, slot: u32, other: u32) -> Comparison {
        let (one, two) = (&self.records[slot], &self.records[other]);
        let (first, second) = (&self.profiles[one.profile].features, &self.profiles[two.profile].features);
        let mut comparison = weigh::explain(&self.model, first, second, self.share_reference(slot, other));
        if self.pairs.is_forbidden(one.id, two.id) {
            comparison.vetoes.push(Veto::Parties);
        }
        if self.pairs.decision(one.id, two.id) == Some(Decision::Different) {
            comparison.vetoes.push(Veto::Decided);
        }
        comparison
    }

    /// Is the record in the register?
    #[must_use]
    pub fn holds(&self, record: RecordId) -> bool {
        self.slot_of(record).is_some()
    }

    pub(super) fn slot_of(&self, record: RecordId) -> Option<u32> {
        self.record_of.get(&record.0, |slot| self.records[slot].id.0)
    }

    pub(super) fn profile_slot(&self, key: &ProfileKey) -> Option<u32> {
        self.profile_of.get(key, |slot| self.profiles[slot].key)
    }

    /// The one record that has a reference, where only one has.
    pub(super) fn lone(&self, reference: LocalRefId) -> Option<u32> {
        self.references.lone(reference, |slot| self.records[slot].local_ref)
    }

    fn cluster_slot(&self, cluster: ClusterId) -> Option<u32> {
        self.cluster_of.get(&cluster.0, |slot| self.clusters[slot].id.0)
    }

    /// Every record, in no order.
    pub fn record_ids(&self) -> impl Iterator<Item = RecordId> {
        self.records.held().map(|record| record.id)
    }

    /// Every row that the register has, by kind and id.
    #[must_use]
    pub fn row_ids(&self) -> Vec<(RowKind, Vec<u8>)> {
        let records = self.record_ids().map(rows::record_gone);
        let edges = self.profiles.held().flat_map(|one| {
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

    /// The same for one that was just found.
    pub(super) fn asked_about(&self, Asked { slots: (slot, other), question, .. }: Asked) -> PossibleMatch {
        let (a, b) = (self.records[slot].id, self.records[other].id);
        PossibleMatch { a, b, comparison: self.compare_slots(slot, other), bars: question.vetoes() }
    }

    /// Records that share the agency's reference with this one. A reference that everybody shares is none.
    pub(super) fn same_reference(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let record = &self.records[slot];
        let sharing = if record.shares_reference { self.references.sharing(record.local_ref) } else { &[] };
        let telling = if sharing.len() <= self.model.block_limit { sharing } else { &[] };
        telling.iter().copied().filter(move |other| *other != slot)
    }

    pub(super) fn share_reference(&self, one: u32, two: u32) -> bool {
        self.records[one].local_ref == self.records[two].local_ref && self.same_reference(one).any(|other| other == two)
    }

    /// Where a record stands among these, which are in order of id.
    pub(super) fn among(&self, slots: &[u32], record: RecordId) -> Option<usize> {
        slots.binary_search_by_key(&record, |slot| self.records[*slot].id).ok()
    }

    /// Is there a constraint or a decision between two of these records, which are in order of id?
    pub(super) fn any_settled_within(&self, slots: &[u32]) -> bool {
        let settled = |slot: &u32| {
            let id = self.records[*slot].id;
            let mut others = self.pairs.never(id).chain(self.pairs.same_as(id));
            others.any(|other| self.among(slots, other).is_some())
        };
        slots.len() > 1 && slots.iter().any(settled)
    }

    /// Marks those whose surroundings a record changes by coming or going; neighbours by edges are marked with the edges.
    fn mark_around(&mut self, slot: u32) {
        let record = &self.records[slot];
        let sharing = if record.shares_reference { self.references.sharing(record.local_ref) } else { &[] };
        let alike = &self.profiles[record.profile].records;
        let decided = self.pairs.same_as(record.id).filter_map(|other| self.slot_of(other));
        let around: SmallVec<[u32; 8]> = sharing.iter().chain(alike).copied().chain(decided).collect();
        self.dirty.extend(around);
    }

    /// Marks those of whose profile an edge of that weight came or went. One below the bar joins nothing, and a partition
    /// asks for the weights of all pairs, edge or none.
    pub(super) fn mark_edge(&mut self, profile: u32, weight: i32) {
        let records = self.profiles[profile].records.iter().copied();
        if weight >= self.model.link { self.dirty.extend(records) } else { self.stirred.extend(records) }
    }

    /// Rows that changed since the last settlement.
    pub fn take_rows(&mut self) -> Vec<RowChange> {
        let rows = std::mem::take(&mut self.rows);
        if self.keeps_rows { rows } else { Vec::new() }
    }

    fn mark(&mut self, record: RecordId) {
        if let Some(slot) = self.slot_of(record) {
            self.dirty.insert(slot);
        }
    }

    /// The profile of these tokens, which is made if nobody has it yet.
    pub(super) fn profile(&mut self, key: ProfileKey, tokens: &PersonTokens) -> u32 {
        if let Some(profile) = self.profile_slot(&key) {
            return profile;
        }
        let slot = self.keep(key, Made::of(tokens, &self.model));
        self.uncompared.insert(slot);
        slot
    }

    pub(super) fn keep(&mut self, key: ProfileKey, Made { features, sketch, keys, own_weight }: Made) -> u32 {
        let (records, edges) = (SmallVec::new(), SmallVec::new());
        let profile = Profile { key, features, run: Run::default(), own_weight, records, edges };
        let slot = self.profiles.insert(profile);
        self.sketches.put(slot, sketch);
        self.profiles[slot].run = self.postings.insert(slot, &keys);
        self.profile_of.insert(slot, |slot| self.profiles[slot].key);
        slot
    }

    pub(super) fn place(&mut self, id: RecordId, local_ref: LocalRefId, profile: u32) {
        let slot = self.hold(id, local_ref, profile);
        self.dirty.insert(slot);
        self.mark_around(slot);
        // A record that comes back before anybody was told that it left did not leave.
        self.removed.remove(&id);
    }

    /// A record and its place in every table; what it means for others is the caller's to see to.
    pub(super) fn hold(&mut self, id: RecordId, local_ref: LocalRefId, profile: u32) -> u32 {
        let (unit, cluster) = (NONE, NONE);
        let record = Record { id, local_ref, shares_reference: false, profile, unit, cluster };
        let slot = self.records.insert(record);
        let sharing = self.references.insert(slot, |slot| self.records[slot].local_ref);
        if !sharing.is_empty() {
            for other in sharing.iter().chain([&slot]) {
                self.records[*other].shares_reference = true;
            }
        }
        self.record_of.insert(slot, |slot| self.records[slot].id.0);
        self.profiles[profile].records.push(slot);
        slot
    }

    fn drop_profile(&mut self, slot: u32) {
        let profile = self.profiles.remove(slot);
        self.sketches.put(slot, Sketch::default());
        self.postings.remove(slot, profile.run);
        self.profile_of.remove(&profile.key, slot);
        self.uncompared.remove(&slot);
        for (other, weight) in profile.edges {
            self.rows.push(rows::edge(profile.key, self.profiles[other].key, None));
            self.profiles[other].edges.retain(|(neighbour, _)| *neighbour != slot);
            self.mark_edge(other, weight);
        }
    }
}
