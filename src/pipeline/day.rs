//! A new day: windows move, orders run out, retention ends, the agreement may have changed. Everybody is looked at again, some
//! people in each transaction, so that none grows with the register and events are taken in between.
//!
//! A day that was not finished needs no mark: whoever goes on after a restart looks at everybody again, and who was told
//! already is not told twice. Only where what was told rests on other keys or on another agreement, everybody is told
//! anew in one transaction, with the line of the audit that says why.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::{CryptoRng, Rng};

use super::work::{BatchReport, Work};
use super::{Engine, Now, People};
use crate::log::Transaction;
use crate::model::ids::{ClusterId, ScopeId};

/// How many people one transaction of a new day looks at.
const AT_ONCE: usize = 500;

impl Engine {
    /// Is there somebody left to be looked at as of this day?
    #[must_use]
    pub fn is_due(&self, now: Now) -> bool {
        self.assessed_as_of != Some(now.as_of) || !self.unseen.is_empty()
    }

    /// Looks at some people again when the day has changed, or after a restart. `None` when nothing came of it; call it until
    /// [`Engine::is_due`] says that all is done.
    pub fn advance(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Option<(Transaction, BatchReport)> {
        if !self.is_due(now) {
            return None;
        }
        let mut work = Work::new(now, rng);
        if self.assessed_as_of != Some(now.as_of) {
            self.begin_day(now, rng, &mut work);
        }
        if let Some(mut scope) = self.unseen.first_entry() {
            let rest = scope.get().len().saturating_sub(AT_ONCE);
            let some = scope.get_mut().split_off(rest).into_iter().collect();
            let id = scope.key().clone();
            if rest == 0 {
                scope.remove();
            }
            self.look_at(&id, some, now, rng, &mut work);
        }
        if self.unseen.is_empty() {
            self.tell_rotated(now, rng, &mut work);
        }
        let (transaction, report) = self.finish(work);
        (!transaction.register.is_empty() || !transaction.outputs.is_empty()).then_some((transaction, report))
    }

    fn begin_day(&mut self, now: Now, rng: &mut dyn CryptoRng, work: &mut Work) {
        self.assessed_as_of = Some(now.as_of);
        self.unseen.clear();
        self.setup.forget_people();
        self.tell_relinked(work);
        let at_once = self.note_agreement(now, work) | self.has_other_keys();
        for id in self.scopes.keys().cloned().collect::<Vec<_>>() {
            if let Some(touched) = self.expire(&id, now, work) {
                self.settle(&id, touched, now, rng, work);
            }
            let (keys, salts) = (Arc::clone(&self.setup.keys), &mut work.salts);
            let former = self.former_recipients(&id);
            let scope = self.scopes.get_mut(&id).expect("listed above");
            scope.identities.reseal(&id, &keys, || {
                let mut nonce = [0; 12];
                salts.fill_bytes(&mut nonce);
                nonce
            });
            self.take_back_earlier(&id, now, rng, work);
            let scope = self.scopes.get(&id).expect("listed above");
            let linked: BTreeSet<_> = scope.linker.clusters().map(|(cluster, _)| cluster).collect();
            let mut before: BTreeSet<_> = linked.iter().copied().chain(scope.told.clusters()).collect();
            let mut people = Vec::new();
            if at_once || !former.is_empty() {
                people = self.assess(&id, &Vec::from_iter(linked), now);
            } else if !before.is_empty() {
                self.unseen.insert(id.clone(), std::mem::take(&mut before).into_iter().collect());
            }
            // With nobody to look at, what expired and what was sealed anew is written all the same.
            self.publish(&id, People { before: &before, now: &people, former }, now, rng, work);
        }
    }

    /// Looks at people who were there when the day began; meanwhile they may have become others.
    fn look_at(
        &mut self,
        id: &ScopeId,
        before: BTreeSet<ClusterId>,
        now: Now,
        rng: &mut dyn CryptoRng,
        work: &mut Work,
    ) {
        let Some(scope) = self.scopes.get(id) else { return };
        let is_there = |cluster: &ClusterId| !scope.linker.members(*cluster).is_empty();
        let people: Vec<_> = before.iter().copied().filter(is_there).collect();
        let people = self.assess(id, &people, now);
        self.publish(id, People { before: &before, now: &people, former: Vec::new() }, now, rng, work);
    }
}
