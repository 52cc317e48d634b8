//! Events after pseudonymisation: what happened, when, who told us, and which records took part in which role.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

pub use super::codes::*;
use super::decision::{ConsultationReason, Consulted, DecisionReason, ErasureReason, Judgement};
use super::ids::{EventId, FindingId, LocalRefId, PartyId, RecordId, ScopeId};
use super::sealed::Sealed;
use super::text::Text;
use super::tokens::PersonTokens;

/// The day of a moment, in UTC.
#[must_use]
pub fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

/// What a person was in one event. A role belongs to the event, never to the person (domain: co-abuse).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person harmed.
    Victim,
    /// The person alleged or found to have harmed.
    Perpetrator,
    /// A child in the household, a victim in their own right (Domestic Abuse Act 2021 s3).
    Child,
    /// A witness or reporter.
    Witness,
}

/// The category of data subject, kept apart per fact (Data Protection Act 2018 s38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Alleged, not charged.
    Suspect,
    /// Charged, not tried.
    Charged,
    /// Convicted.
    Convicted,
    /// Acquitted, or no further action.
    Cleared,
    /// A victim.
    Victim,
    /// A witness.
    Witness,
    /// A service's client, without any allegation.
    Client,
}

/// Under which law the fact was collected; crossing is a logged gate (DPA 2018 s36(4)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// DPA 2018 Part 3.
    LawEnforcement,
    /// UK GDPR.
    General,
}

/// How the parties are personally connected (Domestic Abuse Act 2021 s2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relationship {
    /// Married, civil partners or living as such.
    Partner,
    /// Formerly so.
    ExPartner,
    /// Parent and child.
    ParentChild,
    /// Brothers and sisters.
    Sibling,
    /// Any other relative.
    OtherFamily,
    /// Asked and not known.
    Unknown,
}

/// The victim's risk as a tool graded it (DASH, DARA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Standard.
    Standard,
    /// Medium.
    Medium,
    /// High; 14 or more of 24 on the SafeLives DASH is visibly so.
    High,
}

/// A question that may not have been asked: "not asked" is never "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Not asked, or not recorded.
    #[default]
    NotAsked,
}

/// How many days a notice or order of a kind usually lasts, at least and at most: 48 hours for a DVPN (Crime and Security
/// Act 2010 s24) or DAPN, 14 to 28 days for a DVPO (s28), no maximum for the others. A notice runs on over Sundays and bank
/// holidays and while a court decides, so what lasts longer is doubtful and not wrong.
#[must_use]
pub fn usual_days(kind: OrderKind) -> (i32, Option<i32>) {
    match kind {
        OrderKind::Dvpn | OrderKind::Dapn => (0, Some(2)),
        OrderKind::Dvpo => (14, Some(28)),
        OrderKind::Dapo | OrderKind::Restraining | OrderKind::NonMolestation => (0, None),
    }
}

/// What an event of each type says beside its envelope; new ones last, since the register keeps them by number. The names of the variants are the last part of the CloudEvents
/// type (`uk.priorityd.<feed>.<event>.v1`) and of the schema's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Police: an incident, crime or not.
    Incident {
        /// Were children there?
        children_present: Answer,
        /// Was alcohol involved?
        alcohol: Answer,
    },
    /// Police: a recorded crime.
    Crime {
        /// Home Office offence code, e.g. `8N`.
        offence_code: Text,
        /// Its family.
        offence_family: OffenceFamily,
        /// The force's domestic abuse flag; a crime without it is no report of abuse.
        #[serde(default = "yes")]
        domestic_abuse: bool,
        /// Flagged as most serious violence.
        most_serious_violence: bool,
        /// Where it stands.
        outcome: CrimeOutcome,
        /// The incident that it was recorded from, so that one happening counts once.
        incident: Option<EventId>,
    },
    /// Police: a risk assessment of the victim.
    RiskAssessment {
        /// Who graded, by function.
        grader: Option<Grader>,
        /// Tool, e.g. `dash` or `dara`.
        tool: Text,
        /// Version of the tool.
        tool_version: Text,
        /// Yes answers, of 24 on DASH; absent where the tool does not count.
        yes_count: Option<u8>,
        /// Grade after judgement.
        grade: Risk,
        /// Professional judgement raised it.
        raised_by_judgement: bool,
    },
    /// Police: an order's life.
    ProtectionOrder {
        /// Which.
        order: OrderKind,
        /// When served.
        served_on: Date,
        /// When it ends; a DAPO may have no end.
        expires_on: Option<Date>,
        /// When it was breached, if this reports a breach.
        breached_on: Option<Date>,
    },
    /// Probation: an order or licence started.
    OrderStart {
        /// When it ends.
        ends_on: Option<Date>,
        /// Required programme.
        requirement: Option<Programme>,
    },
    /// Probation: a programme started.
    ProgrammeStart {
        /// Which.
        programme: Programme,
    },
    /// Probation: a programme completed.
    ProgrammeComplete {
        /// Which.
        programme: Programme,
    },
    /// Probation: a programme's conditions broken.
    ProgrammeBreach {
        /// Which.
        programme: Programme,
    },
    /// Local authority: a contact to the MASH.
    MashContact {
        /// Children in it.
        children: u8,
        /// Was domestic abuse a factor?
        domestic_abuse: Answer,
        /// What followed.
        outcome: MashOutcome,
    },
    /// Local authority: a referral to MARAC.
    MaracReferral {
        /// Why.
        criterion: MaracCriterion,
        /// Which agency referred.
        referrer: Option<MaracReferrer>,
    },
    /// Service: one of its own clients, about whom it asks to be told.
    CaseloadEntry {
        /// Open, or closed: a closed case gets nothing.
        state: CaseState,
    },
    /// Service: a referral received.
    ReferralReceived {
        /// Who referred.
        referrer: ReferralSource,
    },
    /// Service: an alert was read and acted on.
    AlertAcknowledged {
        /// The alert's id as received.
        alert: String,
        /// What was done.
        action: AlertAction,
    },
    /// Any feed: the event named by `supersedes` is withdrawn.
    Cancel {
        /// Why.
        reason: CancelReason,
    },
    /// Review: what a person decided.
    Decision {
        /// What.
        decision: Judgement,
        /// About two records; of a person seen, the one record that the finding speaks of.
        records: Vec<RecordId>,
        /// Of a person seen: the finding.
        finding: Option<FindingId>,
        /// Why.
        reason: DecisionReason,
        /// Initials and a number of the reviewers' own, never a name.
        decided_by: String,
    },
    /// Review: a person is erased. What was recorded of them up to `recorded_at` of this event is forgotten, and stays so
    /// whatever comes late; what is recorded afterwards begins anew. Cannot be withdrawn, for nothing is left to bring back.
    Erasure {
        /// The person's records.
        records: Vec<RecordId>,
        /// The agencies' own references for the person, hashed.
        local_refs: Vec<LocalRefId>,
        /// On what ground.
        reason: ErasureReason,
        /// The reference of the request or ruling: letters, digits, `/` and `-`.
        authority: String,
        /// Initials and a number of the reviewers' own, never a name.
        decided_by: String,
    },
    /// Review: somebody looked something up. Changes nothing; it is there to be recorded.
    Consultation {
        /// What was looked at.
        action: Consulted,
        /// The id looked at, if it was one: of a record, a linked person or a message.
        subject: Option<String>,
        /// Why.
        reason: ConsultationReason,
        /// Initials and a number of the reviewers' own, never a name.
        decided_by: String,
    },
    /// Police: an arrest, which is an allegation and no more.
    Arrest {
        /// The incident or crime that it follows from.
        incident: Option<EventId>,
        /// Wants the person to change?
        #[serde(default)]
        wants_change: Answer,
    },
    /// Police: a charge or summons.
    Charge {
        /// Family of the offence.
        offence_family: OffenceFamily,
        /// The incident or crime that it follows from.
        incident: Option<EventId>,
    },
    /// Police: an investigation ended without a charge.
    NoFurtherAction {
        /// Why.
        reason: NoFurtherActionReason,
        /// The incident or crime that it was about.
        incident: Option<EventId>,
        /// Wants the person to change?
        #[serde(default)]
        wants_change: Answer,
    },
    /// Police: how a prosecution ended.
    CourtOutcome {
        /// How.
        result: CourtResult,
        /// Family of the offence.
        offence_family: Option<OffenceFamily>,
        /// The incident or crime that it was about.
        incident: Option<EventId>,
    },
    /// Police: a caution with conditions.
    ConditionalCaution {
        /// What the person has to do.
        conditions: Vec<CautionCondition>,
        /// The incident or crime that it disposes of.
        incident: Option<EventId>,
    },
    /// Police: a request under the disclosure scheme.
    DvdsRequest {
        /// Right to ask or to know.
        route: DisclosureRoute,
        /// What was decided, if it is.
        decision: Option<DisclosureDecision>,
        /// When.
        decided_on: Option<Date>,
    },
    /// Police: community partnership intelligence, without its text.
    CpiReport {
        /// How good the source is.
        source_evaluation: SourceEvaluation,
        /// How the source knows it.
        assessment: IntelligenceAssessment,
        /// Who may have it.
        handling: Handling,
    },
    /// Police: into a cohort or out of it.
    Cohort {
        /// Which.
        cohort: CohortKind,
        /// In or out.
        state: CohortState,
    },
    /// Probation: an order or licence ended.
    OrderEnd {
        /// Why.
        reason: OrderEndReason,
    },
    /// Probation: a requirement of an order or licence.
    Requirement {
        /// Which.
        requirement: RequirementKind,
        /// Its last day.
        ends_on: Option<Date>,
    },
    /// Probation: a release from custody.
    Release {
        /// Last day of the licence.
        ends_on: Option<Date>,
    },
    /// Probation: a recall to custody.
    Recall {
        /// Why.
        reason: RecallReason,
    },
    /// Probation: level of multi-agency public protection arrangements.
    MappaLevel {
        /// 1 to 3; 0 when no longer managed.
        level: u8,
    },
    /// Probation: a review of the risk that the person poses.
    RiskReview {
        /// Tool.
        tool: ReviewTool,
        /// Level.
        level: PerpetratorRisk,
        /// Wants the person to change?
        #[serde(default)]
        wants_change: Answer,
    },
    /// Local authority: what a MARAC agreed.
    MaracOutcome {
        /// Why the case was there.
        criterion: MaracCriterion,
        /// Which agency had referred it.
        referrer: Option<MaracReferrer>,
        /// What was agreed.
        actions: Vec<MaracAction>,
    },
    /// Local authority: a child's plan is opened or closed.
    SocialCareAssessment {
        /// Was domestic abuse a factor?
        domestic_abuse: Answer,
        /// Which plan.
        plan: ChildPlan,
        /// Opened or closed.
        state: CaseState,
    },
    /// Local authority: a housing matter; of nobody's whereabouts.
    Housing {
        /// Which.
        matter: HousingMatter,
        /// Where it stands.
        state: HousingState,
    },
    /// Local authority: the youth offending team works with a child.
    Yot {
        /// On what footing.
        intervention: YouthIntervention,
        /// Is domestic abuse a factor, in either role?
        domestic_abuse: Answer,
    },
    /// Local authority: what a substance misuse service asked, and heard.
    SubstanceMisuse {
        /// Is alcohol a concern?
        alcohol: Answer,
        /// Are drugs?
        drugs: Answer,
        /// Does the person speak of domestic abuse?
        domestic_abuse: Answer,
    },
    /// Service: tried to reach a client.
    ContactAttempt {
        /// Was the client reached?
        reached: bool,
    },
    /// Service: a client takes up support.
    Engaged {},
    /// Service: a client does not.
    Declined {
        /// Why.
        reason: DeclineReason,
    },
    /// Service: its own assessment when work begins.
    RiskAtStart {
        /// Tool.
        tool: Text,
        /// Grade.
        grade: Risk,
    },
    /// Service: work with a client ended.
    Closed {
        /// Why.
        reason: ClosingReason,
        /// Risk at the end.
        risk_at_end: Option<Risk>,
    },
}

fn yes() -> bool {
    true
}

/// Yes answers of 24 on the SafeLives DASH that are a visible high risk (SafeLives, MARAC criteria).
pub const VISIBLE_HIGH_RISK: u8 = 14;
/// The SafeLives DASH, as schemas name it.
pub const SAFELIVES_DASH: &str = "dash_ric";

impl Detail {
    /// The grade of a risk assessment, and whether the answers alone made it that: judgement may raise what the answers say,
    /// never lower it.
    #[must_use]
    pub fn graded(&self) -> Option<(Risk, bool)> {
        let Self::RiskAssessment { tool, yes_count, grade, .. } = self else { return None };
        let is_visible = **tool == *SAFELIVES_DASH && yes_count.is_some_and(|count| count >= VISIBLE_HIGH_RISK);
        Some(if is_visible { (Risk::High, *grade < Risk::High) } else { (*grade, false) })
    }

    /// Does the event say of itself that its agency knows the person? Not that somebody seeks support, which is for a service
    /// and for housing and treatment to tell; not that somebody asked under the disclosure scheme; and intelligence says
    /// nothing alone.
    #[must_use]
    pub fn says_who_is_known(&self) -> bool {
        !matches!(
            self,
            Self::CaseloadEntry { .. }
                | Self::ReferralReceived { .. }
                | Self::ContactAttempt { .. }
                | Self::Engaged {}
                | Self::Declined { .. }
                | Self::RiskAtStart { .. }
                | Self::Closed { .. }
                | Self::AlertAcknowledged { .. }
                | Self::DvdsRequest { .. }
                | Self::CpiReport { .. }
                | Self::Housing { .. }
                | Self::SubstanceMisuse { .. }
        )
    }

    /// The event that this one speaks of, if it says so.
    #[must_use]
    pub fn incident(&self) -> Option<EventId> {
        match self {
            Self::Crime { incident, .. }
            | Self::Arrest { incident, .. }
            | Self::Charge { incident, .. }
            | Self::NoFurtherAction { incident, .. }
            | Self::CourtOutcome { incident, .. }
            | Self::ConditionalCaution { incident, .. } => *incident,
            _ => None,
        }
    }

    /// The event that this one speaks of, if it speaks of one: agencies name it by their own id, which is hashed.
    pub fn incident_mut(&mut self) -> Option<&mut Option<EventId>> {
        match self {
            Self::Crime { incident, .. }
            | Self::Arrest { incident, .. }
            | Self::Charge { incident, .. }
            | Self::NoFurtherAction { incident, .. }
            | Self::CourtOutcome { incident, .. }
            | Self::ConditionalCaution { incident, .. } => Some(incident),
            _ => None,
        }
    }
}

/// One person in one event, blind.
#[derive(Clone, PartialEq)]
pub struct BlindPerson {
    /// Which record.
    pub record: RecordId,
    /// The agency's own reference, hashed: records that share it are one person to that agency.
    pub local_ref: LocalRefId,
    /// Role in this event.
    pub role: Role,
    /// Category in this event.
    pub status: Status,
    /// Under 16 on the day of the event; such events never put anybody on the adult list.
    pub under_16: bool,
    /// What linkage compares; shared with whoever remembers the person.
    pub tokens: Arc<PersonTokens>,
    /// Reference, name and date of birth under the vault key, for recipients whom the agreement lets see them.
    pub sealed: Sealed,
}

/// What an event says beside its ids and its people; the same in clear and blind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Partnership.
    pub scope: ScopeId,
    /// Who sent it.
    pub agency: PartyId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When the agency wrote it down.
    pub recorded_at: Timestamp,
    /// Under which law.
    pub regime: Regime,
    /// How the parties are connected.
    pub relationship: Option<Relationship>,
    /// The event's own fields.
    pub detail: Detail,
}

/// An event with nobody's name in it: what pseudonymise hands on.
#[derive(Clone, PartialEq)]
pub struct BlindEvent {
    /// Keyed hash of `(source, id)`.
    pub id: EventId,
    /// The earlier event of the same source that this one replaces or withdraws.
    pub supersedes: Option<EventId>,
    /// Keyed fingerprint of the content, to tell a replay from a reused id.
    pub fingerprint: [u8; 8],
    /// What it says beside its people.
    pub facts: Facts,
    /// Who took part.
    pub persons: Vec<BlindPerson>,
}
