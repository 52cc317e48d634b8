//! What the audit says of links: ids, levels and bits, enough to explain every cluster from its lines alone (I8).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use smallvec::SmallVec;

use crate::audit::{AuditKind, Said};
use crate::link::{Bits, ClusterChange, Comparison, Field, Link, LinkageModel, PossibleMatch};
use crate::model::event::Detail;
use crate::model::ids::RecordId;

/// Links in one line at the most: a line must stay far below what a log takes as one record.
const LINKS_IN_A_LINE: usize = 200;

/// Records of one person in one line at the most, likewise.
const RECORDS_IN_A_LINE: usize = 5_000;

/// The lines about one change of a cluster: what happened with the strongest links that did it, continued where they are
/// many.
pub(super) fn combination(change: &ClusterChange, links: &[Link], model: &LinkageModel) -> Vec<Said> {
    let (first, rest) = links.split_at(links.len().min(LINKS_IN_A_LINE));
    let line = |kind: &str, links: &[Link]| {
        let mut line = Said::default();
        line.add("change", kind).add("person", change.id);
        if !links.is_empty() {
            line.add("links", links.iter().map(Compared::of_link).collect::<Vec<_>>());
            add_model(&mut line, model);
        }
        line
    };
    let (records, more_records) = change.members.split_at(change.members.len().min(RECORDS_IN_A_LINE));
    let mut head = line(change.kind.as_str(), first);
    head.add("related", &change.related).add("records", records);
    let further = more_records.chunks(RECORDS_IN_A_LINE).map(|records| {
        let mut further = line("cluster.records", &[]);
        further.add("records", records);
        further
    });
    let further = further.chain(rest.chunks(LINKS_IN_A_LINE).map(|links| line("cluster.links", links)));
    std::iter::once(head).chain(further).collect()
}

/// The line about two records that a person is asked about.
pub(super) fn question(key: &str, possible: &PossibleMatch, model: &LinkageModel) -> Said {
    let mut line = Said::default();
    line.add("change", "review.raised").add("review_id", key);
    line.add("links", [Compared::of(possible.a, possible.b, &possible.comparison)]);
    add_model(&mut line, model);
    line
}

/// What a decision says, for the line about the event, in alphabetical order; nothing for other events.
pub(super) fn decision(detail: &Detail) -> Option<Value> {
    let Detail::Decision { decision, records, finding, reason, decided_by } = detail else { return None };
    Some(json!({
        "decided_by": decided_by, "decision": decision, "finding": finding, "reason": reason, "records": records,
    }))
}

/// An erasure or a consultation, and what its line says of it; nothing for other events.
pub(super) fn ruling(detail: &Detail) -> Option<(AuditKind, Value)> {
    match detail {
        Detail::Erasure { reason, authority, decided_by, .. } => {
            let body = json!({"reason": reason, "authority": authority, "decided_by": decided_by});
            Some((AuditKind::Erasure, body))
        }
        Detail::Consultation { action, subject, reason, decided_by } => {
            let mut body = json!({"action": action, "reason": reason, "decided_by": decided_by});
            if let Some(subject) = subject {
                body["looked_at"] = json!(subject);
            }
            Some((AuditKind::Consultation, body))
        }
        _ => None,
    }
}

/// How each field compared.
pub(super) fn pattern(comparison: &Comparison) -> BTreeMap<&'static str, &'static str> {
    comparison.fields.iter().map(|(field, level, _)| (field.as_str(), *level)).collect()
}

/// How two records compare, as a line has it: fields in alphabetical order.
#[derive(Serialize)]
struct Compared {
    a: RecordId,
    b: RecordId,
    bits: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<&'static str>,
    fields: SmallVec<[ComparedField; 8]>,
    household: f64,
    prior: f64,
    vetoes: SmallVec<[&'static str; 1]>,
}

#[derive(Serialize)]
struct ComparedField {
    bits: f64,
    field: &'static str,
    level: &'static str,
}

impl Compared {
    fn of(a: RecordId, b: RecordId, comparison: &Comparison) -> Self {
        let field = |(field, level, bits): &(Field, &'static str, Bits)| ComparedField {
            bits: bits.to_f64(),
            field: field.as_str(),
            level,
        };
        Self {
            a,
            b,
            bits: comparison.total.to_f64(),
            decided: None,
            fields: comparison.fields.iter().map(field).collect(),
            household: comparison.household.to_f64(),
            prior: comparison.prior.to_f64(),
            vetoes: comparison.vetoes.iter().map(|veto| veto.as_str()).collect(),
        }
    }

    fn of_link(link: &Link) -> Self {
        Self { decided: link.decided.then_some("same"), ..Self::of(link.a, link.b, &link.comparison) }
    }
}

fn add_model(line: &mut Said, model: &LinkageModel) {
    line.add("model_version", model.version());
    line.add("link_bits", model.link_bits().to_f64()).add("review_bits", model.review_bits().to_f64());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditRecord, Chain};
    use crate::link::ChangeKind;
    use crate::model::ids::ClusterId;

    #[test]
    fn a_person_of_very_many_records_takes_several_lines_and_none_is_left_out() {
        let record = |number: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&number.to_be_bytes());
            RecordId(id)
        };
        let count = u32::try_from(2 * RECORDS_IN_A_LINE + 1).expect("small");
        let members: Vec<_> = (0..count).map(record).collect();
        let change = ClusterChange {
            kind: ChangeKind::Created,
            id: ClusterId::default(),
            related: Vec::new(),
            members: members.clone(),
            parts: Vec::new(),
        };
        let lines = combination(&change, &[], &LinkageModel::compiled_in());
        let mut chain = Chain::resume(0, None).expect("a chain starts from nothing");
        let scope = "portsmouth".parse().expect("a scope");
        let lines: Vec<_> =
            lines.into_iter().map(|line| chain.append(0, AuditKind::Combination, &scope, line, [0; 16]).json).collect();
        assert!(lines.iter().all(|line| line.len() < 1 << 18), "a line stays small");
        let lines: Vec<_> = lines.iter().map(|line| AuditRecord::read(line).expect("as written").body).collect();
        let kinds: Vec<_> = lines.iter().map(|line| line["change"].clone()).collect();
        assert_eq!(kinds, ["cluster.created", "cluster.records", "cluster.records"]);
        let said: Vec<_> = lines.iter().flat_map(|line| line["records"].as_array().expect("records").clone()).collect();
        assert_eq!(Value::Array(said), json!(members));
    }
}
