//! Reading a batch: from bytes to blind events, record by record. It needs the setup and the epochs of the linkage keys, and
//! nothing of the register, so that a batch can be read while the engine is busy with the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{CryptoRng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;

use super::Engine;
use super::setup::{Setup, Taken};
use crate::log::FeedRecord;
use crate::model::ids::ScopeId;
use crate::model::outcome::Rejection;

/// Reads a batch for an engine as that one was when it was asked for its reader.
pub struct Reader {
    setup: Arc<Setup>,
    /// The epoch of the linkage key that each register's rows are made with.
    key_epochs: BTreeMap<ScopeId, u32>,
}

/// What the records of a batch came to, in their order.
pub struct ReadBatch {
    reader: Reader,
    pub(super) taken: Vec<Result<Taken, Rejection>>,
}

impl Reader {
    /// Reads a batch on the threads of the pool that it is called from.
    #[must_use]
    pub fn read(self, batch: &[FeedRecord], rng: &mut dyn CryptoRng) -> ReadBatch {
        // One seed for the batch and a stream for each record: threads share no generator, and none is made here.
        let nonces = ChaCha20Rng::from_rng(rng);
        let read = |(stream, record)| {
            let mut nonces = nonces.clone();
            nonces.set_stream(stream as u64);
            self.setup.read_guarded(record, &self.key_epochs, &mut nonces)
        };
        let taken = batch.par_iter().enumerate().map(read).collect();
        ReadBatch { reader: self, taken }
    }
}

impl Engine {
    /// What reads batches for this engine as it is now.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { setup: Arc::clone(&self.setup), key_epochs: self.key_epochs.clone() }
    }

    /// A batch as this engine would read it: as it was read, unless another agreement or other keys came since. The first
    /// event of a scope settles its epoch, which looks the same: what is in hand then is read twice, and comes to the same.
    pub(super) fn reread(&self, batch: &[FeedRecord], read: ReadBatch, rng: &mut dyn CryptoRng) -> ReadBatch {
        let Reader { setup, key_epochs } = &read.reader;
        let is_current = Arc::ptr_eq(setup, &self.setup) && *key_epochs == self.key_epochs;
        if is_current { read } else { self.reader().read(batch, rng) }
    }
}
