//! What a key is for and where it stands in its life: the public half of every key file.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ids::{PartyId, ScopeId};

/// What a key is for. One key serves one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Hashes identity to tokens, per scope and epoch.
    Linkage,
    /// Hashes ids of events, references and records, per scope, for as long as there is a register.
    Identifier,
    /// Seals what lies on our own disk.
    Vault,
    /// Seals the register at rest: without it a stolen log does not even show how often a token occurs.
    Register,
    /// Seals what one agency that pseudonymises at source sends us of identity.
    Intake,
    /// Derives each recipient's pseudonyms.
    Output,
    /// Signs messages.
    Signing,
    /// Signs what the audit rests on.
    Audit,
    /// Seals messages to one recipient.
    Recipient,
    /// Signs data-sharing agreements.
    Agreement,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 10] = [
        Self::Linkage,
        Self::Identifier,
        Self::Vault,
        Self::Register,
        Self::Intake,
        Self::Output,
        Self::Signing,
        Self::Audit,
        Self::Recipient,
        Self::Agreement,
    ];

    /// The name in key files and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linkage => "linkage",
            Self::Identifier => "identifier",
            Self::Vault => "vault",
            Self::Register => "register",
            Self::Intake => "intake",
            Self::Output => "output",
            Self::Signing => "signing",
            Self::Audit => "audit",
            Self::Recipient => "recipient",
            Self::Agreement => "agreement",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }

    /// Are there keys of it for each scope?
    #[must_use]
    pub fn has_scope(self) -> bool {
        matches!(self, Self::Linkage | Self::Identifier)
    }

    /// Are there keys of it for each party?
    #[must_use]
    pub fn has_party(self) -> bool {
        matches!(self, Self::Intake | Self::Recipient | Self::Agreement)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// Where a key stands in its life: `pending → active → lookup_only → retired`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Made and made known, not yet used.
    Pending,
    /// The one that new work uses.
    Active,
    /// Only opens, verifies or looks up what was made with it.
    LookupOnly,
    /// Not used at all; its secret may be gone.
    Retired,
}

impl KeyState {
    /// Every state, in the order of life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::LookupOnly, Self::Retired];

    /// The name in key files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::LookupOnly => "lookup_only",
            Self::Retired => "retired",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// The `priorityd` member of a key file: everything about a key that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyMeta {
    /// What it is for.
    pub purpose: Purpose,
    /// Whose people it hashes; linkage and identifier keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeId>,
    /// Whose key it is; intake, recipient and agreement keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<PartyId>,
    /// Its number among the keys of this purpose (and scope or party), from 1.
    pub epoch: u32,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it must not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl KeyMeta {
    /// Whether the key must no longer be used at `now`.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// The place in the ring: what two keys of different epochs share, and no two active ones.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot { purpose: self.purpose, scope: self.scope.clone(), party: self.party.clone() }
    }
}

/// A place in the ring, which has one active key at a time: a purpose, with the scope or party that it asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// What its keys are for.
    pub purpose: Purpose,
    /// Whose people they hash.
    pub scope: Option<ScopeId>,
    /// Whose they are.
    pub party: Option<PartyId>,
}

impl Slot {
    /// The place of a purpose that has one.
    #[must_use]
    pub fn of(purpose: Purpose) -> Self {
        Self { purpose, scope: None, party: None }
    }

    /// The place of a purpose within a scope.
    #[must_use]
    pub fn in_scope(purpose: Purpose, scope: &ScopeId) -> Self {
        Self { scope: Some(scope.clone()), ..Self::of(purpose) }
    }

    /// The place of a purpose for a party.
    #[must_use]
    pub fn for_party(purpose: Purpose, party: &PartyId) -> Self {
        Self { party: Some(party.clone()), ..Self::of(purpose) }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.purpose)?;
        let of = self.scope.as_ref().map(ScopeId::as_str).or(self.party.as_ref().map(PartyId::as_str));
        of.map_or(Ok(()), |of| write!(out, " of {of}"))
    }
}

/// Something wrong with a key file, in our own words: what is wrong and what would be right, never what the file says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}; {remedy}", file.display())]
pub struct KeyProblem {
    /// Which file or directory.
    pub file: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

impl KeyProblem {
    pub(super) fn new(file: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.into(), problem: problem.into(), remedy: remedy.into() }
    }
}
