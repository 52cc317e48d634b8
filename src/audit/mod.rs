//! Evidence: what was collected, altered, consulted, disclosed, combined, erased and rejected, in a chain of hashes.
//!
//! Section 62 of the Data Protection Act 2018 asks a competent authority to log these operations. Each record carries
//! the hash of the one before it, so that a changed, dropped, swapped, doubled or cut record shows. The room never sees
//! clear identity: a record's body holds ids, codes and counts. It is pure: the pipeline gives the time and stores the
//! lines in the same transaction as what they speak of.
//!
//! Invariants: each partition has a chain of its own, named in its records; sequence numbers start at 1 and have no gaps; a line is canonical JSON, so equal records are equal bytes.

mod canonical;
mod chain;
pub mod explain;
mod find;
mod heads;
mod merkle;
mod said;
mod subject;
mod verify;

pub use self::canonical::canonical_json;
pub use self::chain::{AuditKind, AuditLine, BadHead, BadKind, Chain, Draft, Head, timestamp};
pub use self::find::{AuditRecord, Query, Unreadable, redacted};
pub use self::heads::SignedHead;
pub use self::merkle::{Tree, goes_on, is_included};
pub use self::said::Said;
pub use self::subject::{LookedAt, Shared, Subject};
pub use self::verify::{AuditFault, ChainsVerifier, PartitionFault, Verified, Verifier, verify};
