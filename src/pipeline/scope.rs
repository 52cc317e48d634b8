//! The register of one scope: the state of each room, side by side.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rayon::prelude::*;
use smallvec::SmallVec;

use super::rekey::Linkage;
use super::work::Touched;
use crate::assess::ledger::{Ledger, LedgerEvent};
use crate::assess::{Assessed, assess, history};
use crate::config::rules::Rules;
use crate::disclose::identities::Identities;
use crate::disclose::told::Told;
use crate::link::{ChangeKind, ClusterChange, Settled};
use crate::model::ids::{ClusterId, RecordId};
use crate::model::register::RowChange;

/// People whose histories are read together: enough to wait for memory once for many, and few enough that what was read stays
/// near the processor until it is assessed.
const ASSESSED_TOGETHER: usize = 64;

/// The register of one scope, each part owned by its room.
pub(super) struct Scope {
    pub(super) ledger: Ledger,
    pub(super) linker: Linkage,
    pub(super) identities: Identities,
    pub(super) told: Told,
}

impl Scope {
    /// Assesses linked persons, in their order.
    pub(super) fn assess(&self, people: &[ClusterId], as_of: Date, rules: &Rules) -> Vec<Assessed> {
        let some = |people: &[ClusterId]| {
            let people: Vec<_> = people.iter().map(|cluster| (*cluster, self.linker.members(*cluster))).collect();
            assess(&self.ledger, &people, |records| self.linker.clusters_of(records), as_of, rules)
        };
        people.par_chunks(ASSESSED_TOGETHER).flat_map_iter(some).collect()
    }

    /// Whoever shares an event with somebody of whom they see something else than before; `concerned` are all who changed,
    /// by id. What is found of people and what is told of them depends on others in these ways alone: who is one person
    /// (findings count different counterparties), whose client somebody is and who works where (inboxes that something must
    /// not reach), whether somebody in both roles awaits a review (who is not named), and what stands in the place of an
    /// event that others speak of.
    pub(super) fn see_otherwise(
        &self,
        settled: &Settled,
        around: &[RecordId],
        concerned: &[Assessed],
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
        others.sort_unstable();
        let is_seen_otherwise =
            |person: &&Assessed| person.in_both_roles || others.binary_search(&person.cluster).is_ok();
        let neighbours = concerned.iter().filter(is_seen_otherwise).flat_map(|person| &person.neighbours);
        let is_concerned =
            |cluster: &ClusterId| concerned.binary_search_by_key(cluster, |person| person.cluster).is_ok();
        let mut neighbours: Vec<_> = neighbours.copied().collect();
        neighbours.sort_unstable();
        neighbours.dedup();
        neighbours.retain(|cluster| !is_concerned(cluster));
        neighbours
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

/// The pairs of records that one event says are two people: both parties, and neither with a child.
pub(super) fn opposing(event: &LedgerEvent) -> SmallVec<[(RecordId, RecordId); 2]> {
    let people = &event.participants;
    let mut pairs = SmallVec::new();
    for (at, one) in people.iter().enumerate() {
        let others = people[at + 1..].iter().filter(|other| history::opposes(one.role, other.role));
        pairs.extend(others.filter(|other| other.record != one.record).map(|other| (one.record, other.record)));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::link::{LinkageModel, Linker};
    use crate::model::tokens::PersonTokens;

    fn cluster(number: u8) -> ClusterId {
        ClusterId([number; 16])
    }

    /// A scope with one record, and whose that is.
    fn scope(record: RecordId) -> (Scope, ClusterId) {
        let mut linker = Linkage::new(Linker::new(Arc::new(LinkageModel::compiled_in())));
        let agency = "police".parse().expect("a name");
        linker.insert(record, agency, Default::default(), &PersonTokens::default());
        linker.settle();
        let cluster = linker.cluster_of(record).expect("it is held");
        let (identities, told) = (Identities::default(), Told::default());
        (Scope { ledger: Ledger::default(), linker, identities, told }, cluster)
    }

    fn person(cluster: ClusterId, neighbours: &[ClusterId], in_both_roles: bool) -> Assessed {
        let (findings, profiles, cases) = (Vec::new(), Vec::new(), BTreeMap::new());
        Assessed { cluster, findings, profiles, cases, neighbours: neighbours.to_vec(), in_both_roles }
    }

    fn settled(kind: ChangeKind, id: ClusterId, related: &[ClusterId]) -> Settled {
        let (members, parts) = (Vec::new(), Vec::new());
        let changes = vec![ClusterChange { kind, id, related: related.to_vec(), members, parts }];
        Settled { changes, ..Settled::default() }
    }

    #[test]
    fn who_sees_somebody_else_than_before_is_looked_at() {
        use ChangeKind::*;
        let (scope, _) = scope(RecordId([9; 16]));
        let (me, other) = (cluster(1), cluster(2));
        let concerned = [person(me, &[cluster(5), cluster(6)], false), person(other, &[cluster(7)], false)];
        let seen = [cluster(5), cluster(6)];
        let cases: [(ChangeKind, &[ClusterId], &[ClusterId]); 7] = [
            (Created, &[], &[]),
            (Grew, &[me], &[]),
            // The same people under another id.
            (Grew, &[other], &seen),
            (Merged, &[me, other], &seen),
            (Split, &[me], &seen),
            (Shrunk, &[me], &seen),
            (Retired, &[other], &seen),
        ];
        for (kind, related, expected) in cases {
            assert_eq!(scope.see_otherwise(&settled(kind, me, related), &[], &concerned), expected, "{kind:?}");
        }
    }

    #[test]
    fn who_shares_an_event_with_somebody_in_both_roles_is_looked_at_once() {
        let (scope, _) = scope(RecordId([9; 16]));
        let nothing = Settled::default();
        let concerned = [person(cluster(1), &[cluster(2), cluster(5)], true), person(cluster(2), &[cluster(6)], false)];
        assert_eq!(
            scope.see_otherwise(&nothing, &[], &concerned),
            [cluster(5)],
            "who is looked at already is left out"
        );
        let concerned = [person(cluster(1), &[cluster(5)], true), person(cluster(2), &[cluster(4), cluster(5)], true)];
        assert_eq!(scope.see_otherwise(&nothing, &[], &concerned), [cluster(4), cluster(5)]);
        let concerned = [person(cluster(1), &[cluster(5)], false)];
        assert!(scope.see_otherwise(&nothing, &[], &concerned).is_empty());
    }

    #[test]
    fn who_shares_an_event_with_a_record_of_which_more_changed_is_looked_at() {
        let record = RecordId([9; 16]);
        let (scope, whose) = scope(record);
        let concerned = [person(whose, &[cluster(5)], false)];
        let nothing = Settled::default();
        assert_eq!(scope.see_otherwise(&nothing, &[record], &concerned), [cluster(5)]);
        assert!(scope.see_otherwise(&nothing, &[RecordId([8; 16])], &concerned).is_empty(), "a record that is gone");
    }
}
