//! Events after pseudonymisation: what happened, when, who told us, and which records took part in which role.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::decision::{ConsultationReason, Consulted, DecisionReason, ErasureReason, Judgement};
use super::ids::{EventId, FindingId, LocalRefId, PartyId, RecordId, ScopeId};
use super::sealed::Sealed;
use super::tokens::PersonTokens;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Not asked, or not recorded.
    NotAsked,
}

/// A family of offences: what most recipients see instead of the offence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffenceFamily {
    /// Violence with or without injury.
    Violence,
    /// Sexual offences.
    Sexual,
    /// Stalking and harassment.
    StalkingHarassment,
    /// Controlling or coercive behaviour (Serious Crime Act 2015 s76).
    CoerciveControl,
    /// Criminal damage and arson.
    CriminalDamage,
    /// Breach of an order.
    OrderBreach,
    /// Anything else.
    Other,
}

/// Where a recorded crime stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrimeOutcome {
    /// Under investigation.
    Open,
    /// Charged or summonsed.
    Charged,
    /// Out-of-court disposal.
    Caution,
    /// No further action.
    NoFurtherAction,
    /// Convicted at court.
    Convicted,
    /// Acquitted at court.
    Acquitted,
}

/// A protection notice or order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// Domestic Violence Protection Notice.
    Dvpn,
    /// Domestic Violence Protection Order.
    Dvpo,
    /// Domestic Abuse Protection Notice.
    Dapn,
    /// Domestic Abuse Protection Order.
    Dapo,
    /// Restraining order.
    Restraining,
    /// Non-molestation order.
    NonMolestation,
}

/// A programme for people who use violence or abuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Programme {
    /// Building Better Relationships.
    Bbr,
    /// Up2U.
    Up2u,
    /// Operation Cara.
    OpCara,
    /// One-to-one work.
    OneToOne,
}

/// What an event of each type says beside its envelope. The names of the variants are the last part of the CloudEvents
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
        offence_code: String,
        /// Its family.
        offence_family: OffenceFamily,
        /// Flagged as most serious violence.
        most_serious_violence: bool,
        /// Where it stands.
        outcome: CrimeOutcome,
        /// The incident that it was recorded from, so that one happening counts once.
        incident: Option<EventId>,
    },
    /// Police: a risk assessment of the victim.
    RiskAssessment {
        /// Tool, e.g. `dash` or `dara`.
        tool: String,
        /// Version of the tool.
        tool_version: String,
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
    /// Review: what a person decided. Last, since the register keeps these by number.
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
}

/// What followed a MASH contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MashOutcome {
    /// No further action.
    NoFurtherAction,
    /// Early help.
    EarlyHelp,
    /// Assessment by social care.
    Assessment,
    /// Strategy discussion or section 47 enquiry.
    Section47,
}

/// Why a case goes to MARAC (SafeLives).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaracCriterion {
    /// 14 or more yes answers.
    VisibleHighRisk,
    /// Professional judgement.
    ProfessionalJudgement,
    /// Three events in twelve months, commonly.
    Escalation,
    /// A repeat of an earlier MARAC case.
    Repeat,
}

/// State of a case in a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Open.
    Open,
    /// Closed.
    Closed,
}

/// Who referred to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferralSource {
    /// Police.
    Police,
    /// Probation.
    Probation,
    /// Local authority.
    LocalAuthority,
    /// Health.
    Health,
    /// The person themself.
    SelfReferral,
    /// Somebody else.
    Other,
}

/// What a service did about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertAction {
    /// Contact made.
    Contacted,
    /// Risk reviewed.
    RiskReviewed,
    /// Referred on.
    Referred,
    /// Nothing needed.
    NoActionNeeded,
}

/// Why an event is withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Entered by mistake.
    EnteredInError,
    /// About somebody else.
    WrongPerson,
    /// Recorded twice.
    Duplicate,
    /// Not domestic abuse after all.
    NotDomesticAbuse,
    /// Withdrawn on a request for erasure or rectification.
    DataSubjectRequest,
}

/// One person in one event, blind.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
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
    /// What linkage compares.
    pub tokens: PersonTokens,
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
#[derive(Clone, PartialEq, Serialize, Deserialize)]
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
