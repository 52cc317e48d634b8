//! One settlement: compare what is new, find the units it reaches, partition them, tell the difference.
//!
//! What nothing touched is not looked at: a settlement costs what its changes reach, not what the register holds.

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashSet;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::changes::{Settled, Snapshot, differences};
use super::register::{Cluster, Linker, NONE};
use super::reviews::{review, slots};
use super::rows;
use super::units::{Person, Region, Unit, all, people, reach};
use super::weigh::{Weight, weigh};
use super::weights::Weights;
use crate::model::ids::{ClusterId, RecordId};

/// From how many new profiles on it pays to compare on several cores.
const WORTH_SHARING: usize = 64;

/// Nearly nobody has more candidates, those met under several keys counted for each.
const ROOM: usize = 1024;

pub(super) fn settle(linker: &mut Linker) -> Settled {
    compare(linker);
    let _stage = tracing::trace_span!(target: "stage", "cluster").entered();
    let region = if linker.units.count() == 0 { all(linker) } else { reach(linker) };
    let mut parts = partition(linker, &region);
    let before = replace(linker, &region, &mut parts);
    let people = parts.iter().flat_map(|parted| &parted.people).filter(|placed| placed.standing.is_none());
    let members = |placed: &Placed| {
        let cluster = linker.records[placed.person.records[0]].cluster;
        (placed.id, linker.clusters[cluster].members.to_vec())
    };
    let after: Snapshot = people.map(members).collect();
    let removed = std::mem::take(&mut linker.removed);
    let people = restless(linker, &region, &parts);
    let (raised, reviews_withdrawn) = review(linker, &people, &removed);
    Settled {
        reviews_raised: raised.into_iter().map(|asked| linker.asked_about(asked)).collect(),
        changes: differences(&before, &after, &removed),
        touched_before: before.into_keys().collect(),
        touched_after: after.into_keys().collect(),
        reviews_withdrawn,
        rows: linker.take_rows(),
    }
}

/// The same for a register that came back with its edges and was not settled since, where nobody is to be told.
pub(super) fn settle_anew(linker: &mut Linker) {
    let region = all(linker);
    let mut parts = partition(linker, &region);
    replace(linker, &region, &mut parts);
    let people = restless(linker, &region, &parts);
    review(linker, &people, &BTreeSet::new());
    drop(linker.take_rows());
}

/// Brings edges up to date with profiles and live keys: exactly the pairs that share a live key, are not vetoed by what
/// they are, and reach the review bar.
fn compare(linker: &mut Linker) {
    let _stage = tracing::trace_span!(target: "stage", "candidates").entered();
    linker.postings.post();
    let mut fresh: Vec<u32> = std::mem::take(&mut linker.uncompared).into_iter().collect();
    fresh.sort_unstable();
    let is_fresh: FxHashSet<u32> = fresh.iter().copied().collect();
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for crossed in linker.postings.take_crossed() {
        for (at, &one) in crossed.profiles.iter().enumerate() {
            if crossed.live {
                // Pairs with a fresh profile are found below.
                let others = crossed.profiles[at + 1..].iter().filter(|two| !is_fresh.contains(two));
                if !is_fresh.contains(&one) {
                    pairs.extend(others.map(|two| (one.min(*two), one.max(*two))));
                }
            } else {
                unsupported(linker, one, &crossed.profiles);
            }
        }
    }
    pairs.retain(|(one, two)| linker.profiles[*one].edges.iter().all(|(other, _)| other != two));
    pairs.sort_unstable();
    pairs.dedup();

    let shared: &Linker = linker;
    let edge = |one: u32, two: u32| -> Option<(u32, u32, i32)> {
        let Weight { total, different_numbers, twins, .. } =
            weigh(&shared.model, &shared.profiles[one].features, &shared.profiles[two].features);
        (total >= shared.model.review && !different_numbers && !twins).then_some((one, two, total))
    };
    let of_fresh = |found: &mut Vec<u32>, &one: &u32| -> Vec<(u32, u32, i32)> {
        {
            let _stage = tracing::trace_span!(target: "stage", "candidates").entered();
            shared.postings.candidates(one, shared.profiles[one].run, found);
        }
        let _stage = tracing::trace_span!(target: "stage", "compare").entered();
        let sketches = &shared.sketches;
        std::hint::black_box(found.iter().fold(0, |all, two| all ^ sketches[*two].touch()));
        let (mine, bar) = (&sketches[one], shared.model.review);
        found.retain(|two| {
            // Of two fresh profiles the one in the lower slot finds the pair.
            (one < *two || !is_fresh.contains(two))
                && shared.ceiling.most(&shared.model, bar, mine, &sketches[*two]) >= bar
        });
        std::hint::black_box(found.iter().fold(0, |all, two| all ^ shared.profiles[*two].features.touch()));
        found.iter().filter_map(|&two| edge(one, two)).collect()
    };
    let mut edges: Vec<(u32, u32, i32)> = if fresh.len() < WORTH_SHARING {
        let mut found = Vec::with_capacity(ROOM);
        fresh.iter().flat_map(|one| of_fresh(&mut found, one)).collect()
    } else {
        fresh.par_iter().map_init(|| Vec::with_capacity(ROOM), of_fresh).flatten_iter().collect()
    };
    edges.extend(pairs.into_iter().filter_map(|(one, two)| edge(one, two)));
    for (one, two, weight) in edges {
        linker.profiles[one].edges.push((two, weight));
        linker.profiles[two].edges.push((one, weight));
        linker.mark_edge(one, weight);
        linker.mark_edge(two, weight);
        linker.rows.push(rows::edge(linker.profiles[one].key, linker.profiles[two].key, Some(weight)));
    }
}

/// Drops the edges of a profile that no live key supports any more. Only those with whom it shares the key that blocks no
/// longer are looked at.
fn unsupported(linker: &mut Linker, one: u32, sharing: &[u32]) {
    let run = linker.profiles[one].run;
    let edges = linker.profiles[one].edges.iter().copied();
    // Each edge is met from both ends.
    let edges: SmallVec<[(u32, i32); 8]> = edges.filter(|(two, _)| one < *two && sharing.contains(two)).collect();
    for (two, weight) in edges {
        if linker.postings.share(run, linker.profiles[two].run) {
            continue;
        }
        linker.profiles[one].edges.retain(|(other, _)| *other != two);
        linker.profiles[two].edges.retain(|(other, _)| *other != one);
        linker.mark_edge(one, weight);
        linker.mark_edge(two, weight);
        linker.rows.push(rows::edge(linker.profiles[one].key, linker.profiles[two].key, None));
    }
}

/// A person, and the cluster that is just this person already, if there is one.
struct Placed {
    person: Person,
    id: ClusterId,
    standing: Option<u32>,
}

/// A unit partitioned into persons.
struct Parted {
    people: Vec<Placed>,
    weights: Option<Box<Weights>>,
}

/// Partitions the units, each by itself.
fn partition(linker: &Linker, region: &Region) -> Vec<Parted> {
    let part = |unit: &SmallVec<[u32; 4]>| {
        let (people, weights) = people(linker, unit);
        let placed = |person: Person| {
            let id = cluster_id(first_by_id(linker, &person));
            Placed { standing: standing(linker, &person, id), person, id }
        };
        Parted { people: people.into_iter().map(placed).collect(), weights }
    };
    if region.units.len() < WORTH_SHARING {
        region.units.iter().map(part).collect()
    } else {
        region.units.par_iter().map(part).collect()
    }
}

/// The cluster of these records and no other, under the same id and as sure.
fn standing(linker: &Linker, person: &Person, id: ClusterId) -> Option<u32> {
    let cluster = linker.records[person.records[0]].cluster;
    let all_there = cluster != NONE && person.records.iter().all(|slot| linker.records[*slot].cluster == cluster);
    let same = |cluster: &Cluster| {
        // Members that were removed are members until it is settled.
        cluster.members.len() == person.records.len() && cluster.weakest == person.weakest && cluster.id == id
    };
    (all_there && same(&linker.clusters[cluster])).then_some(cluster)
}

fn first_by_id(linker: &Linker, person: &Person) -> RecordId {
    person.records.iter().map(|slot| linker.records[*slot].id).min().expect("a person has a record")
}

/// People about whom questions may have changed: their records, or what is around these.
fn restless(linker: &mut Linker, region: &Region, parts: &[Parted]) -> Vec<SmallVec<[u32; 4]>> {
    let stirred = std::mem::take(&mut linker.stirred);
    let mut seen: FxHashSet<u32> = FxHashSet::default();
    let mut restless = Vec::new();
    for Placed { person, standing, .. } in parts.iter().flat_map(|parted| &parted.people) {
        let changed = |slot: &u32| region.changed.contains(slot) || stirred.contains(slot);
        if standing.is_none() || person.records.iter().any(changed) {
            seen.insert(linker.records[person.records[0]].cluster);
            restless.push(person.records.clone());
        }
    }
    for record in stirred {
        let cluster = linker.records[record].cluster;
        if seen.insert(cluster) {
            restless.push(slots(linker, cluster));
        }
    }
    restless
}

/// Puts the new units and persons in the place of the old. What stands as it did is left alone; the rest comes back as it
/// was.
fn replace(linker: &mut Linker, region: &Region, parts: &mut [Parted]) -> Snapshot {
    let standing: FxHashSet<u32> =
        parts.iter().flat_map(|parted| &parted.people).filter_map(|placed| placed.standing).collect();
    let mut old_clusters: BTreeSet<u32> = std::mem::take(&mut linker.orphaned).into_iter().collect();
    for unit in &region.old_units {
        let clusters = linker.units.remove(*unit).records.into_iter().map(|record| linker.records[record].cluster);
        old_clusters.extend(clusters.filter(|cluster| *cluster != NONE));
    }
    let mut before = Snapshot::new();
    for cluster in old_clusters.into_iter().filter(|cluster| !standing.contains(cluster)) {
        // Clusters still list records that were removed since, as they were told.
        let Cluster { id, members, .. } = linker.clusters.remove(cluster);
        linker.cluster_of.remove(&id.0, cluster);
        before.insert(id, members.to_vec());
    }
    for (unit, Parted { people, weights }) in region.units.iter().zip(parts) {
        let unit_slot = linker.units.insert(Unit { records: unit.clone(), weights: weights.take() });
        for Placed { person, id, standing } in &*people {
            let slot = standing.unwrap_or_else(|| {
                let mut members: SmallVec<[RecordId; 1]> =
                    person.records.iter().map(|slot| linker.records[*slot].id).collect();
                members.sort_unstable();
                let slot = linker.clusters.insert(Cluster { id: *id, members, weakest: person.weakest });
                linker.cluster_of.insert(slot, |slot| linker.clusters[slot].id.0);
                slot
            });
            for record in &person.records {
                let record = &mut linker.records[*record];
                (record.unit, record.cluster) = (unit_slot, slot);
            }
        }
    }
    before
}

/// A cluster's id tells apart from its earliest record's: the two are used in different places.
pub fn cluster_id(earliest: RecordId) -> ClusterId {
    let digest: [u8; 32] =
        Sha256::new().chain_update(b"priorityd/v1/cluster").chain_update(earliest.0).finalize().into();
    ClusterId(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
}
