//! What people are asked and what they decided: questions on `review.v1`, by key the latest, an answered one deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::evidence::pattern;
use super::scope::Scope;
use super::work::{Touched, Work};
use super::{Engine, REVIEW_TOPIC};
use crate::assess::Assessed;
use crate::assess::ledger::LedgerEvent;
use crate::config::rules::Routing;
use crate::disclose::told::ToldAlert;
use crate::link::{Decision, PossibleMatch};
use crate::model::decision::{Judgement, Subject};
use crate::model::event::Detail;
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::{FindingId, PartyId, RecordId, ScopeId, hex};
use crate::model::text::Text;

/// Whom the register notes as told of questions about findings. No recipient may be called so.
const REVIEWERS: &str = "review";

impl Engine {
    /// People who appear in both roles, and victims who were not referred, go to a human; a question that was answered or
    /// fell away goes: `gone` are all findings that anybody was told of about these people as they were and as they are.
    pub(super) fn review_findings(
        &mut self,
        id: &ScopeId,
        mut gone: BTreeSet<FindingId>,
        people: &[Assessed],
        as_of: Date,
        work: &mut Work,
    ) {
        let setup = Arc::clone(&self.setup);
        let partition = self.partition;
        let Some(Scope { ledger, told, .. }) = self.scopes.get_mut(id) else { return };
        let reviewers: PartyId = REVIEWERS.parse().expect("a name of the right form");
        for (person, finding) in for_humans(people, as_of, &setup.rules.routing) {
            gone.remove(&finding.id);
            let earlier = told.alert(finding.id, &reviewers).filter(|earlier| earlier.live);
            let open = ledger.decision(Subject::Finding(finding.id)) != Some(Judgement::Seen);
            let key = finding.id.to_string();
            let body = open.then(|| finding_question(&key, id, person, finding).to_string().into_bytes());
            let digest = body.as_ref().map_or([0; 16], |body| first_half(&Sha256::digest(body)));
            if earlier.map(|earlier| earlier.digest) == open.then_some(digest) {
                continue;
            }
            let now = ToldAlert { generation: 1, live: open, digest, clause: Text::default() };
            told.set_alert(finding.id, person.cluster, &reviewers, now);
            work.output(partition, REVIEW_TOPIC.to_owned(), key, body);
        }
        for finding in gone {
            let Some(earlier) = told.alert(finding, &reviewers).filter(|earlier| earlier.live).cloned() else {
                continue;
            };
            let Some(cluster) = told.cluster_of(finding) else { continue };
            told.set_alert(finding, cluster, &reviewers, ToldAlert { live: false, ..earlier });
            work.output(partition, REVIEW_TOPIC.to_owned(), finding.to_string(), None);
        }
    }
}

impl Scope {
    /// Lets what is now in force about the subject of a decision take effect: `event` came into force or left it.
    pub(super) fn decide(&mut self, event: &LedgerEvent, touched: &mut Touched) {
        let Detail::Decision { records, finding, .. } = &event.detail else { return };
        match Subject::of(records, *finding) {
            Some(subject @ Subject::Pair(a, b)) => {
                let decision = match self.ledger.decision(subject) {
                    Some(Judgement::Same) => Some(Decision::Same),
                    Some(Judgement::Different) => Some(Decision::Different),
                    Some(Judgement::Seen | Judgement::Undecided) | None => None,
                };
                self.linker.decide(a, b, decision);
            }
            Some(Subject::Finding(_)) => {
                // Whoever has the record of the finding is looked at again.
                touched.around.extend(records);
            }
            None => {}
        }
    }
}

/// Findings that a person looks at: somebody in both roles, and a victim who should have been referred, while something
/// can be done about it.
fn for_humans<'a>(
    people: &'a [Assessed],
    as_of: Date,
    routing: &'a Routing,
) -> impl Iterator<Item = (&'a Assessed, &'a Finding)> {
    let found = people.iter().flat_map(|person| person.findings.iter().map(move |finding| (person, finding)));
    found.filter(move |(_, finding)| match finding.kind {
        FindingKind::BothRoles => true,
        FindingKind::Unrouted => {
            let grade = finding.facts.risk.map(|(_, grade)| grade);
            grade >= Some(routing.asked_from)
                && as_of <= finding.on.saturating_add(i64::from(routing.asked_days).days())
        }
        _ => false,
    })
}

fn finding_question(key: &str, scope: &ScopeId, person: &Assessed, finding: &Finding) -> Value {
    json!({
        "review_id": key,
        "kind": finding.kind,
        "scope": scope,
        "records": [finding.record],
        "finding": finding.id,
        "person": person.cluster,
        "evidence": finding.evidence,
    })
}

/// The key of the question about two records.
pub(super) fn review_key(scope: &ScopeId, a: RecordId, b: RecordId) -> String {
    let mut hash = Sha256::new();
    hash.update(b"priorityd/v1/review\0");
    hash.update(scope.as_str().as_bytes());
    hash.update([0]);
    hash.update(a.0);
    hash.update(b.0);
    hex(&first_half(&hash.finalize()))
}

/// The question about two records.
pub(super) fn possible_match(key: &str, scope: &ScopeId, possible: &PossibleMatch) -> Value {
    let mut question = json!({
        "review_id": key,
        "kind": "possible_match",
        "scope": scope,
        "records": [possible.a, possible.b],
        "bits": possible.comparison.total.to_f64(),
        "pattern": pattern(&possible.comparison),
    });
    if !possible.bars.is_empty() {
        question["bars"] = possible.bars.iter().map(|veto| veto.as_str()).collect();
    }
    question
}

fn first_half(hash: &[u8]) -> [u8; 16] {
    *hash.first_chunk().expect("SHA-256 gives 32 bytes")
}
