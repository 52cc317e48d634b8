//! The register of one scope: the state of each room, side by side.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::rekey::Linkage;
use super::work::Touched;
use crate::assess::ledger::{Ledger, LedgerEvent};
use crate::assess::{Assessed, assess, history};
use crate::config::rules::Rules;
use crate::disclose::identities::Identities;
use crate::disclose::told::Told;
use crate::link::Linker;
use crate::model::ids::{ClusterId, RecordId};
use crate::model::register::RowChange;

/// The register of one scope, each part owned by its room.
pub(super) struct Scope {
    pub(super) ledger: Ledger,
    pub(super) linker: Linkage,
    pub(super) identities: Identities,
    pub(super) told: Told,
}

impl Scope {
    pub(super) fn assess(&self, cluster: ClusterId, as_of: Date, rules: &Rules) -> Assessed {
        let members = self.linker.members(cluster);
        assess(&self.ledger, cluster, members, |record| self.linker.cluster_of(record), as_of, rules)
    }

    /// Linked persons who share an event with this one.
    pub(super) fn neighbours(&self, cluster: ClusterId) -> Vec<ClusterId> {
        neighbours(&self.ledger, &self.linker, cluster)
    }

    /// Undoes what an event that left force had brought about.
    pub(super) fn leave(&mut self, event: &LedgerEvent, touched: &mut Touched) {
        for (one, other) in opposing(event) {
            self.linker.allow(one, other);
        }
        for person in &event.participants {
            touched.records.insert(person.record);
            touched.clusters.extend(self.linker.cluster_of(person.record));
            touched.records.extend(self.ledger.records_of_case(person.local_ref));
        }
    }

    /// Forgets the records of events that left force, unless another event names them, and says which.
    pub(super) fn forget_unmentioned<'a>(&mut self, left: impl Iterator<Item = &'a LedgerEvent>) -> BTreeSet<RecordId> {
        let named = left.flat_map(|event| &event.participants).map(|person| person.record);
        let forgotten: BTreeSet<_> = named.filter(|record| self.ledger.mentions(*record) == 0).collect();
        for record in &forgotten {
            self.linker.remove(*record);
            self.identities.remove(*record);
        }
        forgotten
    }

    /// Rows that the rooms changed, other than linkage's.
    pub(super) fn rows(&mut self) -> Vec<RowChange> {
        let mut rows = self.ledger.take_changes();
        rows.extend(self.identities.take_changes());
        rows.extend(self.told.take_changes());
        rows
    }
}

/// Linked persons who share an event with this one.
pub(super) fn neighbours(ledger: &Ledger, linker: &Linker, cluster: ClusterId) -> Vec<ClusterId> {
    let events = linker.members(cluster).iter().flat_map(|record| ledger.of_record(*record));
    let others = events.flat_map(|(_, event)| &event.participants);
    others.filter_map(|person| linker.cluster_of(person.record)).filter(|other| *other != cluster).collect()
}

/// The pairs of records that one event says are two people: both parties, and neither with a child.
pub(super) fn opposing(event: &LedgerEvent) -> Vec<(RecordId, RecordId)> {
    let people = &event.participants;
    let mut pairs = Vec::new();
    for (at, one) in people.iter().enumerate() {
        let others = people[at + 1..].iter().filter(|other| history::opposes(one.role, other.role));
        pairs.extend(others.filter(|other| other.record != one.record).map(|other| (one.record, other.record)));
    }
    pairs
}
