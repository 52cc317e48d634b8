//! What a demonstration came to: counts, the digest of all lists, and how well the links match the city's truth.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Service;
use crate::model::finding::FindingKind;
use crate::model::ids::{ClusterId, PartyId, RecordId, hex};
use crate::model::outcome::OutcomeCounts;
use crate::pipeline::Engine;
use crate::simulate::{City, Play};

/// The whole, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) events: OutcomeCounts,
    /// People of the city whom any agency named.
    pub(super) people: usize,
    pub(super) records: usize,
    pub(super) clusters: usize,
    pub(super) findings: BTreeMap<&'static str, usize>,
    pub(super) messages: BTreeMap<PartyId, Messages>,
    pub(super) list_digest: String,
    pub(super) linkage: Linkage,
    pub(super) seconds: f64,
}

/// Messages that one recipient opened.
#[derive(Debug, Serialize)]
pub(super) struct Messages {
    pub(super) alerts: u64,
    pub(super) corrections: u64,
    /// Entries of the list as it stands.
    pub(super) list: usize,
}

/// Quality over pairs of records, against the city's truth.
#[derive(Debug, Serialize)]
pub(super) struct Linkage {
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) f1: f64,
    /// Clusters that hold two people of one household.
    pub(super) household_merges: usize,
}

impl Summary {
    pub(super) fn of(engines: &[Engine], services: &[Service], play: &Play, city: &City, took: Duration) -> Self {
        let mut events = OutcomeCounts::default();
        for counts in engines.iter().flat_map(|engine| engine.counters().values()) {
            events.read += counts.read;
            events.accepted += counts.accepted;
            events.rejected += counts.rejected;
            events.duplicate += counts.duplicate;
            events.superseded += counts.superseded;
        }
        let mut findings: BTreeMap<_, _> = FindingKind::ALL.iter().map(|kind| (kind.as_str(), 0)).collect();
        let assessed = engines.iter().flat_map(|engine| engine.assess_everybody(city.end).into_values().flatten());
        let assessed: Vec<_> = assessed.collect();
        for finding in assessed.iter().flat_map(|person| &person.findings) {
            *findings.entry(finding.kind.as_str()).or_insert(0) += 1;
        }
        let truth = true_people(engines, play, city);
        let people: BTreeSet<_> = truth.values().map(|(_, person)| person).collect();
        let messages = services.iter().map(|service| {
            let (alerts, corrections, list) = (service.alerts, service.corrections, service.list.len());
            (service.party.clone(), Messages { alerts, corrections, list })
        });
        Self {
            events,
            people: people.len(),
            records: truth.len(),
            clusters: assessed.len(),
            findings,
            messages: messages.collect(),
            list_digest: list_digest(services),
            linkage: Linkage::of(&truth, &play.truth.households),
            seconds: took.as_secs_f64(),
        }
    }
}

/// SHA-256 over the opened lists of all recipients in canonical JSON: objects by key, entries by pseudonym.
fn list_digest(services: &[Service]) -> String {
    let lists: BTreeMap<_, BTreeMap<&str, &Value>> = services
        .iter()
        .map(|service| {
            (service.party.as_str(), service.list.iter().map(|(entry, data)| (entry.as_str(), data)).collect())
        })
        .collect();
    let canonical = serde_json::to_vec(&lists).expect("lists have a JSON form");
    hex(&Sha256::digest(canonical))
}

/// Which linked person and which true person each record of an event in force is.
fn true_people(engines: &[Engine], play: &Play, city: &City) -> BTreeMap<RecordId, (ClusterId, u32)> {
    let mut truth = BTreeMap::new();
    for event in &play.truth.events {
        let found = |engine: &Engine| engine.participants(&city.scope, &event.source(), &event.id);
        let Some(participants) = engines.iter().find_map(found) else { continue };
        for ((record, cluster), person) in participants.into_iter().zip(&event.persons) {
            truth.insert(record, (cluster, *person));
        }
    }
    truth
}

impl Linkage {
    fn of(truth: &BTreeMap<RecordId, (ClusterId, u32)>, households: &[u32]) -> Self {
        let mut linked: BTreeMap<ClusterId, u64> = BTreeMap::new();
        let mut same: BTreeMap<u32, u64> = BTreeMap::new();
        let mut both: BTreeMap<(ClusterId, u32), u64> = BTreeMap::new();
        for (cluster, person) in truth.values() {
            *linked.entry(*cluster).or_default() += 1;
            *same.entry(*person).or_default() += 1;
            *both.entry((*cluster, *person)).or_default() += 1;
        }
        let (linked, same, right) = (pairs(linked.values()), pairs(same.values()), pairs(both.values()));
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
        let (precision, recall) = (share(right, linked), share(right, same));
        let f1 = share(2.0 * precision * recall, precision + recall);
        let mut people: BTreeMap<ClusterId, BTreeSet<u32>> = BTreeMap::new();
        for (cluster, person) in both.keys() {
            people.entry(*cluster).or_default().insert(*person);
        }
        let household = |person: &u32| households.get(*person as usize);
        let merged = people.values().filter(|people| {
            let homes: BTreeSet<_> = people.iter().map(household).collect();
            homes.len() < people.len()
        });
        Self { precision, recall, f1, household_merges: merged.count() }
    }
}

fn pairs<'a>(sizes: impl Iterator<Item = &'a u64>) -> f64 {
    sizes.map(|size| (size * (size - 1) / 2) as f64).sum()
}
