//! A register that comes back from its rows: under the model that made them, with nothing compared again; or under another
//! model or key, with what that changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::changes::{Settled, Snapshot, differences};
use super::register::{Linker, Made};
use super::reviews::Question;
use super::rows::{self, BadRow, ProfileKey, Row};
use crate::model::ids::{LocalRefId, RecordId};
use crate::model::register::{RowChange, RowKind};

/// A record's row, read.
pub(super) struct Arrived {
    record: RecordId,
    local_ref: LocalRefId,
    key: ProfileKey,
    made: Made,
}

impl Linker {
    /// Takes a row back, in any order of rows. Call [`Linker::settle_restored`] after the last one.
    ///
    /// # Errors
    /// When it cannot be read, or one before it.
    pub fn restore(&mut self, kind: RowKind, id: &[u8], value: &[u8]) -> Result<(), BadRow> {
        if kind == RowKind::Record {
            return if self.arriving.push(id, value) { self.take_arriving() } else { Ok(()) };
        }
        match rows::read(kind, id, value)? {
            Row::Edge(one, two, weight) => self.arriving_edges.push((one, two, weight)),
            Row::Decision(one, two, decision) => {
                self.pairs.decide(one, two, Some(decision));
            }
        }
        Ok(())
    }

    fn take_arriving(&mut self) -> Result<(), BadRow> {
        let (mut arriving, model) = (std::mem::take(&mut self.arriving), Arc::clone(&self.model));
        let read = |id: &[u8], value: &[u8]| {
            let row = rows::read_record(id, value)?;
            let made = Made::of(&row.tokens, &model);
            Ok(Arrived { record: row.record, local_ref: row.local_ref, key: row.key, made })
        };
        let taken = arriving.turn(read, |rows| self.take_in(rows));
        self.arriving = arriving;
        taken
    }

    /// Takes in records whose rows were read. Edges come as rows, so nothing of them is to be compared.
    fn take_in(&mut self, read: Vec<Result<Arrived, BadRow>>) -> Result<(), BadRow> {
        // Looked up once before: what is looked up for many in a row waits for memory side by side.
        let sought = read.iter().flatten().map(|Arrived { record, key, local_ref, .. }| {
            u32::from(self.holds(*record)) ^ self.profile_slot(key).unwrap_or(0) ^ self.lone(*local_ref).unwrap_or(0)
        });
        std::hint::black_box(sought.fold(0, |all, found| all ^ found));
        for row in read {
            let Arrived { record, local_ref, key, made } = row?;
            if !self.holds(record) {
                let profile = self.profile_slot(&key).unwrap_or_else(|| self.keep(key, made));
                self.hold(record, local_ref, profile);
            }
        }
        Ok(())
    }

    /// As [`Linker::forbid`] of one event each, of a register that comes back: all of it is settled anew in any case.
    pub fn restore_forbidden(&mut self, pairs: &[(RecordId, RecordId)]) {
        let pairs = || pairs.iter().filter(|(a, b)| a != b);
        // Looked up once before, as above.
        std::hint::black_box(
            pairs().filter(|(a, b)| self.pairs.is_forbidden(*a, *b) & self.pairs.is_forbidden(*b, *a)).count(),
        );
        pairs().for_each(|(a, b)| self.pairs.forbid(*a, *b));
    }

    /// Takes a row of a register that another model made: its edges count no more and their rows go; records are compared
    /// again. Settle with [`Linker::relink`] after the last row.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn take_over(&mut self, kind: RowKind, id: &[u8], value: &[u8]) -> Result<(), BadRow> {
        if kind == RowKind::Record {
            let row = rows::read_record(id, value)?;
            if !self.holds(row.record) {
                let profile = self.profile(row.key, &row.tokens);
                self.place(row.record, row.local_ref, profile);
            }
            return Ok(());
        }
        match rows::read(kind, id, value)? {
            Row::Edge(one, two, _) => self.rows.push(rows::edge(one, two, None)),
            Row::Decision(one, two, decision) => {
                self.pairs.decide(one, two, Some(decision));
            }
        }
        Ok(())
    }

    /// Settles what was taken over and tells how it differs from `former`, which holds the same records under the model
    /// that made the rows.
    ///
    /// # Errors
    /// When one of the former's rows cannot be read.
    pub fn relink(&mut self, mut former: Self) -> Result<Settled, BadRow> {
        former.settle_restored()?;
        let before = former.snapshot();
        let asked = former.asked();
        drop(former);
        let settled = self.settle();
        let after = self.snapshot();
        // An edge that is there again is news of its weight, not of its end.
        let rows: BTreeMap<_, _> = settled.rows.into_iter().map(|row| ((row.kind, row.id), row.value)).collect();
        Ok(Settled {
            changes: differences(&before, &after, &BTreeSet::new()),
            touched_before: before.into_keys().collect(),
            touched_after: after.into_keys().collect(),
            // Everything is asked again: what it weighs is another.
            reviews_withdrawn: asked.into_iter().collect(),
            rows: rows.into_iter().map(|((kind, id), value)| RowChange { kind, id, value }).collect(),
            ..settled
        })
    }

    /// Derives the clusters of a register that came back from its rows. Nothing of it is news to anybody.
    ///
    /// # Errors
    /// When one of the rows cannot be read.
    pub fn settle_restored(&mut self) -> Result<(), BadRow> {
        self.take_arriving()?;
        self.take_arriving()?;
        self.take_edges();
        // Keys that crossed the limit on the way in did so before the edges were written.
        self.postings.post();
        drop(self.postings.take_crossed());
        super::settle::settle_anew(self);
        Ok(())
    }

    /// After a restore: what the rows say need not be compared again.
    fn take_edges(&mut self) {
        let edges = std::mem::take(&mut self.arriving_edges);
        // A row of a profile that is no more is left over from nothing: edges leave in the same transaction.
        let place = |(one, two, weight): &(ProfileKey, ProfileKey, i32)| {
            let (one, two) = (self.profile_slot(one)?, self.profile_slot(two)?);
            Some([(one, (two, *weight)), (two, (one, *weight))])
        };
        let mut ends: Vec<(u32, (u32, i32))> = edges.par_iter().filter_map(place).flatten_iter().collect();
        drop(edges);
        ends.par_sort_unstable();
        for of_one in ends.chunk_by(|one, other| one.0 == other.0) {
            self.profiles[of_one[0].0].edges.extend(of_one.iter().map(|(_, edge)| *edge));
        }
    }

    /// What changed for people when this register took the place of `former`, which holds the same records under another
    /// key: only those are touched whose people differ.
    pub fn in_place_of(&mut self, former: &Self) -> Settled {
        let rows = self.take_rows();
        let (before, after) = (former.snapshot(), self.snapshot());
        let only = |one: &Snapshot, other: &Snapshot| {
            one.iter().filter(|(id, members)| other.get(*id) != Some(*members)).map(|(id, _)| *id).collect()
        };
        let new = |one: &Self, other: &Self| -> BTreeSet<(RecordId, RecordId)> {
            let differs = |(a, b, question): &(RecordId, RecordId, Question)| other.question(*a, *b) != Some(*question);
            one.all_questions().filter(differs).map(|(a, b, _)| (a, b)).collect()
        };
        let raised = new(self, former).into_iter().filter_map(|(a, b)| self.possible_match(a, b));
        Settled {
            changes: differences(&before, &after, &BTreeSet::new()),
            touched_before: only(&before, &after),
            touched_after: only(&after, &before),
            reviews_raised: raised.collect(),
            reviews_withdrawn: new(former, self).into_iter().collect(),
            rows,
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.clusters().map(|(id, members)| (id, members.to_vec())).collect()
    }

    pub(super) fn asked(&self) -> BTreeSet<(RecordId, RecordId)> {
        self.all_questions().map(|(a, b, _)| (a, b)).collect()
    }

    /// Every possible match as last told, the smaller id first.
    fn all_questions(&self) -> impl Iterator<Item = (RecordId, RecordId, Question)> {
        let asked = self.reviews.iter();
        let both = asked.flat_map(|(one, others)| others.iter().map(move |(two, question)| (*one, *two, *question)));
        both.filter(|(one, two, _)| one < two)
    }

    fn question(&self, a: RecordId, b: RecordId) -> Option<Question> {
        self.reviews.get(&a)?.iter().find(|(other, _)| *other == b).map(|(_, question)| *question)
    }
}
