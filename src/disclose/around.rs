//! One person on the desk, with what is asked of those around them: each question once, however many recipients there are.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::decide::Desk;
use super::identities::OpenedPerson;
use crate::assess::Assessed;
use crate::assess::ledger::Case;
use crate::model::ids::{ClusterId, PartyId, RecordId};

/// Opened identities by record, of those who were asked for.
type Opened = Vec<(RecordId, Option<Rc<OpenedPerson>>)>;

/// One person, while it is decided who is told of them.
pub(super) struct Around<'a> {
    desk: &'a Desk<'a>,
    pub(super) person: &'a Assessed,
    awaits_review: OnceCell<bool>,
    cases: RefCell<BTreeMap<ClusterId, Rc<BTreeMap<PartyId, Case>>>>,
    opened: RefCell<Opened>,
}

impl<'a> Around<'a> {
    pub(super) fn of(desk: &'a Desk<'a>, person: &'a Assessed) -> Self {
        let awaits_review = OnceCell::new();
        Self { desk, person, awaits_review, cases: RefCell::default(), opened: RefCell::default() }
    }

    /// Is this person seen in both roles, and nobody has looked yet?
    pub(super) fn awaits_review(&self) -> bool {
        let ask = || (self.desk.awaits_review)(self.person.cluster);
        self.person.in_both_roles && *self.awaits_review.get_or_init(ask)
    }

    /// Cases of this person or of somebody around.
    pub(super) fn cases_of(&self, cluster: ClusterId) -> Rc<BTreeMap<PartyId, Case>> {
        let mut cases = self.cases.borrow_mut();
        Rc::clone(cases.entry(cluster).or_insert_with(|| Rc::new((self.desk.cases_of)(cluster))))
    }

    /// The identity of a record, if it is held and opens.
    pub(super) fn open(&self, record: RecordId) -> Option<Rc<OpenedPerson>> {
        let mut opened = self.opened.borrow_mut();
        if let Some((_, known)) = opened.iter().find(|(known, _)| *known == record) {
            return known.clone();
        }
        let found = self.desk.identities.open(record, self.desk.scope, self.desk.keys).map(Rc::new);
        opened.push((record, found.clone()));
        found
    }
}
