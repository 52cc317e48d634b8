//! Link: which records are one person. Sees keyed tokens and ids only.
//!
//! The flow within the room: `postings` finds candidates by shared blocking keys, `compare` finds levels of agreement,
//! `weigh` turns them into bits of evidence, `cluster` partitions what hangs together, `changes` tells what became of
//! clusters. `register` holds it all for one scope; `model` is the frozen set of weights and limits.
//!
//! Invariant I2: clusters, ids and rows are a pure function of the set of records, forbidden pairs, decisions and the
//! model. No order, batching or removal shows. Hence: weights are integers, candidates depend on the set of profiles
//! alone, ties go by record id, and only what a change can reach is settled again.

mod calibrate;
mod changes;
mod cluster;
mod compare;
mod evidence;
mod index;
mod lists;
mod model;
mod pairs;
mod postings;
mod register;
mod restored;
mod reviews;
mod rows;
mod settle;
mod slab;
mod units;
mod weigh;
mod weights;

pub use self::calibrate::Truth;
pub use self::changes::{ChangeKind, ClusterChange, PossibleMatch, Settled};
pub use self::evidence::Link;
pub use self::model::{Bits, LinkageModel, ModelError, Provenance};
pub use self::register::Linker;
pub use self::rows::BadRow;
pub use self::settle::cluster_id;
pub use self::weigh::{Comparison, Field, Veto};

/// What a person decided about two records. Wins over scores, not over different numbers or the parties of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// One person.
    Same,
    /// Two persons.
    Different,
}
