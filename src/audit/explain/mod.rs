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
