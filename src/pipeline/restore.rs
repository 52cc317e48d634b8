//! A register read back after a restart: rows as they were committed, and what follows from them.

use std::sync::Arc;

use super::Engine;
use super::scope::opposing;
use super::setup::MadeWith;
use super::work::read_key;
use crate::audit::Chain;
use crate::link::Linker;
use crate::model::register::RowKind;

/// Pairs of an event's parties that are read before they are noted: memory is waited for side by side.
const PAIRS_AT_ONCE: usize = 1024;

impl Engine {
    /// Takes one register row back in, in the order of kinds. Call `finish_restore` after the last.
    ///
    /// # Errors
    /// When the row has a form that this version cannot read, or was made with another linkage key.
    pub fn restore_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadRegister> {
        let (kind, scope, id) = read_key(key).ok_or(BadRegister::Form)?;
        match kind {
            RowKind::Counters => {
                let feed = std::str::from_utf8(id).ok().and_then(|feed| feed.parse().ok()).ok_or(BadRegister::Form)?;
                self.counters.insert(feed, postcard::from_bytes(value).map_err(|_| BadRegister::Form)?);
            }
            RowKind::MadeWith => {
                let scope = scope.parse().map_err(|_| BadRegister::Form)?;
                let made_with: MadeWith = postcard::from_bytes(value).map_err(|_| BadRegister::Form)?;
                let ours = self.setup.made_with(&scope);
                if made_with.key_epoch != ours.key_epoch && self.setup.hash_under(&scope, made_with.key_epoch).is_none()
                {
                    return Err(BadRegister::OtherKey);
                }
                self.key_epochs.insert(scope.clone(), made_with.key_epoch);
                // A register of nobody is one still: it follows another key as any other does.
                self.scope_mut(&scope);
                if (made_with.population, &made_with.model) == (ours.population, &ours.model) {
                    self.marked.insert(scope);
                } else {
                    // Of a model that cannot be read any more only the people it linked are known, not how.
                    let model = self.setup.model_that_made(&scope, &made_with).map(Arc::new);
                    let model = model.unwrap_or_else(|| self.setup.model_under(&scope, made_with.key_epoch));
                    self.former.insert(scope, Linker::ephemeral(model));
                }
            }
            RowKind::Agreement => {
                self.told_under = Some(postcard::from_bytes(value).map_err(|_| BadRegister::Form)?);
            }
            RowKind::ToldWith => {
                let party =
                    std::str::from_utf8(id).ok().and_then(|party| party.parse().ok()).ok_or(BadRegister::Form)?;
                self.told_with.insert(party, postcard::from_bytes(value).map_err(|_| BadRegister::Form)?);
            }
            RowKind::Redaction => {
                let id = id.try_into().map_err(|_| BadRegister::Form)?;
                let until = value.try_into().map_err(|_| BadRegister::Form)?;
                self.redactions.insert(id, u64::from_be_bytes(until));
            }
            RowKind::AuditHead => {
                self.chain = Chain::resume(self.partition, Some(value)).map_err(|_| BadRegister::Form)?
            }
            RowKind::Event => self.scope(scope)?.ledger.restore(id, value).map_err(|_| BadRegister::Form)?,
            RowKind::Record | RowKind::Edge | RowKind::Decision => {
                self.restore_linkage(key, (kind, scope, id), value)?;
            }
            RowKind::Identity => self.scope(scope)?.identities.restore(id, value).ok_or(BadRegister::Form)?,
            RowKind::Listed | RowKind::Alerted => {
                self.scope(scope)?.told.restore(kind, id, value).ok_or(BadRegister::Form)?
            }
        }
        Ok(())
    }

    /// Derives what is not stored: who may not be linked to whom, and the clusters. Where another model made the register,
    /// what that changes is told at the next [`Engine::advance`].
    ///
    /// # Errors
    /// When a row has a form that this version cannot read: many are read together, some only here.
    pub fn finish_restore(&mut self) -> Result<(), BadRegister> {
        for (id, scope) in &mut self.scopes {
            scope.ledger.finish_restore().map_err(|_| BadRegister::Form)?;
            let mut former = self.former.remove(id);
            let mut pairs = scope.ledger.iter().flat_map(|(_, event)| opposing(event));
            loop {
                let some: Vec<_> = pairs.by_ref().take(PAIRS_AT_ONCE).collect();
                if some.is_empty() {
                    break;
                }
                scope.linker.restore_forbidden(&some);
                if let Some(former) = &mut former {
                    former.restore_forbidden(&some);
                }
            }
            let bad = |_| BadRegister::Form;
            match former {
                Some(former) => {
                    self.relinked.insert(id.clone(), scope.linker.relink(former).map_err(bad)?);
                }
                None => scope.linker.settle_restored().map_err(bad)?,
            }
            scope.linker.resume().map_err(bad)?;
        }
        Ok(())
    }
}

/// Why a register cannot be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRegister {
    /// A row that this version cannot read.
    #[error("the register holds a row of an unknown form: it may have been written by a newer version")]
    Form,
    /// Rows whose tokens mean nothing to this deployment.
    #[error("the register was made with another linkage key: go back to that, or start a new register")]
    OtherKey,
}
