//! Routing: to which service a graded risk is referred, and by when. As the strategy has it where nothing else is said.

use super::reader::{Problems, Reader};
use crate::model::event::Risk;
use crate::model::ids::PartyId;

/// Services by what is referred to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// A referral follows a grade within so many days, or the victim is unrouted.
    pub days: u32,
    /// Reviewers are asked about an unrouted victim of this grade or a higher one; the others are counted.
    pub asked_from: Risk,
    /// And for so many days after the assessment.
    pub asked_days: u32,
    /// High risk.
    pub high: PartyId,
    /// Medium risk.
    pub medium: PartyId,
    /// Standard risk.
    pub standard: PartyId,
    /// Counselling; as good as the service for standard risk.
    pub counselling: PartyId,
    /// Runs Up2U: for perpetrators who accept what they did and want to change.
    pub up2u: PartyId,
    /// Runs the workshops of Op Cara: for those with a conditional caution.
    pub op_cara: PartyId,
}

impl Default for Routing {
    fn default() -> Self {
        let party = |name: &str| name.parse().expect("a name of the right form");
        Self {
            days: 7,
            asked_from: Risk::Medium,
            asked_days: 91,
            high: party("idva"),
            medium: party("stop_domestic_abuse"),
            standard: party("victim_care_service"),
            counselling: party("parcs"),
            up2u: party("up2u"),
            op_cara: party("hampton_trust"),
        }
    }
}

impl Routing {
    /// Reads `[routing]`; what is not said keeps its default.
    pub(super) fn read(mut from: Reader<'_>, problems: &mut Problems) -> Self {
        let default = Self::default();
        let days = from.number("days", default.days.into(), (1, 366), problems);
        let asked_days = from.number("asked_days", default.asked_days.into(), (1, 3660), problems);
        let grades = [("standard", Risk::Standard), ("medium", Risk::Medium), ("high", Risk::High)];
        let asked_from = match from.value("asked_from") {
            Some(_) => from.one_of("asked_from", &grades, problems),
            None => None,
        };
        let mut party = |key, default: PartyId| {
            let Some(text) = from.text(key, problems) else { return default };
            text.parse().unwrap_or_else(|_| {
                problems.add(from.key(key), "it has the wrong form", "name a party of the agreement, e.g. idva");
                default
            })
        };
        let routing = Self {
            days: u32::try_from(days).unwrap_or(default.days),
            asked_from: asked_from.unwrap_or(default.asked_from),
            asked_days: u32::try_from(asked_days).unwrap_or(default.asked_days),
            high: party("high", default.high),
            medium: party("medium", default.medium),
            standard: party("standard", default.standard),
            counselling: party("counselling", default.counselling),
            up2u: party("up2u", default.up2u),
            op_cara: party("op_cara", default.op_cara),
        };
        from.finish(problems);
        routing
    }

    /// The service for a grade.
    #[must_use]
    pub fn service(&self, grade: Risk) -> &PartyId {
        match grade {
            Risk::High => &self.high,
            Risk::Medium => &self.medium,
            Risk::Standard => &self.standard,
        }
    }

    /// The highest grade that a service is there for; `None` for one that is not for victims by grade.
    #[must_use]
    pub fn serves(&self, service: &PartyId) -> Option<Risk> {
        let by_grade = [Risk::High, Risk::Medium, Risk::Standard].into_iter();
        let counselling = (*service == self.counselling).then_some(Risk::Standard);
        by_grade.into_iter().find(|grade| self.service(*grade) == service).or(counselling)
    }
}
