//! The register of one scope: the state of each room, side by side.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rayon::prelude::*;

use super::rekey::Linkage;
use super::work::Touched;
use crate::assess::ledger::{Ledger, LedgerEvent};
use crate::assess::{Assessed, assess, history};
use crate::config::rules::Rules;
use crate::disclose::identities::Identities;
use crate::disclose::told::Told;
use crate::link::{ChangeKind, ClusterChange, Linker, Settled};
use crate::model::event::Role;
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

    /// Whoever shares an event with somebody of whom they see something else than before. What is found of people and what
    /// is told of them depends on others in these ways alone: who is one person (findings count different counterparties),
    /// whose client somebody is and who works where (inboxes that something must not reach), whether somebody in both roles
    /// awaits a review (who is not named), and what stands in the place of an event that others speak of.
    pub(super) fn see_otherwise(
        &self,
        settled: &Settled,
        around: &[RecordId],
        concerned: &[ClusterId],
    ) -> Vec<ClusterId> {
        // Records that are new share new events only, whose people are touched themselves; where they only joined a person,
        // that is the person it was.
        let same = |change: &&ClusterChange| match change.kind {
            ChangeKind::Created => true,
            ChangeKind::Grew => change.related == [change.id],
            ChangeKind::Merged | ChangeKind::Split | ChangeKind::Shrunk | ChangeKind::Retired => false,
        };
        let mut others: Vec<_> =
            settled.changes.iter().filter(|change| !same(change)).map(|change| change.id).collect();
        others.extend(around.iter().filter_map(|record| self.linker.cluster_of(*record)));
        others.par_extend(concerned.par_iter().copied().filter(|cluster| self.is_in_both_roles(*cluster)));
        others.sort_unstable();
        others.dedup();
        others.iter().flat_map(|cluster| neighbours(&self.ledger, &self.linker, *cluster)).collect()
    }

    fn is_in_both_roles(&self, cluster: ClusterId) -> bool {
        let (mut as_victim, mut as_perpetrator) = (false, false);
        for record in self.linker.members(cluster) {
            for (_, event) in self.ledger.of_record(*record) {
                for person in event.participants.iter().filter(|person| person.record == *record) {
                    as_victim |= person.role == Role::Victim;
                    as_perpetrator |= person.role == Role::Perpetrator;
                }
            }
        }
        as_victim && as_perpetrator
    }

    /// Undoes what an event that left force had brought about.
    pub(super) fn leave(&mut self, event: &LedgerEvent, touched: &mut Touched) {
        for (one, other) in opposing(event) {
            self.linker.allow(one, other);
        }
        for person in &event.participants {
            touched.around.push(person.record);
            touched.clusters.extend(self.linker.cluster_of(person.record));
            touched.around.extend(self.ledger.records_of_case(person.local_ref));
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
