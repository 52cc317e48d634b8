//! Codes: the words of a closed list that an event's own fields are made of, as the schemas list them. New ones are
//! appended, since the register keeps them by number.

use serde::{Deserialize, Serialize};

/// Declares codes once: name, and variants that are their own words in snake case.
macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$item:meta])+ $variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$item])+ $variant),+ }
    )+};
}

codes! {
    /// A family of offences: what most recipients see instead of the offence.
    OffenceFamily {
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
    CrimeOutcome {
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
    OrderKind {
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
    Programme {
        /// Building Better Relationships.
        Bbr,
        /// Up2U.
        Up2u,
        /// Operation Cara.
        OpCara,
        /// One-to-one work.
        OneToOne,
    }

    /// What followed a MASH contact.
    MashOutcome {
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
    MaracCriterion {
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
    CaseState {
        /// Open.
        Open,
        /// Closed.
        Closed,
    }

    /// Who referred to a service.
    ReferralSource {
        /// Police.
        Police,
        /// Probation.
        Probation,
        /// Local authority.
        LocalAuthority,
        /// Health, of no kind below.
        Health,
        /// The person themself.
        SelfReferral,
        /// Somebody else.
        Other,
        /// A GP trained by IRIS.
        GpIris,
        /// Athena midwives.
        AthenaMidwives,
        /// ECHO health visitors.
        EchoHealthVisitors,
        /// A MARAC.
        Marac,
        /// Another specialist service.
        AnotherService,
    }

    /// What a service did about an alert.
    AlertAction {
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
    CancelReason {
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

    /// Why an investigation ended without a charge.
    NoFurtherActionReason {
        /// Not enough evidence.
        Evidential,
        /// The victim does not support it.
        VictimDoesNotSupport,
        /// Not in the public interest.
        NotInPublicInterest,
        /// No offence after all.
        NoOffence,
        /// Any other.
        Other,
    }

    /// How a prosecution ended.
    CourtResult {
        /// Convicted.
        Convicted,
        /// Acquitted.
        Acquitted,
        /// Not gone on with.
        Discontinued,
        /// Any other way.
        Other,
    }

    /// A condition of a caution.
    CautionCondition {
        /// Op Cara: two workshops.
        OpCara,
        /// Another programme.
        OtherProgramme,
        /// No contact with the victim.
        NoContact,
        /// Stay away from a place.
        Exclusion,
        /// Compensation.
        Compensation,
        /// Any other.
        Other,
    }

    /// Route of a request under the Domestic Violence Disclosure Scheme (Clare's Law).
    DisclosureRoute {
        /// Asked by or for the person who may be at risk.
        RightToAsk,
        /// Started by police.
        RightToKnow,
    }

    /// What police decided about such a request.
    DisclosureDecision {
        /// Disclosed.
        Disclosed,
        /// Not disclosed.
        NotDisclosed,
        /// The request was withdrawn.
        Withdrawn,
    }

    /// How good the source of intelligence is (3x5x2: 1 to 3).
    SourceEvaluation {
        /// 1.
        Reliable,
        /// 2.
        Untested,
        /// 3.
        NotReliable,
    }

    /// How the source knows it (3x5x2: A to E).
    IntelligenceAssessment {
        /// A.
        KnownDirectly,
        /// B.
        KnownIndirectlyCorroborated,
        /// C.
        KnownIndirectly,
        /// D.
        NotKnown,
        /// E.
        SuspectedFalse,
    }

    /// Handling code of intelligence (3x5x2: P or C).
    Handling {
        /// May be shared.
        Permitted,
        /// On conditions; not shared from here.
        Conditions,
    }

    /// A cohort for intensive work.
    CohortKind {
        /// The Drive project.
        Drive,
        /// Multi-agency tasking and coordination.
        Matac,
        /// High Risk Domestic Abuse.
        HighRiskDomesticAbuse,
    }

    /// Into a cohort or out of it.
    CohortState {
        /// Taken in.
        Entered,
        /// Let go.
        Left,
    }

    /// Who graded a risk, by function.
    Grader {
        /// The officer who responded.
        RespondingOfficer,
        /// A specialist unit.
        SpecialistUnit,
        /// An independent domestic violence adviser.
        Idva,
        /// Somebody else.
        Other,
    }

    /// Why an order or licence ended.
    OrderEndReason {
        /// Completed.
        Completed,
        /// Revoked.
        Revoked,
        /// Recalled.
        Recalled,
        /// Any other.
        Other,
    }

    /// What an order or licence requires.
    RequirementKind {
        /// Building Better Relationships.
        Bbr,
        /// One-to-one work.
        OneToOne,
        /// Not to do something.
        ProhibitedActivity,
        /// Not to contact somebody.
        NoContact,
        /// Not to enter a place.
        Exclusion,
        /// Any other.
        Other,
    }

    /// Why somebody was recalled to custody.
    RecallReason {
        /// A new offence.
        NewOffence,
        /// A breach of the licence.
        Breach,
        /// Any other.
        Other,
    }

    /// Tool of a review of the risk that a person poses.
    ReviewTool {
        /// Spousal Assault Risk Assessment.
        Sara,
        /// Risk of serious harm.
        Rosh,
        /// Any other.
        Other,
    }

    /// The risk that a perpetrator poses, as probation reviewed it; no victim's risk.
    PerpetratorRisk {
        /// Low.
        Low,
        /// Medium.
        Medium,
        /// High.
        High,
        /// Very high.
        VeryHigh,
    }

    /// Which agency referred a case to MARAC.
    MaracReferrer {
        /// Police.
        Police,
        /// An IDVA.
        Idva,
        /// Health.
        Health,
        /// Housing.
        Housing,
        /// Children's services.
        ChildrensServices,
        /// Adult social care.
        AdultSocialCare,
        /// Probation.
        Probation,
        /// Schools and colleges.
        Education,
        /// Substance misuse.
        SubstanceMisuse,
        /// Mental health.
        MentalHealth,
        /// The voluntary sector.
        VoluntarySector,
        /// Somebody else.
        Other,
    }

    /// What a MARAC agreed on, by kind.
    MaracAction {
        /// Support by an IDVA.
        IdvaSupport,
        /// A safety plan.
        SafetyPlanning,
        /// Locks, alarms and the like.
        TargetHardening,
        /// Another home.
        Rehousing,
        /// Children's services.
        ChildrensServices,
        /// A programme for the perpetrator.
        PerpetratorProgramme,
        /// Police.
        PoliceAction,
        /// Probation.
        ProbationAction,
        /// Health.
        HealthAction,
        /// Any other.
        Other,
    }

    /// A child's plan, the least intrusive first.
    ChildPlan {
        /// The whole-family programme, since renamed Supporting Families.
        TroubledFamilies,
        /// Child in need (Children Act 1989 s17).
        ChildInNeed,
        /// Child protection.
        ChildProtection,
        /// In care.
        Care,
    }

    /// A housing matter.
    HousingMatter {
        /// A tenancy.
        Tenancy,
        /// A sanctuary measure: a safer home.
        Sanctuary,
        /// A duty towards somebody homeless.
        Homelessness,
    }

    /// Where a housing matter stands.
    HousingState {
        /// Begun.
        Started,
        /// Over.
        Ended,
    }

    /// On what footing the youth offending team works.
    YouthIntervention {
        /// Prevention.
        Prevention,
        /// Out of court.
        OutOfCourt,
        /// By order of a court.
        CourtOrder,
    }

    /// Why a client does not take up support.
    DeclineReason {
        /// Not now.
        NotNow,
        /// Not wanted.
        NotWanted,
        /// Supported elsewhere.
        OtherSupport,
        /// Not safe to.
        NotSafeToEngage,
        /// Gave none.
        NotGiven,
    }

    /// Why work with a client ended.
    ClosingReason {
        /// Worked through.
        Completed,
        /// Broken off by the client.
        Disengaged,
        /// Moved away.
        MovedAway,
        /// Handed on to another service.
        HandedOn,
        /// Any other.
        Other,
    }
}
