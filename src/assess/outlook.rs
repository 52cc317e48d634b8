//! What an event could bring about, whatever else is known: for whoever wants to know before it is sent.

use crate::model::event::{Answer, Detail, Role};
use crate::model::finding::FindingKind;

/// Every kind of finding that an event could be the trigger of, about somebody who has that role in it: a child, or
/// somebody of 16 or over.
#[must_use]
pub fn outlook(detail: &Detail, role: Role) -> Vec<FindingKind> {
    let kinds = FindingKind::ALL.iter().copied();
    kinds.filter(|kind| could_trigger(*kind, detail, role)).collect()
}

fn could_trigger(kind: FindingKind, detail: &Detail, role: Role) -> bool {
    let (is_victim, is_perpetrator) = (role == Role::Victim, role == Role::Perpetrator);
    let is_party = is_victim || is_perpetrator;
    let reports = matches!(detail, Detail::Incident { .. } | Detail::Crime { domestic_abuse: true, .. });
    let is_report = is_party && reports;
    match kind {
        FindingKind::NewReport => reports && (is_party || role == Role::Child),
        FindingKind::LinkedToOpenChild | FindingKind::SamePairAgain | FindingKind::BothRoles => is_report,
        FindingKind::RepeatVictim | FindingKind::ThreeInTwelveMonths | FindingKind::SuccessivePerpetrators => {
            is_report && is_victim
        }
        FindingKind::RepeatPerpetrator
        | FindingKind::SerialPerpetrator
        | FindingKind::ReportAfterProgramme
        | FindingKind::RightToKnow => is_report && is_perpetrator,
        FindingKind::DvdsOverdue => {
            is_perpetrator && matches!(detail, Detail::DvdsRequest { decision: None, decided_on: None, .. })
        }
        FindingKind::MashContacts => (is_party || role == Role::Child) && matches!(detail, Detail::MashContact { .. }),
        FindingKind::MaracRepeat => {
            let by_mash = matches!(detail, Detail::MashContact { domestic_abuse: Answer::Yes, .. });
            is_report || is_party && by_mash
        }
        FindingKind::OrderMade => is_party && matches!(detail, Detail::ProtectionOrder { breached_on: None, .. }),
        FindingKind::OrderBreached => {
            is_report || is_party && matches!(detail, Detail::ProtectionOrder { breached_on: Some(_), .. })
        }
        FindingKind::RiskEscalated | FindingKind::Unrouted => {
            is_victim && matches!(detail, Detail::RiskAssessment { .. })
        }
        FindingKind::KnownToSeveralAgencies => is_party && detail.says_who_is_known(),
    }
}
