//! Every rate that is the same in all places. Calibrated ones name the published figure they follow; the others are plausible
//! and say nothing about any real place.

use crate::model::event::ReferralSource;

// Who lives there.

/// Shares of the naming customs, in the order of `Custom::ALL`.
pub(super) const CUSTOMS: [f64; 11] = [0.765, 0.04, 0.025, 0.04, 0.025, 0.025, 0.02, 0.02, 0.01, 0.012, 0.018];
/// Two partners of one custom.
pub(super) const SAME_CUSTOM: f64 = 0.88;
/// English family names from the list of common ones; the rest is compounded.
pub(super) const COMMON_FAMILY_NAME: f64 = 0.55;
/// English family names with a hyphen.
pub(super) const DOUBLE_BARRELLED: f64 = 0.035;
/// English people with a middle name.
pub(super) const MIDDLE_NAME: f64 = 0.68;
/// Couples who are married, and so may share a family name.
pub(super) const MARRIED: f64 = 0.5;
/// Wives who take the name where that is the custom.
pub(super) const TAKES_THE_NAME: f64 = 0.82;
/// Couples of one sex.
pub(super) const SAME_SEX: f64 = 0.03;
/// Births that are of twins.
pub(super) const TWINS: f64 = 0.03;
/// Adult sons who bear their father's first name.
pub(super) const NAMED_AFTER_FATHER: f64 = 0.12;
/// People who move home once while the city plays.
pub(super) const MOVES_HOME: f64 = 0.22;

// What happens.

/// Relationships of the city that are abusive: these people are in the play because agencies come to know them.
pub(super) const ABUSIVE: f64 = 0.95;
/// One more after the fourth, each time.
pub(super) const YET_ANOTHER: f64 = 0.45;
/// Relationships with violence in both directions, and how many of their events are turned round.
pub(super) const MUTUAL: f64 = 0.04;
/// See `MUTUAL`.
pub(super) const TURNED_ROUND: f64 = 0.35;
/// Weights of the months: summer and Christmas (P20:97).
pub(super) const SEASON: [f64; 12] = [1.0, 0.88, 0.95, 0.96, 1.02, 1.1, 1.15, 1.14, 0.98, 0.95, 0.92, 1.12];
/// Alcohol involved: yes, no, not asked; with what is corrected afterwards, 20 % (C56).
pub(super) const ALCOHOL: [f64; 3] = [0.191, 0.529, 0.28];
/// See `CHILDREN_PRESENT`.
pub(super) const CHILDREN_NOT_ASKED: f64 = 0.12;
/// Incidents with a risk assessment.
pub(super) const ASSESSED: f64 = 0.94;
/// Graded high, medium, standard; with `STAYS_AS_HIGH`, 10, 45 and 45 % (C07).
pub(super) const GRADES: [f64; 3] = [0.088, 0.425, 0.487];
/// Assessed with DARA, not DASH.
pub(super) const DARA: f64 = 0.15;
/// High grades raised by judgement below 14 answers.
pub(super) const RAISED: f64 = 0.3;
/// Requests under the disclosure scheme, for each incident.
pub(super) const DISCLOSURE_REQUEST: f64 = 0.015;
/// People who were arrested and want to change: yes, no, not asked.
pub(super) const WANTS_CHANGE: [f64; 3] = [0.12, 0.38, 0.50];
/// Most serious violence.
pub(super) const MOST_SERIOUS: f64 = 0.03;
/// Arrests that end in a conditional caution.
pub(super) const CAUTION: f64 = 0.05;
/// Other crimes that are closed without further action within the play.
pub(super) const NO_FURTHER_ACTION: f64 = 0.6;
/// Crimes followed by a notice or order.
pub(super) const ORDER: f64 = 0.06;
/// Convictions with a restraining order.
pub(super) const RESTRAINED: f64 = 0.4;
/// Orders breached.
pub(super) const BREACHED: f64 = 0.27;
/// See `MARAC_OF_HIGH`.
pub(super) const MARAC_AGAIN: f64 = 0.62;
/// Later events graded at least as high as the one before.
pub(super) const STAYS_AS_HIGH: f64 = 0.35;
/// Contacts about one child of several.
pub(super) const ONE_CHILD: f64 = 0.3;

// Who is supported.

/// Victims who were clients before the play began.
pub(super) const CLIENT_BEFORE: f64 = 0.12;
/// Perpetrators who take up the support that they are offered.
pub(super) const PERPETRATOR_TAKES_UP: f64 = 0.3;
/// Perpetrators who were clients of a service before the play began.
pub(super) const PERPETRATOR_BEFORE: f64 = 0.005;
/// Clients who are referred again after a further report.
pub(super) const STARTS_ANEW: f64 = 0.1;
/// Who refers victims to specialist services; 45 a year from general practice (C38).
pub(super) const REFERRAL_SOURCES: [(ReferralSource, f64); 6] = [
    (ReferralSource::Police, 0.68),
    (ReferralSource::LocalAuthority, 0.10),
    (ReferralSource::Health, 0.035),
    (ReferralSource::SelfReferral, 0.105),
    (ReferralSource::AnotherService, 0.05),
    (ReferralSource::Other, 0.03),
];
/// Clients of the IDVA project whose risk is lower at the end (C41).
pub(super) const RISK_REDUCED: f64 = 0.82;
/// MARAC cases with a sanctuary scheme.
pub(super) const SANCTUARY: f64 = 0.15;
/// Convicts released and recalled.
pub(super) const RECALLED: f64 = 0.04;
/// What clients of substance misuse services disclose: victim, both, perpetrator; not asked; no (C33, C35).
pub(super) const SUBSTANCE_DISCLOSURE: [f64; 5] = [140.0, 78.0, 105.0, 1_836.0, 2_721.0];
/// Young people with the youth offending team who have witnessed abuse, and who have harmed (C54).
pub(super) const YOUTH_WITNESSED: f64 = 0.45;
/// See `YOUTH_WITNESSED`.
pub(super) const YOUTH_HARMED: f64 = 0.28;
/// Convicts with a community order; with Building Better Relationships.
pub(super) const COMMUNITY_ORDER: f64 = 0.7;
/// See `COMMUNITY_ORDER`.
pub(super) const BBR: f64 = 0.45;
/// Perpetrators under probation before the play began.
pub(super) const PROBATION_BEFORE: f64 = 0.04;
/// Programmes completed; broken off with a breach.
pub(super) const COMPLETED: f64 = 0.6;
/// See `COMPLETED`.
pub(super) const PROGRAMME_BREACH: f64 = 0.2;

// What goes wrong in the feeds.

/// Events recorded late.
pub(super) const LATE: f64 = 0.04;
/// Events that are corrected afterwards.
pub(super) const AMENDED: f64 = 0.03;
/// Events that are withdrawn.
pub(super) const CANCELLED: f64 = 0.01;
/// Lines sent again as they were.
pub(super) const RESENT: f64 = 0.01;
/// Originals that a gateway holds back until after their correction.
pub(super) const OVERTAKEN: f64 = 0.1;
/// Events whose clerk wrote a person a little differently from the agency's own record.
pub(super) const SLIP: f64 = 0.05;

/// How one agency writes people down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clerk {
    /// Two records of one person.
    pub(super) duplicate: f64,
    /// A typing error in a name.
    pub(super) typo: f64,
    /// What people call themselves, not what their papers say.
    pub(super) nickname: f64,
    /// Another spelling or transliteration, diacritics lost.
    pub(super) respelled: f64,
    /// Middle names left out.
    pub(super) middle_dropped: f64,
    /// The name before or after marriage.
    pub(super) other_married_name: f64,
    /// The former name noted beside the present one.
    pub(super) former_noted: f64,
    /// Given and family name in each other's place, for names whose order is foreign to the clerk; a tenth for others.
    pub(super) order_swapped: f64,
    /// No date of birth.
    pub(super) no_birth: f64,
    /// A wrong one: day and month swapped, a digit, the first of January.
    pub(super) wrong_birth: f64,
    /// No postcode or address.
    pub(super) no_address: f64,
    /// The address before the last move.
    pub(super) stale_address: f64,
    /// Sex not recorded.
    pub(super) no_sex: f64,
}

/// Police: careful about dates, many nominals.
pub(super) const POLICE: Clerk = Clerk {
    duplicate: 0.07,
    typo: 0.03,
    nickname: 0.06,
    respelled: 0.25,
    middle_dropped: 0.35,
    other_married_name: 0.12,
    former_noted: 0.25,
    order_swapped: 0.08,
    no_birth: 0.04,
    wrong_birth: 0.04,
    no_address: 0.06,
    stale_address: 0.18,
    no_sex: 0.01,
};
/// Probation: identities proven at court.
pub(super) const CRC: Clerk = Clerk {
    duplicate: 0.01,
    typo: 0.012,
    nickname: 0.02,
    respelled: 0.18,
    middle_dropped: 0.25,
    other_married_name: 0.05,
    former_noted: 0.15,
    order_swapped: 0.04,
    no_birth: 0.005,
    wrong_birth: 0.015,
    no_address: 0.04,
    stale_address: 0.2,
    no_sex: 0.0,
};
/// Local authority: often at second hand.
pub(super) const LOCAL_AUTHORITY: Clerk = Clerk {
    duplicate: 0.04,
    typo: 0.035,
    nickname: 0.08,
    respelled: 0.3,
    middle_dropped: 0.6,
    other_married_name: 0.15,
    former_noted: 0.2,
    order_swapped: 0.1,
    no_birth: 0.08,
    wrong_birth: 0.04,
    no_address: 0.05,
    stale_address: 0.12,
    no_sex: 0.02,
};
/// Specialist services: what the client says, and no more than is needed.
pub(super) const SERVICE: Clerk = Clerk {
    duplicate: 0.0,
    typo: 0.04,
    nickname: 0.18,
    respelled: 0.3,
    middle_dropped: 0.85,
    other_married_name: 0.2,
    former_noted: 0.1,
    order_swapped: 0.08,
    no_birth: 0.15,
    wrong_birth: 0.03,
    no_address: 0.2,
    stale_address: 0.1,
    no_sex: 0.08,
};

/// Police nominals of suspects with a false name or date, known as such by nobody.
pub(super) const FALSE_DETAILS: f64 = 0.012;
/// Suspects whose other names the police have noted.
pub(super) const ALIAS_NOTED: f64 = 0.05;
/// People without an address of their own; victims in a refuge's care.
pub(super) const NO_FIXED_ABODE: f64 = 0.015;
/// See `NO_FIXED_ABODE`.
pub(super) const REFUGE: f64 = 0.01;
/// Identifiers typed wrong.
pub(super) const WRONG_IDENTIFIER: f64 = 0.01;
/// Perpetrators with a PNC id, of those a CRO number; anybody else with a PNC id.
pub(super) const PNC: f64 = 0.65;
/// See `PNC`.
pub(super) const CRO: f64 = 0.6;
/// See `PNC`.
pub(super) const PNC_OF_OTHERS: f64 = 0.04;
/// Perpetrators who were in prison.
pub(super) const NOMS: f64 = 0.08;
/// Agencies that know an identifier that exists: (PNC and CRO, NHS, CRN, NOMIS, UPRN) at police, probation, local
/// authority, services.
pub(super) const KNOWN_IDENTIFIERS: [[f64; 5]; 4] =
    [[0.95, 0.0, 0.1, 0.2, 0.15], [0.85, 0.0, 1.0, 0.9, 0.05], [0.0, 0.45, 0.0, 0.0, 0.7], [0.0, 0.08, 0.0, 0.0, 0.05]];
/// Which agencies hold a record of a person, for the linkage rows: perpetrators, victims, children, others; at police,
/// probation, local authority, one service.
pub(super) const KNOWN_TO: [[f64; 4]; 4] =
    [[0.95, 0.3, 0.3, 0.06], [0.92, 0.01, 0.45, 0.45], [0.3, 0.0, 0.75, 0.02], [0.5, 0.08, 0.45, 0.1]];
