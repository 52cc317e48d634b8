//! May this recipient be told this about this person, by which clause, naming them how? The policies decide about views;
//! here is what no policy can open: own references need an open case, never both parties of a pair through one inbox,
//! somebody who appears in both roles goes to a human first, and nobody's inbox holds what concerns a colleague.

use std::sync::Arc;

use jiff::ToSpan;

use super::around::Around;
use super::body::Body;
use super::decide::{Desk, Served};
use super::view::{self, Naming};
use crate::assess::Assessed;
use crate::config::agreement::{Channel, Decided, Field, Grant, Kinds, NamedBy, Recipient, View, Ways};
use crate::model::event::Role;
use crate::model::finding::{Finding, Profile};
use crate::model::ids::{ClusterId, RecordId};

/// Why a recipient is not told something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    /// No clause grants it.
    Ungranted,
    /// The person is none of its clients.
    NotInCaseload,
    /// The person was its client, and the case is closed: nothing new, and nothing to correct.
    CaseClosed,
    /// Older than the alert window.
    TooOld,
    /// It would reach both parties of a pair through one inbox.
    BothParties,
    /// The person appears in both roles and nobody has looked yet.
    BothRoles,
    /// Somebody whom it concerns works for the recipient.
    StaffConflict,
}

impl No {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ungranted => "no_clause",
            Self::NotInCaseload => "not_in_caseload",
            Self::CaseClosed => "case_closed",
            Self::TooOld => "too_old",
            Self::BothParties => "both_parties_in_one_caseload",
            Self::BothRoles => "both_roles_awaiting_review",
            Self::StaffConflict => "staff_conflict",
        }
    }

    /// Is it agreed as such, and held for what is known of the people? Such refusals are counted.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::BothParties | Self::BothRoles | Self::StaffConflict)
    }
}

impl Desk<'_> {
    /// The grant and the body of an alert, or why there is none: the recipient's own, or that of one whom it stands in for.
    pub(super) fn alert(
        &self,
        one: &Served<'_>,
        around: &Around<'_>,
        finding: &Finding,
        (own, everybodys): (&Ways, &Decided),
    ) -> Result<(Arc<Grant>, Body), No> {
        let recipient = one.recipient;
        let own = self.alert_of(recipient, recipient, around, finding, own);
        if own.is_ok() {
            return if concerns_staff(recipient, around) { Err(No::StaffConflict) } else { own };
        }
        match one.stands_in_for {
            Some((of, place)) if concerns_staff(of, around) && !concerns_staff(recipient, around) => {
                self.alert_of(of, recipient, around, finding, place.map_or(&[][..], |place| &everybodys[place]))
            }
            Some(_) | None => own,
        }
    }

    /// An alert in the view of `recipient`, for the inbox of `to`.
    fn alert_of(
        &self,
        recipient: &Recipient,
        to: &Recipient,
        around: &Around<'_>,
        finding: &Finding,
        ways: &Ways,
    ) -> Result<(Arc<Grant>, Body), No> {
        let since = self.as_of.saturating_sub(i64::from(self.rules.alert_days).days());
        let (mut grant, named_by) = granted(recipient, around.person, finding.role, ways)?;
        if to.party != recipient.party {
            let findings = Kinds::from_iter([finding.kind]);
            let view = View { channel: Channel::Alert, about: finding.role, named_by, findings };
            grant = self.agreement.policies.grant_in_stead(&recipient.party, &to.party, view);
            if !grant.tells() {
                return Err(No::Ungranted);
            }
        }
        if finding.on < since {
            return Err(No::TooOld);
        }
        let others = finding.counterparts.iter().map(|other| other.cluster);
        self.check_people(recipient, around, finding.role, named_by, others)?;
        let naming = naming(recipient, around, named_by, finding.record)?;
        let perpetrators: Vec<_> = if grant.has(Field::PerpetratorIdentity) {
            let across = finding.counterparts.iter().filter(|other| other.role == Role::Perpetrator);
            // Who is a victim elsewhere may be the victim here: nobody is named as a perpetrator before a human has looked.
            let across = across.filter(|other| !(self.awaits_review)(other.cluster));
            across.filter_map(|other| around.open(other.record)).collect()
        } else {
            Vec::new()
        };
        let body = view::alert(finding, &grant, naming, &perpetrators);
        Ok((grant, body))
    }

    /// The grant and the body of a list entry, or why there is none.
    pub(super) fn list_entry<'w>(
        &self,
        recipient: &Recipient,
        around: &Around<'_>,
        ways: impl Iterator<Item = (&'w Profile, &'w Ways)>,
    ) -> Result<(Arc<Grant>, Body), No> {
        let mut no = No::Ungranted;
        for (profile, ways) in ways {
            match self.entry_in_role(recipient, around, profile, ways) {
                Ok(granted) => return Ok(granted),
                Err(No::Ungranted) => {}
                Err(other) => no = other,
            }
        }
        Err(no)
    }

    fn entry_in_role(
        &self,
        recipient: &Recipient,
        around: &Around<'_>,
        profile: &Profile,
        ways: &Ways,
    ) -> Result<(Arc<Grant>, Body), No> {
        let (grant, named_by) = granted(recipient, around.person, profile.role, ways)?;
        if concerns_staff(recipient, around) {
            return Err(No::StaffConflict);
        }
        self.check_people(recipient, around, profile.role, named_by, around.person.neighbours.iter().copied())?;
        let naming = naming(recipient, around, named_by, profile.record)?;
        // An entry may rest on one finding and be silent about another: each kind is asked about by itself.
        let told = |kind| {
            let findings = Kinds::from_iter([kind]);
            let view = View { channel: Channel::List, about: profile.role, named_by, findings };
            self.agreement.policies.grant(&recipient.party, view).has(Field::Findings)
        };
        let body = view::list_entry(profile, &grant, naming, (self.confidence_of)(around.person.cluster), told);
        Ok((grant, body))
    }

    /// What is known of the people forbids what the policies let through.
    fn check_people(
        &self,
        recipient: &Recipient,
        around: &Around<'_>,
        about: Role,
        named_by: NamedBy,
        others: impl IntoIterator<Item = ClusterId>,
    ) -> Result<(), No> {
        let has_victim = |other: ClusterId| {
            let cases = around.cases_of(other);
            cases.get(&recipient.party).is_some_and(|case| case.open && case.role == Role::Victim)
        };
        // The inbox that the victim's messages come to is not one where the perpetrator is spoken of.
        if about == Role::Perpetrator && others.into_iter().any(has_victim) {
            return Err(No::BothParties);
        }
        // The service that supports a victim hears of its own client whatever else is said of them: a counter-allegation
        // must not silence it. Everything else waits for a human.
        let own_victim = about == Role::Victim && named_by == NamedBy::OwnReference;
        if self.agreement.hold_both_roles && !own_victim && around.awaits_review() {
            return Err(No::BothRoles);
        }
        Ok(())
    }
}

/// Does somebody whom it concerns, the person or anybody who shares an event with them, work for the recipient?
fn concerns_staff(recipient: &Recipient, around: &Around<'_>) -> bool {
    let Some(staff) = &recipient.staff else { return false };
    let works_there = |other| around.cases_of(other).get(staff).is_some_and(|entry| entry.open);
    works_there(around.person.cluster) || around.person.neighbours.iter().copied().any(works_there)
}

/// What the policies grant, with the first way of naming that they let through and the caseload bears.
fn granted(recipient: &Recipient, person: &Assessed, about: Role, ways: &Ways) -> Result<(Arc<Grant>, NamedBy), No> {
    let mut no = No::Ungranted;
    for (named_by, grant) in ways {
        let case = person.cases.get(&recipient.party).filter(|case| case.role == about);
        match (named_by, case) {
            (NamedBy::Name | NamedBy::Pseudonym, _) => return Ok((Arc::clone(grant), *named_by)),
            (NamedBy::OwnReference, Some(case)) if case.open => return Ok((Arc::clone(grant), *named_by)),
            (NamedBy::OwnReference, Some(_)) => no = No::CaseClosed,
            (NamedBy::OwnReference, None) => no = No::NotInCaseload,
        }
    }
    Err(no)
}

fn naming(recipient: &Recipient, around: &Around<'_>, named_by: NamedBy, record: RecordId) -> Result<Naming, No> {
    Ok(match named_by {
        NamedBy::Pseudonym => Naming::Pseudonym,
        NamedBy::OwnReference => {
            let case = around.person.cases.get(&recipient.party).ok_or(No::NotInCaseload)?;
            Naming::OwnReference(around.open(case.record).ok_or(No::NotInCaseload)?)
        }
        NamedBy::Name => around.open(record).map_or(Naming::Pseudonym, Naming::Named),
    })
}
