//! The key ring while the daemon runs: read again on SIGHUP and when its files change, and put in the place of the one in
//! use if it is in order. And the end of linkage keys that no register needs any more.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::keys::meta::{Purpose, Slot};
use crate::keys::{KeyRing, Stamp, rotate};
use crate::model::ids::ScopeId;
use crate::pipeline::Setup;

/// How often the files are looked at without being asked.
const INTERVAL: Duration = Duration::from_secs(5);

/// The ring in use, for whoever needs the latest.
pub(super) type RingInUse = Arc<RwLock<Arc<KeyRing>>>;

/// The ring as it is at this moment.
pub(super) fn current(ring: &RingInUse) -> Arc<KeyRing> {
    Arc::clone(&ring.read().unwrap_or_else(PoisonError::into_inner))
}

/// Watches the ring's directory.
pub(super) struct KeyWatch {
    dir: PathBuf,
    in_use: RingInUse,
    /// Set on SIGHUP.
    asked: Arc<AtomicBool>,
    looked: Instant,
    seen: Stamp,
    /// Linkage keys that were ended, or could not be: told once.
    ended: BTreeSet<(ScopeId, u32)>,
}

impl KeyWatch {
    /// Watches the directory that the ring in use was read from.
    pub(super) fn new(dir: PathBuf, in_use: RingInUse, asked: Arc<AtomicBool>) -> Self {
        let seen = Stamp::of(&dir);
        Self { dir, in_use, asked, looked: Instant::now(), seen, ended: BTreeSet::new() }
    }

    /// The setup with the ring on disk, if that is another one than before and in order.
    pub(super) fn look(&mut self, setup: &Setup) -> Option<Arc<Setup>> {
        let asked = self.asked.swap(false, Ordering::Relaxed);
        if !asked && self.looked.elapsed() < INTERVAL {
            return None;
        }
        self.looked = Instant::now();
        let stamp = Stamp::of(&self.dir);
        if !asked && stamp == self.seen {
            return None;
        }
        self.seen = stamp;
        let ring = match KeyRing::load(&self.dir) {
            Ok(ring) => ring,
            Err(problems) => {
                for problem in problems {
                    tracing::error!(%problem, "the key ring on disk is refused, and the one in use stays");
                }
                return None;
            }
        };
        let lost = setup
            .agreement()
            .scopes
            .iter()
            .find(|scope| setup.keys().linkage(scope).is_some() && ring.linkage(scope).is_none());
        if let Some(scope) = lost {
            tracing::error!(%scope, "the key ring on disk has no linkage key of a scope that is served: the one in use stays");
            return None;
        }
        let ring = Arc::new(ring);
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        tracing::info!("another key ring is in use");
        Some(Arc::new(setup.with_keys(ring)))
    }

    /// Was the end of this key dealt with already?
    pub(super) fn is_ended(&self, key: &(ScopeId, u32)) -> bool {
        self.ended.contains(key)
    }

    /// Destroys a linkage key that no register needs. The audit has said so.
    pub(super) fn end(&mut self, (scope, epoch): (ScopeId, u32)) {
        let slot = Slot::in_scope(Purpose::Linkage, &scope);
        match rotate::retire(&self.dir, &slot, epoch) {
            Ok(_) => tracing::info!(%scope, epoch, "a linkage key was destroyed: the register is hashed anew"),
            Err(problems) => {
                for problem in problems {
                    tracing::error!(%problem, "a linkage key cannot be destroyed: run `priorityd keys retire linkage --force`");
                }
            }
        }
        self.ended.insert((scope, epoch));
    }
}
