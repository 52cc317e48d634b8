//! Gathers audit records and answers from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Alert, Band, Change, Decided, EvidenceEvent, Explanation, Later, Pair, Person, Step, Waterfall};
use crate::audit::{AuditKind, AuditRecord};
use crate::model::ids::{ClusterId, RecordId};

/// What the records say, in their order.
#[derive(Default)]
pub struct Evidence {
    changes: Vec<Stood>,
    links: Vec<Waterfall>,
    told: Vec<Told>,
    events: BTreeMap<String, (String, String)>,
    decisions: Vec<(Vec<RecordId>, Decided)>,
}

/// A linked person as a record left it.
struct Stood {
    change: Change,
    members: Vec<RecordId>,
}

struct Told {
    seq: u64,
    at: String,
    body: Disclosure,
}

#[derive(Deserialize)]
struct Disclosure {
    recipient: String,
    message: String,
    r#type: String,
    clause: String,
    person: ClusterId,
    finding: Option<String>,
    kind: Option<String>,
    evidence: Option<Vec<String>>,
    agreement_version: String,
    rules_version: String,
}

#[derive(Deserialize)]
struct Combination {
    change: String,
    person: Option<ClusterId>,
    #[serde(default)]
    related: Vec<ClusterId>,
    #[serde(default)]
    records: Vec<RecordId>,
    #[serde(default)]
    links: Vec<LinkBody>,
    #[serde(default)]
    model_version: String,
    #[serde(default)]
    link_bits: f64,
    #[serde(default)]
    review_bits: f64,
}

#[derive(Deserialize)]
struct LinkBody {
    a: RecordId,
    b: RecordId,
    prior: f64,
    fields: Vec<FieldBody>,
    household: f64,
    bits: f64,
    #[serde(default)]
    vetoes: Vec<String>,
    decided: Option<String>,
}

#[derive(Deserialize)]
struct FieldBody {
    field: String,
    level: String,
    bits: f64,
}

#[derive(Deserialize)]
struct Taken {
    event: String,
    supersedes: Option<String>,
    agency: String,
    decided: Option<DecisionBody>,
}

#[derive(Deserialize)]
struct DecisionBody {
    decision: String,
    records: Vec<RecordId>,
    reason: String,
    decided_by: String,
}

impl Evidence {
    /// Takes the next record in. Records that explain nothing are passed over.
    pub fn add(&mut self, record: AuditRecord) {
        let AuditRecord { seq, at, kind, body, .. } = record;
        match kind {
            AuditKind::Combination => {
                if let Ok(body) = serde_json::from_value(body) {
                    self.add_combination(body, seq, &at);
                }
            }
            AuditKind::Disclosure => {
                if let Ok(body) = serde_json::from_value(body) {
                    self.told.push(Told { seq, at, body });
                }
            }
            AuditKind::Collection | AuditKind::Alteration => {
                if let Ok(body) = serde_json::from_value(body) {
                    self.add_event(body, at);
                }
            }
            AuditKind::Consultation | AuditKind::Erasure | AuditKind::Rejection | AuditKind::Agreement => {}
        }
    }

    /// Explains a message, a linked person, or the person who has a record; `None` when no record speaks of the id.
    #[must_use]
    pub fn explain(&self, id: &str) -> Option<Explanation> {
        if let Some(told) = self.told.iter().rev().find(|told| told.body.message == id) {
            return Some(Explanation::Alert(self.alert(told)));
        }
        let as_cluster: ClusterId = id.parse().ok()?;
        if self.changes.iter().any(|stood| stood.change.person == as_cluster) {
            return Some(Explanation::Person(self.person(as_cluster, u64::MAX)));
        }
        let person = self.person_with(RecordId(as_cluster.0))?;
        Some(Explanation::Person(self.person(person, u64::MAX)))
    }

    /// Explains how two records compare; `None` when no record compares them, nor links them through others.
    #[must_use]
    pub fn explain_pair(&self, one: RecordId, two: RecordId) -> Option<Explanation> {
        let (a, b) = (one.min(two), one.max(two));
        let person = self.person_with(a).filter(|person| self.person_with(b) == Some(*person));
        let of_the_two = self.links.iter().rev().find(|link| (link.a, link.b) == (a, b));
        let links = match (of_the_two, person) {
            (Some(link), _) => vec![link.clone()],
            (None, Some(person)) => chain(&self.person(person, u64::MAX).links, one, two),
            (None, None) => Vec::new(),
        };
        let decisions = self.decisions(|records| records.contains(&a) && records.contains(&b));
        let known = !links.is_empty() || !decisions.is_empty() || person.is_some();
        known.then_some(Explanation::Pair(Pair { a: one, b: two, person, links, decisions }))
    }

    fn add_combination(&mut self, body: Combination, seq: u64, at: &str) {
        for link in body.links {
            let bars = (body.link_bits, body.review_bits);
            self.links.push(waterfall(link, bars, &body.model_version, seq, at));
        }
        let Some(person) = body.person.filter(|_| body.change != "cluster.links") else { return };
        if body.change == "cluster.records" {
            // The line before had no room for all of them.
            if let Some(stood) = self.changes.iter_mut().rfind(|stood| stood.change.person == person) {
                stood.change.records += body.records.len();
                stood.members.extend(body.records);
            }
            return;
        }
        let (at, records) = (at.to_owned(), body.records.len());
        let change = Change { at, seq, change: body.change, person, related: body.related, records };
        self.changes.push(Stood { change, members: body.records });
    }

    fn add_event(&mut self, body: Taken, at: String) {
        if let Some(earlier) = &body.supersedes {
            let undone = self.decisions.iter_mut().filter(|(_, decided)| decided.event == *earlier);
            undone.for_each(|(_, decided)| decided.undone = true);
        }
        if let Some(DecisionBody { decision, records, reason, decided_by }) = body.decided {
            let (event, at) = (body.event.clone(), at.clone());
            self.decisions.push((records, Decided { event, at, decision, reason, decided_by, undone: false }));
        }
        self.events.insert(body.event, (body.agency, at));
    }

    /// Who has a record, as of the last change that names it.
    fn person_with(&self, record: RecordId) -> Option<ClusterId> {
        let named = |stood: &&Stood| stood.members.binary_search(&record).is_ok();
        let last = self.changes.iter().rev().find(named)?;
        // A person who lost the record later no longer has it.
        let now = self.stood(last.change.person, u64::MAX)?;
        now.members.contains(&record).then_some(last.change.person)
    }

    fn stood(&self, person: ClusterId, until: u64) -> Option<&Stood> {
        self.changes.iter().rev().find(|stood| stood.change.person == person && stood.change.seq <= until)
    }

    fn decisions(&self, about: impl Fn(&[RecordId]) -> bool) -> Vec<Decided> {
        self.decisions.iter().filter(|(records, _)| about(records)).map(|(_, decided)| decided.clone()).collect()
    }

    fn alert(&self, told: &Told) -> Alert {
        let Told { seq, at, body } = told;
        let evidence = body.evidence.iter().flatten().map(|event| {
            let (agency, taken_in) = self.events.get(event).cloned().unzip();
            EvidenceEvent { event: event.clone(), agency, taken_in }
        });
        let same = |later: &&Told| {
            let theirs = &later.body;
            later.seq > *seq && theirs.recipient == body.recipient && theirs.finding == body.finding
        };
        let later = self.told.iter().filter(|_| body.finding.is_some()).filter(same).map(|later| {
            let (message, kind, at) = (later.body.message.clone(), later.body.r#type.clone(), later.at.clone());
            Later { message, kind, at }
        });
        Alert {
            message: body.message.clone(),
            kind: body.r#type.clone(),
            recipient: body.recipient.clone(),
            clause: body.clause.clone(),
            agreement_version: body.agreement_version.clone(),
            rules_version: body.rules_version.clone(),
            finding: body.kind.clone(),
            evidence: evidence.collect(),
            at: at.clone(),
            seq: *seq,
            later: later.collect(),
            person: self.person(body.person, *seq),
        }
    }

    /// A linked person as of a record.
    fn person(&self, person: ClusterId, until: u64) -> Person {
        let stood = self.stood(person, until);
        let records = stood.map(|stood| stood.members.clone()).unwrap_or_default();
        let now_in = stood.filter(|stood| stood.members.is_empty()).map(|stood| stood.change.related.clone());
        let links = self.spanning(&records, until);
        let decisions = self.decisions(|about| about.iter().all(|record| records.binary_search(record).is_ok()));
        Person {
            person,
            unexplained: records.len().saturating_sub(links.len() + 1),
            now_in: now_in.unwrap_or_default(),
            history: self.history(person, until),
            links,
            decisions,
            records,
        }
    }

    /// Changes of a person and of those it came from, each as long as they had to do with it.
    fn history(&self, person: ClusterId, until: u64) -> Vec<Change> {
        let mut limits = BTreeMap::from([(person, until)]);
        let mut history = Vec::new();
        for stood in self.changes.iter().rev() {
            let change = &stood.change;
            if limits.get(&change.person).is_none_or(|limit| change.seq > *limit) {
                continue;
            }
            if !stood.members.is_empty() {
                for origin in &change.related {
                    limits.entry(*origin).or_insert(change.seq);
                }
            }
            history.push(change.clone());
        }
        history.reverse();
        history
    }

    /// The strongest links that join these records: what a person decided first, the latest comparison of each pair.
    fn spanning(&self, records: &[RecordId], until: u64) -> Vec<Waterfall> {
        let place = |record: &RecordId| records.binary_search(record).ok();
        let mut latest: BTreeMap<(usize, usize), &Waterfall> = BTreeMap::new();
        for link in self.links.iter().filter(|link| link.seq <= until) {
            if let (Some(one), Some(two)) = (place(&link.a), place(&link.b)) {
                latest.insert((one, two), link);
            }
        }
        let mut links: Vec<_> = latest.into_iter().collect();
        links.sort_by(|(_, one), (_, two)| {
            (two.decided.is_some(), two.total)
                .partial_cmp(&(one.decided.is_some(), one.total))
                .unwrap_or(one.a.cmp(&two.a))
        });
        let mut part: Vec<usize> = (0..records.len()).collect();
        let mut spanning = Vec::new();
        for ((one, two), link) in links {
            let (from, to) = (part[one], part[two]);
            if from != to {
                part.iter_mut().filter(|place| **place == from).for_each(|place| *place = to);
                spanning.push(link.clone());
            }
        }
        spanning
    }
}

/// The links on the way from one record to another; each link joins parts, so there is one way at the most.
fn chain(links: &[Waterfall], from: RecordId, to: RecordId) -> Vec<Waterfall> {
    let mut ways = vec![(from, Vec::new())];
    let mut seen = BTreeSet::from([from]);
    while let Some((at, way)) = ways.pop() {
        if at == to {
            return way;
        }
        for link in links {
            let next = if link.a == at { link.b } else { link.a };
            if (link.a == at || link.b == at) && seen.insert(next) {
                let mut way = way.clone();
                way.push(link.clone());
                ways.push((next, way));
            }
        }
    }
    Vec::new()
}

fn waterfall(link: LinkBody, (link_bits, review_bits): (f64, f64), model: &str, seq: u64, at: &str) -> Waterfall {
    let mut total = 0.0;
    let mut step = |field: &str, level: Option<String>, bits: f64| {
        total += bits;
        Step { field: field.to_owned(), level, bits, total }
    };
    let mut steps = vec![step("prior", None, link.prior)];
    steps.extend(link.fields.into_iter().map(|field| step(&field.field, Some(field.level), field.bits)));
    if link.household != 0.0 {
        steps.push(step("household_cap", None, link.household));
    }
    let band = if link.bits >= link_bits {
        Band::Link
    } else if link.bits >= review_bits {
        Band::Review
    } else {
        Band::None
    };
    Waterfall {
        a: link.a,
        b: link.b,
        steps,
        total: link.bits,
        link_bits,
        review_bits,
        model_version: model.to_owned(),
        band,
        decided: link.decided,
        vetoes: link.vetoes,
        at: at.to_owned(),
        seq,
    }
}
