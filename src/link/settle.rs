//! One settlement: compare what is new, find the units it reaches, partition them, tell the difference.
//!
//! What nothing touched is not looked at: a settlement costs what its changes reach, not what the register holds.

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashSet;
use sha2::{Digest, Sha256};

use super::changes::{Settled, Snapshot, differences};
use super::register::{Cluster, Linker, NONE};
use super::reviews::review;
use super::rows;
use super::units::{Region, people, reach};
use super::weigh::{Weight, weigh};
use crate::model::ids::{ClusterId, RecordId};

/// From how many new profiles on it pays to compare on several cores.
const WORTH_SHARING: usize = 64;

pub(super) fn settle(linker: &mut Linker) -> Settled {
    compare(linker);
    let _stage = tracing::trace_span!(target: "stage", "cluster").entered();
    let region = reach(linker);
    let before = snapshot(linker, &region);
    dissolve(linker, &region);
    cluster(linker, &region);
    let mut after = Snapshot::new();
    for &record in region.units.iter().flatten() {
        let cluster = &linker.clusters[linker.records[record].cluster];
        after.entry(cluster.id).or_insert_with(|| cluster.members.clone());
    }
    let removed = std::mem::take(&mut linker.removed);
    let (raised, reviews_withdrawn) = review(linker, &region, &removed);
    Settled {
        reviews_raised: raised.into_iter().filter_map(|(a, b)| linker.possible_match(a, b)).collect(),
        changes: differences(&before, &after, &removed),
        touched_before: before.into_keys().collect(),
        touched_after: after.into_keys().collect(),
        reviews_withdrawn,
        rows: linker.take_rows(),
    }
}

/// The same for a register that was never settled before, where nobody is to be told.
pub(super) fn settle_anew(linker: &mut Linker) {
    compare(linker);
    let region = reach(linker);
    cluster(linker, &region);
    let removed = std::mem::take(&mut linker.removed);
    review(linker, &region, &removed);
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
                unsupported(linker, one);
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
        let touched = found.iter().fold(0, |all, two| all ^ shared.profiles[*two].features.touch());
        std::hint::black_box(touched);
        // Of two fresh profiles the one in the lower slot finds the pair.
        let others = found.iter().filter(|two| one < **two || !is_fresh.contains(two));
        others.filter_map(|&two| edge(one, two)).collect()
    };
    let mut edges: Vec<(u32, u32, i32)> = if fresh.len() < WORTH_SHARING {
        let mut found = Vec::new();
        fresh.iter().flat_map(|one| of_fresh(&mut found, one)).collect()
    } else {
        fresh.par_iter().map_init(Vec::new, of_fresh).flatten_iter().collect()
    };
    edges.extend(pairs.into_iter().filter_map(|(one, two)| edge(one, two)));
    for (one, two, weight) in edges {
        linker.profiles[one].edges.push((two, weight));
        linker.profiles[two].edges.push((one, weight));
        for profile in [one, two] {
            linker.dirty.extend(linker.profiles[profile].records.iter().copied());
        }
        linker.rows.push(rows::edge(linker.profiles[one].key, linker.profiles[two].key, Some(weight)));
    }
}

/// Drops the edges of a profile that no live key supports any more.
fn unsupported(linker: &mut Linker, one: u32) {
    let run = linker.profiles[one].run;
    let edges = linker.profiles[one].edges.clone();
    for (two, _) in edges {
        if linker.postings.share(run, linker.profiles[two].run) {
            continue;
        }
        linker.profiles[one].edges.retain(|(other, _)| *other != two);
        linker.profiles[two].edges.retain(|(other, _)| *other != one);
        for profile in [one, two] {
            linker.dirty.extend(linker.profiles[profile].records.iter().copied());
        }
        linker.rows.push(rows::edge(linker.profiles[one].key, linker.profiles[two].key, None));
    }
}

fn snapshot(linker: &Linker, region: &Region) -> Snapshot {
    // Clusters still list records that were removed since; their slots are gone, but the lists are as they were told.
    let mut before = Snapshot::new();
    for cluster in old_clusters(linker, region) {
        let cluster = &linker.clusters[cluster];
        before.insert(cluster.id, cluster.members.clone());
    }
    before
}

fn old_clusters(linker: &Linker, region: &Region) -> BTreeSet<u32> {
    let held = region.old_units.iter().flat_map(|unit| &linker.units[*unit]);
    let mut clusters: BTreeSet<u32> =
        held.map(|record| linker.records[*record].cluster).filter(|cluster| *cluster != NONE).collect();
    clusters.extend(linker.orphaned.iter().copied());
    clusters
}

fn dissolve(linker: &mut Linker, region: &Region) {
    for cluster in old_clusters(linker, region) {
        let cluster = linker.clusters.remove(cluster);
        linker.cluster_of.remove(&cluster.id);
    }
    linker.orphaned.clear();
    for unit in &region.old_units {
        for record in linker.units.remove(*unit) {
            let record = &mut linker.records[record];
            (record.unit, record.cluster) = (NONE, NONE);
        }
    }
}

/// Partitions the units into persons, each unit by itself.
fn cluster(linker: &mut Linker, region: &Region) {
    let shared: &Linker = linker;
    let part = |unit: &Vec<u32>| match unit.as_slice() {
        [only] => vec![(vec![*only], None)],
        _ => people(shared, unit),
    };
    let parts: Vec<_> = if region.units.len() < WORTH_SHARING {
        region.units.iter().map(part).collect()
    } else {
        region.units.par_iter().map(part).collect()
    };
    for (unit, parts) in region.units.iter().zip(parts) {
        let unit_slot = linker.units.insert(unit.clone());
        for (records, weakest) in parts {
            let earliest =
                records.iter().map(|slot| &linker.records[*slot]).min_by_key(|record| (record.first_seen, record.id));
            let id = cluster_id(earliest.expect("a cluster has a record").id);
            let mut members: Vec<RecordId> = records.iter().map(|slot| linker.records[*slot].id).collect();
            members.sort_unstable();
            let slot = linker.clusters.insert(Cluster { id, members, weakest });
            linker.cluster_of.insert(id, slot);
            for record in records {
                let record = &mut linker.records[record];
                (record.unit, record.cluster) = (unit_slot, slot);
            }
        }
    }
}

/// A cluster's id tells apart from its earliest record's: the two are used in different places.
pub fn cluster_id(earliest: RecordId) -> ClusterId {
    let digest: [u8; 32] =
        Sha256::new().chain_update(b"priorityd/v1/cluster").chain_update(earliest.0).finalize().into();
    ClusterId(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
}
