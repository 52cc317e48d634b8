//! Findings and profiles: what assess says of one linked person, in ids, counts and dates alone.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::event::{
    CohortKind, Grader, IntelligenceAssessment, OffenceFamily, OrderKind, PerpetratorRisk, Programme, ReviewTool, Risk,
    Role, SourceEvaluation,
};
use super::ids::{ClusterId, EventId, FindingId, PartyId, RecordId};
use super::text::Text;

/// Declares the kinds once: variant, name in messages and agreement, sentence for a reader.
macro_rules! finding_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $headline:literal);+ $(;)?) => {
        /// What was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FindingKind {
            $($(#[$doc])* #[serde(rename = $name)] $variant),+
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &[FindingKind] = &[$(FindingKind::$variant),+];

            /// The name in messages and in the agreement.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(FindingKind::$variant => $name),+ }
            }

            /// One sentence for the person who reads the alert.
            #[must_use]
            pub fn headline(self) -> &'static str {
                match self { $(FindingKind::$variant => $headline),+ }
            }
        }
    };
}

finding_kinds! {
    /// Any report that names the person.
    NewReport = "new_report", "A new report names this person.";
    /// A protection notice or order was made.
    OrderMade = "order_made", "A protection notice or order was made.";
    /// Another report within the window.
    RepeatVictim = "repeat_victim", "This victim was reported as harmed before within the repeat window.";
    /// Another report within the window, whoever the victim.
    RepeatPerpetrator = "repeat_perpetrator", "This perpetrator was reported before within the repeat window.";
    /// Another victim within the window.
    SerialPerpetrator = "serial_perpetrator", "This perpetrator is reported against a further victim.";
    /// The same two people again.
    SamePairAgain = "same_pair_again", "The same two people are reported again within the repeat window.";
    /// One more agency knows the person.
    KnownToSeveralAgencies = "known_to_several_agencies", "More than one agency knows this person.";
    /// A higher grade than before.
    RiskEscalated = "risk_escalated", "The victim's risk is graded higher than before.";
    /// Abuse by the same perpetrator within the window after a MARAC referral.
    MaracRepeat = "marac_repeat", "MARAC repeat: abuse between the same two people after a MARAC referral.";
    /// As many reports within the window as commonly escalate a case to MARAC.
    ThreeInTwelveMonths = "three_in_twelve_months", "Three or more reports within twelve months: consider escalation to MARAC.";
    /// An order was breached, or a report came while it was in force.
    OrderBreached = "order_breached", "A protection order in force was breached, or a report came while it was in force.";
    /// A report after a completed programme.
    ReportAfterProgramme = "report_after_programme", "A report came after this person completed a programme.";
    /// Victim in one event and perpetrator in another: for a human to look at.
    BothRoles = "both_roles", "This person appears as victim and as perpetrator.";
    /// Graded, and no referral to the service for that grade followed in time.
    Unrouted = "unrouted", "This victim's risk was graded, and no referral to the service for it followed in the agreed time.";
    /// Another perpetrator within the window.
    SuccessivePerpetrators = "successive_perpetrators", "This victim is reported as harmed by a further perpetrator.";
    /// Somebody with a history is reported with somebody new, and nobody has asked to be told.
    RightToKnow = "right_to_know", "A person with a history is reported with somebody new: consider the right to know.";
    /// A request under the disclosure scheme is undecided past its time.
    DvdsOverdue = "dvds_overdue", "A request under the disclosure scheme is undecided past its time.";
    /// As many contacts to the MASH within the window as make a pattern.
    MashContacts = "mash_contacts", "Repeated contacts to the MASH about this child or family within twelve months.";
    /// Somebody who shares an open child's plan is reported.
    LinkedToOpenChild = "linked_to_open_child", "An adult linked to a child with an open plan is reported.";
}

impl fmt::Display for FindingKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One finding about one linked person. Its id depends on the kind, the triggering event and the record alone, so that
/// it survives any change of the cluster around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Deterministic id.
    pub id: FindingId,
    /// Kind.
    pub kind: FindingKind,
    /// The person's role in it.
    pub role: Role,
    /// The record by which the triggering event names the person.
    pub record: RecordId,
    /// The event that brought it about.
    pub trigger: EventId,
    /// The day of the triggering event.
    pub on: Date,
    /// All events that it rests on, the trigger included, sorted.
    pub evidence: Vec<EventId>,
    /// Other parties of the triggering event.
    pub counterparts: Vec<Counterpart>,
    /// What else can be said, each only if it applies.
    pub facts: FindingFacts,
}

/// The other party of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counterpart {
    /// Linked person.
    pub cluster: ClusterId,
    /// The record by which the triggering event names them.
    pub record: RecordId,
    /// Their role in it.
    pub role: Role,
}

/// The measurable part of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindingFacts {
    /// Reports within the window, the trigger included.
    pub reports: Option<u32>,
    /// Distinct counterparties within the window.
    pub distinct_counterparts: Option<u32>,
    /// Is the counterparty new to this person?
    pub new_counterparty: Option<bool>,
    /// Grades before and after.
    pub risk: Option<(Risk, Risk)>,
    /// Agencies that know the person, sorted.
    pub agencies: Vec<PartyId>,
    /// Order, its state and its end.
    pub order: Option<OrderState>,
    /// Programme.
    pub programme: Option<Programme>,
    /// Family of the offence.
    pub offence_family: Option<OffenceFamily>,
    /// The service that a referral should have gone to.
    pub service: Option<PartyId>,
    /// Where the allegation stands, once it is cleared: whoever was told of it is told that.
    pub standing: Option<Standing>,
}

/// An order as of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderState {
    /// Which.
    pub kind: OrderKind,
    /// Last day in force, if it has one.
    pub until: Option<Date>,
    /// Recorded by police as breached, rather than indicated by a report while in force.
    pub breached: bool,
    /// Lasts shorter or longer than its kind may.
    pub doubtful: bool,
}

/// Where an allegation stands. Of several the furthest counts, and below an allegation are those that are none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Acquitted at court.
    Acquitted,
    /// The investigation or prosecution ended.
    NoFurtherAction,
    /// Cleared in one of these ways; the agency doesn't say which.
    Cleared,
    /// Alleged.
    Allegation,
    /// Cautioned, out of court.
    Cautioned,
    /// Charged.
    Charged,
    /// Convicted.
    Convicted,
}

impl Standing {
    /// Is it an allegation no more?
    #[must_use]
    pub fn is_cleared(self) -> bool {
        self < Self::Allegation
    }
}

/// How a victim's risk was graded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RiskBasis {
    /// Tool.
    pub tool: Text,
    /// Its version.
    pub tool_version: Text,
    /// Who graded, by function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grader: Option<Grader>,
    /// Professional judgement raised the grade.
    pub raised_by_judgement: bool,
    /// The answers alone make it high, whatever the grade says.
    pub raised_by_answers: bool,
}

/// RFG(V): what a MATAC ranks by, its four components beside the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// Days since the last report, reports, harm and different victims within the window.
    pub values: Parts<u32>,
    /// Points of each.
    pub points: Parts<u32>,
    /// The day of the last report: days since then would make another entry of it every day.
    pub last_on: Date,
    /// Weighted sum of the points.
    pub total: u32,
    /// Versions of the tables of weights and of harm.
    pub versions: (&'static str, &'static str),
}

/// The four components of RFG(V), each with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts<T> {
    /// Days since the last report.
    pub recency: T,
    /// Reports.
    pub frequency: T,
    /// Harm.
    pub gravity: T,
    /// Different victims.
    pub victims: T,
}

/// Intelligence about somebody who is listed for other reasons: how much there is, and the best of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Intelligence {
    /// Reports of it that may be shared and are not suspected to be false.
    pub reports: u32,
    /// The best source,
    pub source_evaluation: SourceEvaluation,
    /// and how it knows.
    pub assessment: IntelligenceAssessment,
}

/// A perpetrator's place on the list, kept apart from any victim's risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// One report.
    Single,
    /// More than one within the repeat window, one victim.
    Repeat,
    /// Several victims within the serial window.
    Serial,
}

/// One linked person in one role as of a date: what a list entry may draw from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Role.
    pub role: Role,
    /// The record by which the latest report names the person.
    pub record: RecordId,
    /// Tier; perpetrators only.
    pub tier: Option<Tier>,
    /// Reports in the list window.
    pub reports: u32,
    /// Distinct counterparties in the list window.
    pub counterparts: u32,
    /// Agencies that know the person in any role, sorted.
    pub agencies: Vec<PartyId>,
    /// First and last day of those reports.
    pub first_on: Date,
    /// See `first_on`.
    pub last_on: Date,
    /// The day after which no report is within the window.
    pub drops_off: Date,
    /// The furthest; perpetrators only.
    pub standing: Option<Standing>,
    /// Each that an allegation has, with how many have it and the day of the last; perpetrators only.
    pub standings: BTreeMap<Standing, (u32, Date)>,
    /// Latest risk grade; victims only.
    pub risk: Option<Risk>,
    /// How that came about.
    pub risk_basis: Option<RiskBasis>,
    /// Orders in force as of the date.
    pub orders: Vec<OrderState>,
    /// Programmes started and not completed, or completed.
    pub programmes: Vec<Programme>,
    /// Programmes that the person could be offered and has not started; perpetrators only.
    pub pathways: Vec<Programme>,
    /// Cohorts that the person is in.
    pub cohorts: Vec<CohortKind>,
    /// Level of multi-agency public protection arrangements, if under them.
    pub mappa_level: Option<u8>,
    /// The risk that the person poses, by probation's last review; perpetrators only, and no victim's risk.
    pub reviewed_risk: Option<(ReviewTool, PerpetratorRisk)>,
    /// RFG(V); perpetrators only.
    pub score: Option<Score>,
    /// Intelligence within the list window.
    pub intelligence: Option<Intelligence>,
    /// Findings within the list window by kind.
    pub findings: BTreeMap<FindingKind, u32>,
    /// Also seen in the opposite role.
    pub both_roles: bool,
}
