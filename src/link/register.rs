//! The linker of one scope: records, the profiles of tokens they share, edges between profiles, and clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::Decision;
use super::calibrate::Truth;
use super::changes::{PossibleMatch, Settled, Snapshot, differences};
use super::compare::Features;
use super::index::{Index, References};
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
struct Made {
    features: Features,
    keys: SmallVec<[u32; 32]>,
    own_weight: i32,
}

impl Made {
    fn of(tokens: &PersonTokens, model: &LinkageModel) -> Self {
        let features = Features::pack(tokens, model);
        let mut keys: SmallVec<[u32; 32]> = tokens.blocking.iter().map(|token| (token.0 >> 32) as u32).collect();
        keys.sort_unstable();
        keys.dedup();
        let own_weight = weigh::weigh(model, &features, &features).total;
        Self { features, keys, own_weight }
    }
}

/// Rows of records that came back and were not read yet, end to end: many are read side by side.
#[derive(Default)]
struct Arriving {
    bytes: Vec<u8>,
    /// Where each begins, where its id ends, and where it ends.
    rows: Vec<(usize, usize, usize)>,
}

/// How many rows are read at a time.
const ARRIVING: usize = 4096;

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
    pub(super) record_of: Index,
    pub(super) profiles: Slab<Profile>,
    pub(super) profile_of: Index,
    pub(super) postings: Postings,
    pub(super) references: References,
    pub(super) pairs: Pairs,
    pub(super) units: Slab<Unit>,
    pub(super) clusters: Slab<Cluster>,
    pub(super) cluster_of: Index,
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
    arriving: Arriving,
    restored_edges: Vec<(ProfileKey, ProfileKey, i32)>,
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
            record_of: Index::new(),
            profiles: Slab::new(),
            profile_of: Index::new(),
            postings,
            references: References::new(),
            pairs: Pairs::default(),
            units: Slab::new(),
            clusters: Slab::new(),
            cluster_of: Index::new(),
            reviews: FxHashMap::default(),
            questions: FxHashMap::default(),
            uncompared: FxHashSet::default(),
            dirty: FxHashSet::default(),
            broken: FxHashSet::default(),
            orphaned: FxHashSet::default(),
            removed: BTreeSet::new(),
            rows: Vec::new(),
            arriving: Arriving::default(),
            restored_edges: Vec::new(),
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
        let maps = self.record_of.bytes() + self.profile_of.bytes() + self.references.bytes() + self.cluster_of.bytes();
        let slabs = self.records.bytes() + self.profiles.bytes() + self.units.bytes() + self.clusters.bytes();
        slabs + maps + self.postings.bytes() + profiles.chain(clusters).chain(units).sum::<usize>()
    }

    /// Fits the model to the records taken in so far, which makes them an epoch of their own: for a finished table, before
    /// the first settlement. Never for a running register.
    pub fn calibrate(&mut self) {
        self.postings.post();
        self.model = Arc::new(super::calibrate::fit(self, &Truth::default(), true));
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
    pub fn insert(&mut self, record: RecordId, agency: PartyId, local_ref: LocalRefId, tokens: PersonTokens) {
        if self.holds(record) {
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
        let Some(slot) = self.slot_of(record) else { return };
        self.mark_around(slot);
        self.record_of.remove(&record.0, slot);
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

    /// Derives the clusters of a register that came back from its rows. Nothing of it is news to anybody.
    ///
    /// # Errors
    /// When one of the rows cannot be read.
    pub fn settle_restored(&mut self) -> Result<(), BadRow> {
        self.read_arriving()?;
        self.take_restored_edges();
        // Keys that crossed the limit on the way in did so before the edges were written.
        self.postings.post();
        drop(self.postings.take_crossed());
        super::settle::settle_anew(self);
        Ok(())
    }

    /// The cluster that holds a record, as of the last settlement.
    #[must_use]
    pub fn cluster_of(&self, record: RecordId) -> Option<ClusterId> {
        let cluster = self.records[self.slot_of(record)?].cluster;
        (cluster != NONE).then(|| self.clusters[cluster].id)
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
        let (slot, other) = (self.slot_of(a)?, self.slot_of(b)?);
        let (one, two) = (&self.records[slot], &self.records[other]);
        let (first, second) = (&self.profiles[one.profile].features, &self.profiles[two.profile].features);
        let mut comparison = weigh::explain(&self.model, first, second, self.share_reference(slot, other));
        if self.pairs.is_forbidden(a, b) {
            comparison.vetoes.push(Veto::Parties);
        }
        if self.pairs.decision(a, b) == Some(Decision::Different) {
            comparison.vetoes.push(Veto::Decided);
        }
        Some(comparison)
    }

    /// Takes a row back, in any order of rows. Call [`Linker::settle_restored`] after the last one.
    ///
    /// # Errors
    /// When it cannot be read, or one before it.
    pub fn restore(&mut self, kind: RowKind, id: &[u8], value: &[u8]) -> Result<(), BadRow> {
        if kind == RowKind::Record {
            let Arriving { bytes, rows } = &mut self.arriving;
            let start = bytes.len();
            bytes.extend_from_slice(id);
            bytes.extend_from_slice(value);
            rows.push((start, start + id.len(), bytes.len()));
            return if rows.len() < ARRIVING { Ok(()) } else { self.read_arriving() };
        }
        match rows::read(kind, id, value)? {
            Row::Edge(one, two, weight) => self.restored_edges.push((one, two, weight)),
            Row::Decision(one, two, decision) => {
                self.pairs.decide(one, two, Some(decision));
            }
        }
        Ok(())
    }

    /// Reads the rows that wait, on all cores. Edges come as rows, so nothing of them is to be compared.
    fn read_arriving(&mut self) -> Result<(), BadRow> {
        let Arriving { bytes, rows } = std::mem::take(&mut self.arriving);
        let model = &self.model;
        let read = |(start, middle, end): &(usize, usize, usize)| {
            let row = rows::read_record(&bytes[*start..*middle], &bytes[*middle..*end])?;
            Ok((row.record, row.local_ref, row.key, Made::of(&row.tokens, model)))
        };
        let read: Vec<_> = rows.par_iter().map(read).collect::<Result<_, BadRow>>()?;
        for (record, local_ref, key, made) in read {
            if !self.holds(record) {
                let profile = self.profile_slot(&key).unwrap_or_else(|| self.keep(key, made));
                self.hold(record, local_ref, profile);
            }
        }
        self.postings.post_many();
        Ok(())
    }

    /// Takes a row of a register that another model made: its edges count no more and their rows go; records are compared
    /// again. Settle with [`Linker::relink`] after the last row.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn take_over(&mut self, kind: RowKind, id: &[u8], value: &[u8]) -> Result<(), BadRow> {
        if kind == RowKind::Record {
            let row = rows::read_record(id, value)?;
            if !self.holds(row.record) {
                let profile = self.profile(row.key, &row.tokens);
                self.place(row.record, row.local_ref, profile);
            }
            return Ok(());
        }
        match rows::read(kind, id, value)? {
            Row::Edge(one, two, _) => self.rows.push(rows::edge(one, two, None)),
            Row::Decision(one, two, decision) => {
                self.pairs.decide(one, two, Some(decision));
            }
        }
        Ok(())
    }

    /// Settles what was taken over and tells how it differs from `former`, which holds the same records under the model
    /// that made the rows.
    ///
    /// # Errors
    /// When one of the former's rows cannot be read.
    pub fn relink(&mut self, mut former: Self) -> Result<Settled, BadRow> {
        former.settle_restored()?;
        let before = former.snapshot();
        let asked = former.asked();
        drop(former);
        let settled = self.settle();
        let after = self.snapshot();
        // An edge that is there again is news of its weight, not of its end.
        let rows: BTreeMap<_, _> = settled.rows.into_iter().map(|row| ((row.kind, row.id), row.value)).collect();
        Ok(Settled {
            changes: differences(&before, &after, &BTreeSet::new()),
            touched_before: before.into_keys().collect(),
            touched_after: after.into_keys().collect(),
            // Everything is asked again: what it weighs is another.
            reviews_withdrawn: asked.into_iter().collect(),
            rows: rows.into_iter().map(|((kind, id), value)| RowChange { kind, id, value }).collect(),
            ..settled
        })
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
        self.slot_of(record).is_some()
    }

    pub(super) fn slot_of(&self, record: RecordId) -> Option<u32> {
        self.record_of.get(&record.0, |slot| self.records[slot].id.0)
    }

    fn profile_slot(&self, key: &ProfileKey) -> Option<u32> {
        self.profile_of.get(key, |slot| self.profiles[slot].key)
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

    /// Is there a constraint or a decision between two of these records?
    pub(super) fn any_settled_within(&self, slots: &[u32]) -> bool {
        let settled = |slot: &u32| {
            let id = self.records[*slot].id;
            let others = self.pairs.never(id).chain(self.pairs.same_as(id));
            others.filter_map(|other| self.slot_of(other)).any(|other| slots.contains(&other))
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

    fn keep(&mut self, key: ProfileKey, Made { features, keys, own_weight }: Made) -> u32 {
        let (records, edges) = (SmallVec::new(), SmallVec::new());
        let profile = Profile { key, features, run: Run::default(), own_weight, records, edges };
        let slot = self.profiles.insert(profile);
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
    fn hold(&mut self, id: RecordId, local_ref: LocalRefId, profile: u32) -> u32 {
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
        self.postings.remove(slot, profile.run);
        self.profile_of.remove(&profile.key, slot);
        self.uncompared.remove(&slot);
        for (other, _) in profile.edges {
            self.rows.push(rows::edge(profile.key, self.profiles[other].key, None));
            self.profiles[other].edges.retain(|(neighbour, _)| *neighbour != slot);
            self.dirty.extend(self.profiles[other].records.iter().copied());
        }
    }

    /// After a restore: what the rows say need not be compared again.
    fn take_restored_edges(&mut self) {
        let edges = std::mem::take(&mut self.restored_edges);
        // A row of a profile that is no more is left over from nothing: edges leave in the same transaction.
        let place = |(one, two, weight): &(ProfileKey, ProfileKey, i32)| {
            let (one, two) = (self.profile_slot(one)?, self.profile_slot(two)?);
            Some([(one, (two, *weight)), (two, (one, *weight))])
        };
        let mut ends: Vec<(u32, (u32, i32))> = edges.par_iter().filter_map(place).flatten_iter().collect();
        drop(edges);
        ends.par_sort_unstable();
        for of_one in ends.chunk_by(|one, other| one.0 == other.0) {
            self.profiles[of_one[0].0].edges.extend(of_one.iter().map(|(_, edge)| *edge));
        }
    }
}
