//! priorityd recognises the same person across agencies by keyed hashing, and tells the specialist services that are there
//! to help. Agencies send events about domestic abuse; names are hashed under a secret key as they come in; from then on
//! nobody in here knows a name.
//!
//! One process, one binary: this library and a `main` of one line. The tree reads as the flow.
//!
//! # Rooms
//!
//! | Room            | What it does                                                                              |
//! |-----------------|-------------------------------------------------------------------------------------------|
//! | [`cli`]         | Arguments to one command each: `demo`, `run`, `publish`, `subscribe`, `check`, `keys` …   |
//! | [`pipeline`]    | The only file that knows the order of the stages: a batch in, one transaction out         |
//! | [`validate`]    | Stage 1. Bytes to a checked event, or a rejection that quotes nothing                     |
//! | [`normalise`]   | Stage 2. Clear identity to the one form that every agency hashes                          |
//! | [`pseudonymise`] | Stage 3. Keyed tokens and keyed ids; after it no name exists                              |
//! | [`link`]        | Stage 4. Which records are one person, from tokens alone; three bands, undoable           |
//! | [`assess`]      | Stage 5. What a person's events add up to: findings with evidence                         |
//! | [`disclose`]    | Stage 6. What leaves, to whom, by which clause, sealed for one reader                     |
//! | [`keys`]        | The key ring: ten purposes, and one key never serves two                                  |
//! | [`config`]      | Settings, rules and the data-sharing agreement, checked once, all problems at once        |
//! | [`model`]       | Ids, roles, tokens, dates, outcomes: nouns of every room, none of which can hold a name   |
//! | [`log`]         | The seam to the outside: embedded (one SQLite file), Kafka, memory                        |
//! | [`audit`]       | Evidence in a chain of hashes                                                             |
//! | [`ops`]         | Health, metrics, logs, traces, HTTP                                                       |
//! | [`report`]      | What the register adds up to: figures for a steering group, raw until small numbers are protected |
//! | [`simulate`]    | A synthetic city and its truth, for demonstrations, tests and measuring                   |
//!
//! Imports go downward only: a stage knows `model`, checked settings and the output type of the stage before it; `keys` is
//! for pseudonymise and disclose; `log`, `audit`, `ops`, `report` and `simulate` know `model` and `config`; `pipeline` and `cli` know
//! the rest. The stages, the pipeline and the audit chain decide purely: the time, random generators and candidates come in
//! as arguments, and no file, socket, clock or thread is touched. `tests/architecture.rs` holds this to the letter.
//!
//! # Invariants
//!
//! - **I1 Conservation.** Every record read ends as exactly one of accepted, rejected, duplicate, superseded.
//! - **I2 Convergence.** The register and the list are a function of the *set* of accepted events, the configuration, the
//!   linkage model and the day: order, batching, replay and crashes do not show. Hence integer weights, ordered maps where
//!   an order can show, and ids that derive from content.
//! - **I3 Exactly once.** Outputs, register changes and feed positions commit in one transaction of the log.
//! - **I4 Blindness.** After pseudonymise no clear identity exists, but for identities sealed under the vault key, and those
//!   inside a message that only its recipient can open. Types of clear identity can be named in three rooms and show nothing.
//! - **I5 Deny by default.** Nothing leaves without a clause of a signed agreement; what cannot be sealed or is not agreed is
//!   held and counted.
//! - **I6 Reversible.** Every link can be undone and every event corrected; who was told the old is told the new.
//! - **I7 Bounded.** Memory is bounded by the register; every queue has a limit: [`model::limits`] lists them.
//! - **I8 Explained.** Links, messages and rejections leave audit records in the transaction that carries them.

pub mod assess;
pub mod audit;
pub mod cli;
pub mod config;
pub mod disclose;
pub mod keys;
pub mod link;
pub mod log;
pub mod model;
pub mod normalise;
pub mod ops;
pub mod pipeline;
pub mod pseudonymise;
pub mod report;
pub mod simulate;
pub mod validate;
