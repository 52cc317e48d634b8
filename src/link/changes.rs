//! What a settlement changed: clusters created, grown, merged, split, shrunk, retired; possible matches; rows.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::weigh::{Comparison, Veto};
use crate::model::ids::{ClusterId, RecordId};
use crate::model::register::RowChange;

/// What happened to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// New records only.
    Created,
    /// One earlier cluster with more records, or under another id since its earliest record changed.
    Grew,
    /// Several earlier clusters, or parts of them.
    Merged,
    /// A part of one earlier cluster; other records of it are elsewhere now.
    Split,
    /// One earlier cluster without records that left the register.
    Shrunk,
    /// The id is no more.
    Retired,
}

impl ChangeKind {
    /// The name in the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "cluster.created",
            Self::Grew => "cluster.grew",
            Self::Merged => "cluster.merged",
            Self::Split => "cluster.split",
            Self::Shrunk => "cluster.shrunk",
            Self::Retired => "cluster.retired",
        }
    }
}

/// One change of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterChange {
    /// What happened.
    pub kind: ChangeKind,
    /// To which cluster.
    pub id: ClusterId,
    /// Where its records were before; for a retired one, where they are now. Sorted.
    pub related: Vec<ClusterId>,
    /// Its records now; none for a retired one. Sorted.
    pub members: Vec<RecordId>,
    /// What joined: records that were together already, a part for each earlier cluster. A record that is new, or
    /// comes from a cluster that was cut, is in none.
    pub parts: Vec<Vec<RecordId>>,
}

/// Two records of different clusters that a person should look at. Carries no identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PossibleMatch {
    /// The record with the smaller id.
    pub a: RecordId,
    /// The other.
    pub b: RecordId,
    /// How they compare.
    pub comparison: Comparison,
    /// Why the two can't be made one, whatever these two records say: other records of theirs are of two persons.
    pub bars: Vec<Veto>,
}

/// Everything one settlement changed. The same set of records settles to the same clusters, however it came.
#[derive(Clone, Default)]
pub struct Settled {
    /// Changes of clusters, by id; a retired one last.
    pub changes: Vec<ClusterChange>,
    /// Ids of all clusters that stood before in what was settled anew, sorted.
    pub touched_before: Vec<ClusterId>,
    /// Ids of all clusters that stand there now, sorted.
    pub touched_after: Vec<ClusterId>,
    /// Possible matches that were not there before.
    pub reviews_raised: Vec<PossibleMatch>,
    /// Possible matches that are no longer any, as `(a, b)`.
    pub reviews_withdrawn: Vec<(RecordId, RecordId)>,
    /// Rows of the register to write.
    pub rows: Vec<RowChange>,
}

/// Clusters by id, with sorted members.
pub(super) type Snapshot = BTreeMap<ClusterId, Vec<RecordId>>;

/// Compares the clusters of one region before and after. `removed` are records that left the register.
pub(super) fn differences(before: &Snapshot, after: &Snapshot, removed: &BTreeSet<RecordId>) -> Vec<ClusterChange> {
    let index = |snapshot: &Snapshot| -> FxHashMap<RecordId, ClusterId> {
        snapshot.iter().flat_map(|(id, members)| members.iter().map(|member| (*member, *id))).collect()
    };
    let was_in = index(before);
    // Where nothing was before, nobody asks where it is now.
    let is_in = if before.is_empty() { FxHashMap::default() } else { index(after) };
    let related = |members: &[RecordId], places: &FxHashMap<RecordId, ClusterId>| -> Vec<ClusterId> {
        let found: BTreeSet<ClusterId> = members.iter().filter_map(|member| places.get(member).copied()).collect();
        found.into_iter().collect()
    };
    let mut changes = Vec::new();
    for (id, members) in after {
        if before.get(id) == Some(members) {
            continue;
        }
        let origins = related(members, &was_in);
        let kind = match origins.as_slice() {
            [] => ChangeKind::Created,
            [origin] => {
                let old = &before[origin];
                let elsewhere = old.iter().any(|member| is_in.get(member).is_some_and(|place| place != id));
                let lost = old.iter().any(|member| removed.contains(member));
                if elsewhere {
                    ChangeKind::Split
                } else if lost && members.len() < old.len() {
                    ChangeKind::Shrunk
                } else {
                    ChangeKind::Grew
                }
            }
            _ => ChangeKind::Merged,
        };
        let parts = match kind {
            ChangeKind::Grew | ChangeKind::Merged => together(members, &origins, before),
            ChangeKind::Created | ChangeKind::Split | ChangeKind::Shrunk | ChangeKind::Retired => Vec::new(),
        };
        changes.push(ClusterChange { kind, id: *id, related: origins, members: members.clone(), parts });
    }
    for (id, members) in before {
        if !after.contains_key(id) {
            let related = related(members, &is_in);
            let (members, parts) = (Vec::new(), Vec::new());
            changes.push(ClusterChange { kind: ChangeKind::Retired, id: *id, related, members, parts });
        }
    }
    changes
}

/// Earlier clusters that are here whole. `members` are sorted.
fn together(members: &[RecordId], origins: &[ClusterId], before: &Snapshot) -> Vec<Vec<RecordId>> {
    let whole = |part: &&Vec<RecordId>| part.iter().all(|member| members.binary_search(member).is_ok());
    origins.iter().map(|origin| &before[origin]).filter(whole).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(clusters: &[(u8, &[u8])]) -> Snapshot {
        let record = |number: &u8| RecordId([*number; 16]);
        clusters.iter().map(|(id, members)| (ClusterId([*id; 16]), members.iter().map(record).collect())).collect()
    }

    fn kinds(before: &Snapshot, after: &Snapshot, removed: &[u8]) -> Vec<(u8, ChangeKind)> {
        let removed = removed.iter().map(|number| RecordId([*number; 16])).collect();
        differences(before, after, &removed).into_iter().map(|change| (change.id.0[0], change.kind)).collect()
    }

    #[test]
    fn every_kind_of_change_is_told() {
        use ChangeKind::*;
        let one = snapshot(&[(1, &[1, 2])]);
        type Case<'a> = (&'a Snapshot, Snapshot, &'a [u8], &'a [(u8, ChangeKind)]);
        let cases: [Case<'_>; 7] = [
            (&Snapshot::new(), one.clone(), &[], &[(1, Created)]),
            (&one, snapshot(&[(1, &[1, 2, 3])]), &[], &[(1, Grew)]),
            (&one, snapshot(&[(1, &[1])]), &[2], &[(1, Shrunk)]),
            (&one, snapshot(&[(1, &[1]), (2, &[2])]), &[], &[(1, Split), (2, Split)]),
            (&one, Snapshot::new(), &[1, 2], &[(1, Retired)]),
            (&one, one.clone(), &[], &[]),
            (&snapshot(&[(1, &[1]), (2, &[2])]), one.clone(), &[], &[(1, Merged), (2, Retired)]),
        ];
        for (before, after, removed, expected) in cases {
            assert_eq!(kinds(before, &after, removed), expected);
        }
    }
}
