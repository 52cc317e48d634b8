//! Places: the rates that differ between them. Two follow published figures, each named in `calibration.csv`; where none is
//! published, a rate is chosen so that those that are come out. The demonstration is Portsmouth in small, with hardly a
//! family that agencies know for anything else.

use serde::Deserialize;

use crate::model::event::ChildPlan;

/// Which place a city is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Small and dense, for demonstrations and tests.
    Demo,
    /// Portsmouth, by its strategies of 2011, 2017 and 2020.
    Portsmouth,
    /// Stockton-on-Tees, by its strategy of 2017.
    Stockton,
}

impl Place {
    /// The places that follow published figures.
    pub const CALIBRATED: [Place; 2] = [Place::Portsmouth, Place::Stockton];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Place::Demo => "demo",
            Place::Portsmouth => "portsmouth",
            Place::Stockton => "stockton",
        }
    }

    pub(super) fn rates(self) -> &'static PlaceRates {
        match self {
            Place::Demo => &DEMO,
            Place::Portsmouth => &PORTSMOUTH,
            Place::Stockton => &STOCKTON,
        }
    }
}

/// The rates of a place.
pub(super) struct PlaceRates {
    /// People whom agencies come to know, for one year of incidents as many as published.
    pub(super) people: u32,
    /// Kinds of household, in the order of `people::Kind`.
    pub(super) households: [f64; 6],
    /// Families with children at home in which there is abuse; the others are known to children's services alone.
    pub(super) abusive_families: f64,
    /// Abusive relationships that come to notice in a year of a play of one year.
    pub(super) active: f64,
    /// Those that come to notice again in the year after.
    pub(super) stays_active: f64,
    /// Events of an active perpetrator in a year, 1, 2, 3, 4 and more, where they are commonly recorded as crimes.
    pub(super) events: [f64; 4],
    /// The same where they seldom are.
    pub(super) other_events: [f64; 4],
    /// Relationships whose events are commonly recorded as crimes.
    pub(super) crime_type: f64,
    /// Incidents recorded as crimes in those relationships.
    pub(super) crime_of_crime_type: f64,
    /// And in the others.
    pub(super) crime_of_others: f64,
    /// Couples whose perpetrator is the man.
    pub(super) man_is_perpetrator: f64,
    /// Victims of a grown-up child's violence who are the mother.
    pub(super) mother_is_victim: f64,
    /// Perpetrators who move on to another victim.
    pub(super) moves_on: f64,
    /// Children of the household present.
    pub(super) children_present: f64,
    /// Crimes with an arrest.
    pub(super) arrest: f64,
    /// Arrests that lead to a charge.
    pub(super) charge: f64,
    /// Charges that lead to a conviction.
    pub(super) conviction: f64,
    /// High-risk events referred to MARAC.
    pub(super) marac_of_high: f64,
    /// Incidents in households with children that make a MASH contact.
    pub(super) mash_of_incident: f64,
    /// Such contacts after which others tell of the same abuse again and again.
    pub(super) mash_told_again: f64,
    /// Such contacts after which the family comes up for other reasons again and again.
    pub(super) mash_other_reasons: f64,
    /// Contacts about families in which there is abuse, of all that are for other reasons.
    pub(super) mash_same_families: f64,
    /// MASH contacts that involve domestic abuse: sets how many others there are.
    pub(super) mash_with_abuse: f64,
    /// Victims of one event in a service's caseload, by grade high, medium, standard.
    pub(super) reach_first: [f64; 3],
    /// Repeat victims who take help up.
    pub(super) reach_repeat: f64,
    /// Of those who do not, such as were referred and declined.
    pub(super) declined: f64,
    /// Perpetrators who are offered support when they are first reported.
    pub(super) reach_perpetrator: f64,
    /// Clients of substance misuse services, for each incident.
    pub(super) substance_clients: f64,
    /// Plans opened for children, for each incident, and those with domestic abuse as a factor.
    pub(super) plans: [(ChildPlan, f64, f64); 4],
    /// Young people whom the youth offending team works with, for each incident.
    pub(super) youths: f64,
}

impl PlaceRates {
    /// Do the same relationships come to notice year after year? Otherwise others do, the longer the play, the more.
    pub(super) fn is_steady(&self) -> bool {
        self.stays_active >= self.active
    }
}

/// Portsmouth. Events a year: 77.4/14.3/4.4/3.9 % of perpetrators have 1, 2, 3, 4 and more recorded crimes (C09), here
/// before the thinning by `crime_of_crime_type`; 25 % of incidents are repeats (C05), 59 % crimes (C04).
const PORTSMOUTH: PlaceRates = PlaceRates {
    people: 23_400,
    households: [0.22, 0.28, 0.22, 0.06, 0.02, 0.20],
    abusive_families: 0.45,
    active: 0.92,
    stays_active: 0.35,
    events: [0.748, 0.155, 0.046, 0.051],
    other_events: [0.80, 0.13, 0.04, 0.03],
    crime_type: 0.60,
    crime_of_crime_type: 0.92,
    crime_of_others: 0.08,
    man_is_perpetrator: 0.80,
    mother_is_victim: 0.5,
    moves_on: 0.35,
    children_present: 0.55,
    arrest: 0.33,
    charge: 0.34,
    conviction: 0.85,
    marac_of_high: 0.61,
    mash_of_incident: 0.75,
    mash_told_again: 0.071,
    mash_other_reasons: 0.050,
    mash_same_families: 0.1,
    mash_with_abuse: 0.248,
    reach_first: [0.40, 0.12, 0.05],
    reach_repeat: 0.56,
    declined: 0.03,
    reach_perpetrator: 0.031,
    substance_clients: 4_880.0 / 5_508.0,
    plans: [
        (ChildPlan::ChildProtection, 476.0 / 5_508.0, 0.70),
        (ChildPlan::TroubledFamilies, 748.0 / 5_508.0, 0.21),
        (ChildPlan::Care, 0.04, 0.40),
        (ChildPlan::ChildInNeed, 0.2, 0.27),
    ],
    youths: 83.0 / 4_396.0,
};

/// Stockton. 33.4 % of incidents are crimes (C47), 45 % by a victim reported within the 12 months before (C49), 67 % of
/// crimes lead to an arrest (C48), 51 % of arrests go on to court (C50), 75.2 % of those heard there succeed (S17:87).
const STOCKTON: PlaceRates = PlaceRates {
    people: 19_000,
    stays_active: 0.53,
    events: [0.72, 0.17, 0.06, 0.05],
    other_events: [0.80, 0.13, 0.04, 0.03],
    crime_type: 0.28,
    man_is_perpetrator: 0.90,
    moves_on: 0.2,
    mother_is_victim: 0.5,
    children_present: 0.478,
    arrest: 0.675,
    charge: 0.51,
    conviction: 0.752,
    ..PORTSMOUTH
};

const DEMO: PlaceRates = PlaceRates {
    households: [0.32, 0.24, 0.20, 0.11, 0.03, 0.10],
    abusive_families: 0.95,
    stays_active: 0.92,
    mash_same_families: 1.0,
    substance_clients: 0.1,
    ..PORTSMOUTH
};
