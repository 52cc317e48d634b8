//! The register's changelog: rows by key, each owned by one room, none with clear identity.

use serde::Serialize;

/// Which room's row it is; the first byte of a row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RowKind {
    /// Accepted events (assess).
    Event = b'e',
    /// Person records with their tokens (link).
    Record = b'r',
    /// Links between records (link).
    Edge = b'g',
    /// Human decisions on pairs of records (link).
    Decision = b'd',
    /// Sealed identities (disclose).
    Identity = b'i',
    /// List entries as last published (disclose).
    Listed = b'l',
    /// Alerts as last published (disclose).
    Alerted = b'a',
    /// Outcome counters (pipeline).
    Counters = b'c',
    /// Head of the audit chain (audit).
    AuditHead = b'h',
    /// The linkage model and key epoch that a scope's rows were made with (pipeline). Its byte is the lowest, so that
    /// whoever reads rows back knows by what to read them.
    MadeWith = b'M',
    /// The keys that a recipient was last told with (pipeline).
    ToldWith = b't',
    /// Ids that the audit still has to lose (pipeline).
    Redaction = b'x',
    /// The agreement that what was told rests on (pipeline).
    Agreement = b'p',
}

impl RowKind {
    /// Reads the kind back from a key's first byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Event,
            Self::Record,
            Self::Edge,
            Self::Decision,
            Self::Identity,
            Self::Listed,
            Self::Alerted,
            Self::Counters,
            Self::AuditHead,
            Self::MadeWith,
            Self::ToldWith,
            Self::Redaction,
            Self::Agreement,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// One change of one row: a new value, or its removal.
#[derive(Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Whose row.
    pub kind: RowKind,
    /// Which row, unique within kind and scope.
    pub id: Vec<u8>,
    /// The new value (postcard), or `None` for removal.
    pub value: Option<Vec<u8>>,
}

/// The value of a row, whose bytes are likely no more than `room`.
#[must_use]
pub fn row_value<T: Serialize>(row: &T, room: usize) -> Vec<u8> {
    postcard::to_extend(row, Vec::with_capacity(room)).expect("rows have a plain form")
}

/// Ids of rows, of which each may come more than once, in their order and each once.
#[must_use]
pub fn sorted<T: Ord>(mut ids: Vec<T>) -> Vec<T> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
