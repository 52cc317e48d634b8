//! Explaining a link, a person or an alert from audit records alone (I8): ids, levels, bits, versions, clauses.
//!
//! `evidence` gathers records in their order and answers; `text` and `svg` draw the answer. Nothing here asks the
//! register, so an export of the audit explains as well as the daemon's own log, years later.

mod evidence;
mod svg;
mod text;

use serde::Serialize;

pub use self::evidence::Evidence;
pub use self::svg::to_svg;
pub use self::text::to_text;
use crate::model::ids::{ClusterId, RecordId};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "about", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one, made to be printed")]
pub enum Explanation {
    /// Why a recipient was told something.
    Alert(Alert),
    /// Why some records are one person.
    Person(Person),
    /// How two records compare.
    Pair(Pair),
}

/// Why a recipient was told something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// The message's id, as the recipient has it.
    pub message: String,
    /// What kind of message.
    #[serde(rename = "type")]
    pub kind: String,
    /// To whom.
    pub recipient: String,
    /// The clause of the agreement that it rests on.
    pub clause: String,
    /// Version of the agreement.
    pub agreement_version: String,
    /// Version of the rules.
    pub rules_version: String,
    /// What was found, if it speaks of a finding.
    pub finding: Option<String>,
    /// The events that the finding rests on.
    pub evidence: Vec<EvidenceEvent>,
    /// When.
    pub at: String,
    /// Number of the audit record.
    pub seq: u64,
    /// What the recipient was told about the same finding later.
    pub later: Vec<Later>,
    /// About whom, as linked then.
    pub person: Person,
}

/// An event that a finding rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvidenceEvent {
    /// Its keyed id.
    pub event: String,
    /// Who sent it; unknown where the records begin later.
    pub agency: Option<String>,
    /// When it was taken in.
    pub taken_in: Option<String>,
}

/// A later message about the same finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Later {
    /// Its id.
    pub message: String,
    /// What kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub at: String,
}

/// Why some records are one person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Person {
    /// The linked person.
    pub person: ClusterId,
    /// Its records; none if it is no more.
    pub records: Vec<RecordId>,
    /// Of one that is no more: where its records are.
    pub now_in: Vec<ClusterId>,
    /// What happened to it and to those it came from, in order.
    pub history: Vec<Change>,
    /// The strongest links that hold it together, strongest first.
    pub links: Vec<Waterfall>,
    /// Records that no link in these audit records joins to the others: the records begin later than the link.
    pub unexplained: usize,
    /// What people decided about its records.
    pub decisions: Vec<Decided>,
}

/// One change of a linked person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// When.
    pub at: String,
    /// Number of the audit record.
    pub seq: u64,
    /// What happened: `cluster.created`, `grew`, `merged`, `split`, `shrunk` or `retired`.
    pub change: String,
    /// To which person.
    pub person: ClusterId,
    /// Where its records were before; of a retired one, where they went.
    pub related: Vec<ClusterId>,
    /// How many records it had then.
    pub records: usize,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decided {
    /// The event of the decision, as a keyed id.
    pub event: String,
    /// When it was taken in.
    pub at: String,
    /// `same`, `different` or `seen`.
    pub decision: String,
    /// A listed code.
    pub reason: String,
    /// The reviewer's initials.
    pub decided_by: String,
    /// It was replaced or taken back since.
    pub undone: bool,
}

/// How two records compare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// One record.
    pub a: RecordId,
    /// The other.
    pub b: RecordId,
    /// The person that holds both, if one does.
    pub person: Option<ClusterId>,
    /// The comparison of the two; where only others link them, the chain of links from one to the other.
    pub links: Vec<Waterfall>,
    /// What people decided about the two.
    pub decisions: Vec<Decided>,
}

/// A comparison, field by field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waterfall {
    /// One record.
    pub a: RecordId,
    /// The other.
    pub b: RecordId,
    /// From the odds before any evidence to the last field.
    pub steps: Vec<Step>,
    /// Everything together, in bits.
    pub total: f64,
    /// From here on records join.
    pub link_bits: f64,
    /// From here on a person is asked.
    pub review_bits: f64,
    /// Which model weighed.
    pub model_version: String,
    /// By the total alone.
    pub band: Band,
    /// What a person decided about the two when the record was written.
    pub decided: Option<String>,
    /// Why they could never be one person, whatever the total.
    pub vetoes: Vec<String>,
    /// When the record was written.
    pub at: String,
    /// Its number.
    pub seq: u64,
}

/// One step of a waterfall.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which field; `prior` and `household_cap` are steps too.
    pub field: String,
    /// How it compared.
    pub level: Option<String>,
    /// What that is worth.
    pub bits: f64,
    /// The sum so far.
    pub total: f64,
}

/// Where a total lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// High enough to link.
    Link,
    /// High enough to ask.
    Review,
    /// Neither.
    None,
}

impl Explanation {
    /// The waterfalls in it.
    #[must_use]
    pub fn waterfalls(&self) -> &[Waterfall] {
        match self {
            Self::Alert(alert) => &alert.person.links,
            Self::Person(person) => &person.links,
            Self::Pair(pair) => &pair.links,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::{AuditKind, AuditRecord, Chain};
    use crate::model::ids::ScopeId;

    /// 32 hexadecimal digits from one.
    fn id(digit: u8) -> String {
        format!("{digit:x}").repeat(32)
    }

    fn link(a: u8, b: u8, given: f64, decided: Option<&str>) -> Value {
        let fields = json!([
            {"field": "given_name", "level": "exact", "bits": given},
            {"field": "postcode", "level": "unit", "bits": 14.5},
        ]);
        let mut link = json!({
            "a": id(a), "b": id(b), "prior": -17.0, "fields": fields, "household": -3.5, "bits": given - 6.0, "vetoes": [],
        });
        if let Some(decided) = decided {
            link["decided"] = json!(decided);
        }
        link
    }

    fn change(kind: &str, person: u8, related: &[u8], records: &[u8], links: &[Value]) -> (AuditKind, Value) {
        let ids = |digits: &[u8]| digits.iter().map(|digit| id(*digit)).collect::<Vec<_>>();
        let body = json!({
            "change": kind, "person": id(person), "related": ids(related), "records": ids(records), "links": links,
            "model_version": "m1", "link_bits": 2.0, "review_bits": -2.0,
        });
        (AuditKind::Combination, body)
    }

    fn evidence(lines: &[(AuditKind, Value)]) -> Evidence {
        let scope: ScopeId = "portsmouth".parse().expect("a name");
        let mut chain = Chain::resume(0, None).expect("a new chain");
        let mut evidence = Evidence::default();
        for (kind, body) in lines {
            let line = chain.append(1_700_000_000_000, *kind, &scope, body.clone(), [1; 16]);
            evidence.add(AuditRecord::read(&line.json).expect("as written"));
        }
        evidence
    }

    fn pair(evidence: &Evidence, one: u8, two: u8) -> Option<Pair> {
        let record = |digit| id(digit).parse().expect("an id");
        match evidence.explain_pair(record(one), record(two))? {
            Explanation::Pair(pair) => Some(pair),
            Explanation::Alert(_) | Explanation::Person(_) => None,
        }
    }

    /// Two persons, of records 1, 2 and of 3, who became one.
    fn merged() -> Vec<(AuditKind, Value)> {
        vec![
            change("cluster.created", 10, &[], &[1, 2], &[link(1, 2, 9.0, None)]),
            change("cluster.created", 11, &[], &[3], &[]),
            change("cluster.merged", 10, &[10, 11], &[1, 2, 3], &[link(2, 3, 4.0, Some("same"))]),
            change("cluster.retired", 11, &[10], &[], &[]),
        ]
    }

    #[test]
    fn a_waterfall_adds_up_and_is_drawn() {
        let explanation =
            evidence(&merged()).explain_pair(id(2).parse().expect("an id"), id(3).parse().expect("an id"));
        let expected = "\
together    in person aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

22222222222222222222222222222222 with 33333333333333333333333333333333
  field          level                 bits   total  █ for  ░ against  │ link  ┊ ask
  prior                              -17.00  -17.00  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░┊   │
  given name     exact                +4.00  -13.00  ████████                       ┊       │
  postcode       unit                +14.50   +1.50          █████████████████████████████ │
  household cap                       -3.50   -2.00                                 ░░░░░░░ │
  total -2.00 bits: high enough to ask a person (link from +2.00, ask from -2.00; model m1); a person decided: same
";
        let explanation = explanation.expect("it is linked");
        let words =
            |text: &str| text.replace(['█', '░', '│', '┊'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&to_text(&explanation)), words(expected));
        let drawing = to_svg(&explanation);
        for part in
            ["role=\"img\"", "<title id=\"title\">How ", "<desc id=\"description\">", "given name: exact", "+1.50"]
        {
            assert!(drawing.contains(part), "{part}");
        }
    }

    #[test]
    fn two_records_linked_through_a_third_are_explained_by_the_way_between_them() {
        let evidence = evidence(&merged());
        let way = pair(&evidence, 1, 3).expect("they are one person");
        assert_eq!(way.links.iter().map(|link| link.total).collect::<Vec<_>>(), [3.0, -2.0]);
        assert_eq!(pair(&evidence, 1, 4), None, "nobody ever compared them");
    }

    #[test]
    fn a_person_is_explained_as_of_the_alert_and_as_of_now() {
        let told = json!({
            "recipient": "idva", "message": id(7), "type": "uk.priorityd.alert.v1", "clause": "C1", "person": id(10),
            "finding": id(8), "kind": "repeat_victim", "evidence": [id(9)], "agreement_version": "a1",
            "rules_version": "r1",
        });
        let taken = json!({"event": id(9), "supersedes": null, "agency": "police", "outcome": "accepted"});
        let mut lines = vec![(AuditKind::Collection, taken)];
        lines.extend(merged());
        lines.push((AuditKind::Disclosure, told));
        lines.push(change("cluster.split", 10, &[10], &[1, 2], &[link(1, 2, 9.0, None)]));
        lines.push(change("cluster.split", 11, &[10], &[3], &[]));
        let evidence = evidence(&lines);
        let Some(Explanation::Alert(alert)) = evidence.explain(&id(7)) else { panic!("it is an alert") };
        assert_eq!((alert.person.records.len(), alert.person.links.len(), alert.person.unexplained), (3, 2, 0));
        assert_eq!(alert.evidence[0].agency.as_deref(), Some("police"));
        let Some(Explanation::Person(person)) = evidence.explain(&id(2)) else { panic!("it is a record") };
        assert_eq!((person.records.len(), person.links.len()), (2, 1));
        let history: Vec<_> = person.history.iter().map(|change| (change.seq, change.change.as_str())).collect();
        let expected = [(2, "cluster.created"), (3, "cluster.created"), (4, "cluster.merged"), (7, "cluster.split")];
        assert_eq!(history, expected, "what the other became is not this one's history");
        assert_eq!(evidence.explain(&id(5)), None);
    }

    #[test]
    fn a_decision_taken_back_says_so() {
        let decided = json!({"decision": "different", "records": [id(1), id(2)], "finding": null,
            "reason": "relatives", "decided_by": "JS2"});
        let decision = json!({"event": id(5), "supersedes": null, "agency": "reviewers", "decided": decided});
        let cancel = json!({"event": id(6), "supersedes": id(5), "agency": "reviewers"});
        let lines = [(AuditKind::Alteration, decision), (AuditKind::Alteration, cancel)];
        let before = pair(&evidence(&lines[..1]), 1, 2).expect("decided about");
        assert!(before.links.is_empty() && !before.decisions[0].undone);
        assert!(pair(&evidence(&lines), 2, 1).expect("decided about").decisions[0].undone);
    }
}
