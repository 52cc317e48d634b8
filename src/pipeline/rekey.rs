//! Another linkage key while the daemon works: the register is hashed anew from sealed identities, some records at a time,
//! beside the one in use, which takes its place once it is whole.
//!
//! Ids do not come from the linkage key, so nothing but tokens changes: the same people, the same findings, the same
//! pseudonyms on what was told. Rows of records, links and decisions stand under their scope and the epoch of their tokens,
//! `portsmouth@2`: a restart finds how far it had come, and goes on. Until the change, events are hashed under the earlier
//! key; after it, that key's rows go, some at a time, and once none is left the key may end.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use rand::CryptoRng;
use serde_json::json;

use super::scope::{Scope, opposing};
use super::setup::MadeWith;
use super::work::Work;
use super::{BadRegister, BatchReport, Engine, Now, People};
use crate::assess::ledger::LedgerEvent;
use crate::audit::AuditKind;
use crate::link::{BadRow, Decision, Linker, Settled};
use crate::log::{RegisterRow, Transaction};
use crate::model::decision::{Judgement, Subject};
use crate::model::event::Detail;
use crate::model::ids::{LocalRefId, PartyId, RecordId, ScopeId};
use crate::model::register::{RowChange, RowKind};
use crate::model::tokens::PersonTokens;
use crate::pseudonymise::event::rehashed;

/// Records hashed, and rows deleted, in one transaction at the most.
const AT_ONCE: usize = 500;

/// The linker in use, and the one that is being made under another key. What happens to people happens to both.
pub(super) struct Linkage {
    live: Linker,
    next: Option<Next>,
}

struct Next {
    epoch: u32,
    linker: Linker,
    /// Records that it may still lack.
    todo: Vec<RecordId>,
}

impl Linkage {
    pub(super) fn new(live: Linker) -> Self {
        Self { live, next: None }
    }

    pub(super) fn insert(&mut self, record: RecordId, agency: PartyId, local_ref: LocalRefId, tokens: &PersonTokens) {
        if let Some(next) = &mut self.next {
            next.todo.push(record);
        }
        self.live.insert(record, agency, local_ref, tokens);
    }

    pub(super) fn remove(&mut self, record: RecordId) {
        self.both(|linker| linker.remove(record));
    }

    pub(super) fn forbid(&mut self, a: RecordId, b: RecordId) {
        self.both(|linker| linker.forbid(a, b));
    }

    pub(super) fn restore_forbidden(&mut self, pairs: &[(RecordId, RecordId)]) {
        self.both(|linker| linker.restore_forbidden(pairs));
    }

    pub(super) fn allow(&mut self, a: RecordId, b: RecordId) {
        self.both(|linker| linker.allow(a, b));
    }

    pub(super) fn decide(&mut self, a: RecordId, b: RecordId, decision: Option<Decision>) {
        self.both(|linker| linker.decide(a, b, decision));
    }

    fn both(&mut self, change: impl Fn(&mut Linker)) {
        change(&mut self.live);
        if let Some(next) = &mut self.next {
            change(&mut next.linker);
        }
    }

    /// Rows that changed in the linker to come, and the epoch that they stand under.
    pub(super) fn rows_to_come(&mut self) -> Option<(u32, Vec<RowChange>)> {
        let next = self.next.as_mut()?;
        Some((next.epoch, next.linker.take_rows()))
    }

    /// After a restart: what the linker to come lacks, or has too much.
    pub(super) fn resume(&mut self) -> Result<(), BadRow> {
        let Some(next) = &mut self.next else { return Ok(()) };
        next.linker.settle_restored()?;
        for record in next.linker.record_ids().filter(|record| !self.live.holds(*record)).collect::<Vec<_>>() {
            next.linker.remove(record);
        }
        next.todo = self.live.record_ids().filter(|record| !next.linker.holds(*record)).collect();
        Ok(())
    }
}

impl Deref for Linkage {
    type Target = Linker;

    fn deref(&self) -> &Linker {
        &self.live
    }
}

impl DerefMut for Linkage {
    fn deref_mut(&mut self) -> &mut Linker {
        &mut self.live
    }
}

impl Engine {
    /// The epoch under which a scope's people are hashed at present.
    pub(super) fn key_epoch(&self, scope: &ScopeId) -> u32 {
        let held = self.key_epochs.get(scope).copied();
        held.or_else(|| self.setup.linkage_epoch(scope)).unwrap_or(0)
    }

    /// What the register of a scope says that it was made with.
    pub(super) fn mark(&self, scope: &ScopeId) -> MadeWith {
        MadeWith { key_epoch: self.key_epoch(scope), ..self.setup.made_with(scope) }
    }

    /// Takes a row of linkage back in: of the epoch in use, of the one to come, or of one that has gone.
    pub(super) fn restore_linkage(
        &mut self,
        key: &[u8],
        (kind, scope, id): (RowKind, &str, &[u8]),
        value: &[u8],
    ) -> Result<(), BadRegister> {
        let bad = |_| BadRegister::Form;
        let (scope, epoch) = scope.split_once('@').ok_or(BadRegister::Form)?;
        let (scope, epoch): (ScopeId, u32) =
            (scope.parse().map_err(|_| BadRegister::Form)?, epoch.parse().map_err(|_| BadRegister::Form)?);
        let (live, to_come) = (self.key_epoch(&scope), self.setup.linkage_epoch(&scope));
        let former = self.former.get_mut(&scope);
        if epoch == live {
            let relinks = former.is_some();
            former.map_or(Ok(()), |former| former.restore(kind, id, value)).map_err(bad)?;
            let linker = &mut self.scope_mut(&scope).linker;
            if relinks { linker.take_over(kind, id, value) } else { linker.restore(kind, id, value) }.map_err(bad)
        } else if Some(epoch) == to_come && former.is_none() {
            let model = self.setup.model_under(&scope, epoch);
            let next = &mut self.scope_mut(&scope).linker.next;
            let next = next.get_or_insert_with(|| Next { epoch, linker: Linker::new(model), todo: Vec::new() });
            next.linker.restore(kind, id, value).map_err(bad)
        } else {
            self.leftover.entry(scope).or_default().push(key.to_vec());
            Ok(())
        }
    }

    /// One step towards the active linkage key, if the register is made with another one, or has rows of another one left:
    /// some records hashed anew, the change, or some rows deleted. `None` when there is nothing to do.
    pub fn rekey(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Option<(Transaction, BatchReport)> {
        let scopes: Vec<ScopeId> = self.scopes.keys().cloned().collect();
        for id in scopes {
            let mut work = Work::new(now, rng);
            let Some(target) = self.setup.linkage_epoch(&id).filter(|_| !self.cannot_rekey.contains(&id)) else {
                continue;
            };
            let moves = if self.leftover.contains_key(&id) {
                self.sweep(&id, &mut work);
                true
            } else {
                target != self.key_epoch(&id) && self.rehash(&id, target, now, rng, &mut work)
            };
            if moves {
                return Some(self.finish(work));
            }
        }
        None
    }

    /// Deletes some rows of an epoch that has gone.
    fn sweep(&mut self, id: &ScopeId, work: &mut Work) {
        let Some(rows) = self.leftover.get_mut(id) else { return };
        let rest = rows.len().saturating_sub(AT_ONCE);
        for key in rows.split_off(rest) {
            work.transaction.register.push(RegisterRow { partition: self.partition, key, value: None });
        }
        if rest == 0 {
            self.leftover.remove(id);
        }
    }

    /// Hashes some records anew; after the last one, the register is that of the new key.
    fn rehash(&mut self, id: &ScopeId, target: u32, now: Now, rng: &mut dyn CryptoRng, work: &mut Work) -> bool {
        let setup = Arc::clone(&self.setup);
        let (Some(hash), Some(scope)) = (setup.hash_under(id, target), self.scopes.get_mut(id)) else { return false };
        if let Some(stale) = scope.linker.next.take_if(|next| next.epoch != target) {
            // The key was rotated once more before the change.
            self.leftover.entry(id.clone()).or_default().extend(row_keys(id, stale.epoch, &stale.linker));
            return true;
        }
        if scope.linker.next.is_none() {
            scope.begin(target, Linker::new(setup.model_under(id, target)));
        }
        let Scope { ledger, linker, identities, .. } = scope;
        let next = linker.next.as_mut().expect("begun above");
        let rest = next.todo.len().saturating_sub(AT_ONCE);
        for record in next.todo.split_off(rest) {
            let named = ledger.of_record(record).iter().find_map(|(_, event)| {
                let person = event.participants.iter().find(|person| person.record == record)?;
                Some((event.agency.clone(), person.local_ref))
            });
            let (Some((agency, local_ref)), true) = (named, linker.live.holds(record)) else { continue };
            let sealed = identities.sealed(record);
            let tokens = sealed.and_then(|sealed| {
                let vault = setup.keys.vault_of(sealed.epoch)?;
                rehashed(hash, vault, id, record, sealed)
            });
            let Some(tokens) = tokens else {
                // Going on would forget a person; the register stays under the key that it has.
                next.todo.push(record);
                self.cannot_rekey.insert(id.clone());
                tracing::error!(scope = %id, "a record cannot be hashed anew: its sealed identity does not open, or was sealed at the source; the linkage key in use stays");
                return false;
            };
            next.linker.insert(record, agency, local_ref, &tokens);
        }
        let settled = next.linker.settle();
        for row in settled.rows {
            work.change(self.partition, &under(id, target), row);
        }
        if next.todo.is_empty() {
            self.change_over(id, target, now, rng, work);
        }
        true
    }

    /// The register under the new key takes the place of the one in use. What is told is the difference, and there is none
    /// unless two names met by chance under one of the keys.
    fn change_over(&mut self, id: &ScopeId, target: u32, now: Now, rng: &mut dyn CryptoRng, work: &mut Work) {
        let from = self.key_epoch(id);
        let scope = self.scopes.get_mut(id).expect("its records were hashed just now");
        let Some(next) = scope.linker.next.take() else { return };
        let former = std::mem::replace(&mut scope.linker.live, next.linker);
        let settled: Settled = scope.linker.live.in_place_of(&former);
        let before: BTreeSet<_> = settled.touched_before.iter().copied().collect();
        let concerned = settled.touched_after.clone();
        self.leftover.insert(id.clone(), row_keys(id, from, &former));
        self.key_epochs.insert(id.clone(), target);
        self.marked.remove(id);
        let body = json!({
            "linkage_key": {"from_epoch": from, "to_epoch": target, "records": former.record_ids().count(),
                "people_changed": concerned.len()},
        });
        work.audit(AuditKind::Alteration, id, body);
        self.tell(id, settled, work);
        if !before.is_empty() || !concerned.is_empty() {
            let people = self.assess(id, &concerned, now);
            self.publish(id, People { before: &before, now: &people, former: Vec::new() }, now, rng, work);
        }
    }

    /// Is there more to do for `rekey`?
    #[must_use]
    pub fn rekeys(&self) -> bool {
        self.scopes.keys().filter(|scope| !self.cannot_rekey.contains(*scope)).any(|scope| {
            let target = self.setup.linkage_epoch(scope);
            self.leftover.contains_key(scope) || target.is_some_and(|target| target != self.key_epoch(scope))
        })
    }

    /// Linkage keys in the ring that no row of this partition needs any more: they may end.
    #[must_use]
    pub fn spent_linkage_keys(&self) -> Vec<(ScopeId, u32)> {
        let spent = |scope: &ScopeId, epoch: u32| {
            let target = self.setup.linkage_epoch(scope);
            self.scopes.contains_key(scope)
                && Some(self.key_epoch(scope)) == target
                && Some(epoch) != target
                && !self.leftover.contains_key(scope)
        };
        let keys = self.setup.keys.linkage_keys().map(|key| (key.scope().clone(), key.epoch()));
        keys.filter(|(scope, epoch)| spent(scope, *epoch)).collect()
    }

    /// Does a register of this partition stand, wholly or in part, under this key?
    #[must_use]
    pub fn needs_linkage_key(&self, scope: &ScopeId, epoch: u32) -> bool {
        self.scopes.contains_key(scope) && (self.key_epoch(scope) == epoch || self.leftover.contains_key(scope))
    }

    /// Says in the audit that a linkage key ends. Commit it, then destroy the key: the other way round a fault in between
    /// would lose the record.
    pub fn end_linkage_key(&mut self, scope: &ScopeId, epoch: u32, now: Now, rng: &mut dyn CryptoRng) -> Transaction {
        let mut work = Work::new(now, rng);
        work.audit(AuditKind::Erasure, scope, json!({"linkage_key": {"destroyed_epoch": epoch}}));
        self.finish(work).0
    }
}

impl Scope {
    /// Begins a register under another key: nobody in it yet, and what is known of pairs.
    fn begin(&mut self, epoch: u32, mut linker: Linker) {
        for (_, event) in self.ledger.iter() {
            for (one, other) in opposing(event) {
                linker.forbid(one, other);
            }
            if let Some((a, b, decision)) = self.decided(event) {
                linker.decide(a, b, Some(decision));
            }
        }
        let todo = self.linker.live.record_ids().collect();
        self.linker.next = Some(Next { epoch, linker, todo });
    }

    fn decided(&self, event: &LedgerEvent) -> Option<(RecordId, RecordId, Decision)> {
        let Detail::Decision { records, finding, .. } = &event.detail else { return None };
        let subject = Subject::of(records, *finding)?;
        let Subject::Pair(a, b) = subject else { return None };
        match self.ledger.decision(subject)? {
            Judgement::Same => Some((a, b, Decision::Same)),
            Judgement::Different => Some((a, b, Decision::Different)),
            Judgement::Seen | Judgement::Undecided => None,
        }
    }
}

/// Where rows of linkage stand: their scope and the epoch of their tokens.
#[must_use]
pub fn under(scope: &ScopeId, epoch: u32) -> String {
    format!("{scope}@{epoch}")
}

fn row_keys(scope: &ScopeId, epoch: u32, linker: &Linker) -> Vec<Vec<u8>> {
    let scope = under(scope, epoch);
    let key = |(kind, id): (RowKind, Vec<u8>)| super::work::row_key(kind, &scope, &id);
    linker.row_ids().into_iter().map(key).collect()
}
