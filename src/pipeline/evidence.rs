//! What the audit says of links: ids, levels and bits, enough to explain every cluster from its lines alone (I8).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::audit::AuditKind;
use crate::link::{ClusterChange, Comparison, Link, LinkageModel, PossibleMatch};
use crate::model::event::Detail;
use crate::model::ids::RecordId;

/// Links in one line at the most: a line must stay far below what a log takes as one record.
const LINKS_IN_A_LINE: usize = 200;

/// Records of one person in one line at the most, likewise.
const RECORDS_IN_A_LINE: usize = 5_000;

/// The lines about one change of a cluster: what happened with the strongest links that did it, continued where they are
/// many.
pub(super) fn combination(change: &ClusterChange, links: &[Link], model: &LinkageModel) -> Vec<Value> {
    let (first, rest) = links.split_at(links.len().min(LINKS_IN_A_LINE));
    let line = |kind: &str, links: &[Link]| {
        let mut line = Map::new();
        line.insert("change".to_owned(), json!(kind));
        line.insert("person".to_owned(), json!(change.id));
        if !links.is_empty() {
            line.insert("links".to_owned(), links.iter().map(link).collect());
            add_model(&mut line, model);
        }
        line
    };
    let (records, more_records) = change.members.split_at(change.members.len().min(RECORDS_IN_A_LINE));
    let mut head = line(change.kind.as_str(), first);
    head.insert("related".to_owned(), json!(change.related));
    head.insert("records".to_owned(), json!(records));
    let further = more_records.chunks(RECORDS_IN_A_LINE).map(|records| {
        let mut further = line("cluster.records", &[]);
        further.insert("records".to_owned(), json!(records));
        further
    });
    let further = further.chain(rest.chunks(LINKS_IN_A_LINE).map(|links| line("cluster.links", links)));
    std::iter::once(head).chain(further).map(Value::Object).collect()
}

/// The line about two records that a person is asked about.
pub(super) fn question(key: &str, possible: &PossibleMatch, model: &LinkageModel) -> Value {
    let mut line = Map::new();
    line.insert("change".to_owned(), json!("review.raised"));
    line.insert("review_id".to_owned(), json!(key));
    line.insert("links".to_owned(), json!([comparison(possible.a, possible.b, &possible.comparison)]));
    add_model(&mut line, model);
    Value::Object(line)
}

/// What a decision says, for the line about the event; nothing for other events.
pub(super) fn decision(detail: &Detail) -> Option<Value> {
    let Detail::Decision { decision, records, finding, reason, decided_by } = detail else { return None };
    Some(json!({
        "decision": decision, "records": records, "finding": finding, "reason": reason, "decided_by": decided_by,
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

fn link(link: &Link) -> Value {
    let mut value = comparison(link.a, link.b, &link.comparison);
    if link.decided {
        value["decided"] = json!("same");
    }
    value
}

fn comparison(a: RecordId, b: RecordId, comparison: &Comparison) -> Value {
    let fields = comparison.fields.iter();
    let fields: Vec<_> = fields
        .map(|(field, level, bits)| json!({"field": field.as_str(), "level": level, "bits": bits.to_f64()}))
        .collect();
    let vetoes: Vec<_> = comparison.vetoes.iter().map(|veto| veto.as_str()).collect();
    json!({
        "a": a,
        "b": b,
        "prior": comparison.prior.to_f64(),
        "fields": fields,
        "household": comparison.household.to_f64(),
        "bits": comparison.total.to_f64(),
        "vetoes": vetoes,
    })
}

fn add_model(line: &mut Map<String, Value>, model: &LinkageModel) {
    line.insert("model_version".to_owned(), json!(model.version()));
    line.insert("link_bits".to_owned(), json!(model.link_bits().to_f64()));
    line.insert("review_bits".to_owned(), json!(model.review_bits().to_f64()));
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let kinds: Vec<_> = lines.iter().map(|line| line["change"].clone()).collect();
        assert_eq!(kinds, ["cluster.created", "cluster.records", "cluster.records"]);
        let said: Vec<_> = lines.iter().flat_map(|line| line["records"].as_array().expect("records").clone()).collect();
        assert_eq!(Value::Array(said), json!(members));
        assert!(lines.iter().all(|line| line.to_string().len() < 1 << 18), "a line stays small");
    }
}
