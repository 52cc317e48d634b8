//! What people decide where the machine asks them: codes only, so that no decision says who anybody is.

use serde::{Deserialize, Serialize};

use super::ids::{FindingId, RecordId};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Two records are one person.
    Same,
    /// Two records are two persons.
    Different,
    /// Somebody looked at a finding: of a person in both roles, the list may name them.
    Seen,
    /// Somebody looked and could not tell: the question stays open, and what was decided before no longer counts.
    Undecided,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionReason {
    /// The agencies whose records they are confirmed it.
    AgencyConfirmed,
    /// The agencies' own records were compared.
    RecordsCompared,
    /// A number was checked with whoever issued it.
    NumberChecked,
    /// They are twins, parent and child, or others of one household.
    Relatives,
    /// Abuse went both ways, as recorded.
    BothDirections,
    /// One of the reports is a counter-allegation, or resistance to abuse.
    CounterAllegation,
    /// What is known does not suffice.
    NotEnoughKnown,
    /// The victim was referred now, or the service was told otherwise.
    Referred,
    /// The victim does not want it, or needs it no more.
    NoReferralNeeded,
}

/// On what ground a person is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureReason {
    /// The person asked for it (UK GDPR Art 17, DPA 2018 s47), or objected.
    DataSubjectRequest,
    /// A court, or the Information Commissioner, ordered it.
    Ordered,
    /// It should never have been held.
    Unlawful,
    /// The agencies reviewed what they hold and no longer need it.
    NoLongerNeeded,
}

/// What somebody looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consulted {
    /// The open questions.
    Reviews,
    /// Why somebody was told something, or why records are one person.
    Explanation,
    /// Records of the audit.
    Audit,
    /// What is held about a person and what was shared of it.
    Person,
}

/// Why somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultationReason {
    /// To decide what the machine cannot.
    Review,
    /// The person asked what is held.
    SubjectAccess,
    /// To erase or correct.
    Erasure,
    /// A recipient asked about something that it was told.
    RecipientQuery,
    /// To check that all is well: quality, an incident, an inspection.
    Oversight,
    /// A homicide or safeguarding review.
    CaseReview,
}

/// What a decision is about. Of several in force about the same, the last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Two records, the smaller id first.
    Pair(RecordId, RecordId),
    /// A finding.
    Finding(FindingId),
}

impl Subject {
    /// What a decision's fields say it is about; `None` where they say nothing, which the schema of the event rules out.
    #[must_use]
    pub fn of(records: &[RecordId], finding: Option<FindingId>) -> Option<Self> {
        match (records, finding) {
            (_, Some(finding)) => Some(Self::Finding(finding)),
            ([a, b], None) if a != b => Some(Self::Pair(*a.min(b), *a.max(b))),
            (_, None) => None,
        }
    }
}
