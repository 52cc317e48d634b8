//! What makes a ring whole: keys that exclude each other, and purposes that must not be missing.

use std::collections::BTreeSet;
use std::path::Path;

use super::jwk::Jwk;
use super::meta::{KeyProblem, KeyState, Purpose};
use super::ring::Found;
use crate::model::ids::ScopeId;

/// Keys that exclude each other.
pub(super) fn collisions(keys: &[Found]) -> Vec<KeyProblem> {
    let (mut epochs, mut actives) = (BTreeSet::new(), BTreeSet::new());
    let mut problems = Vec::new();
    for Found { file, jwk: Jwk { meta, .. }, .. } in keys {
        if !epochs.insert((meta.slot(), meta.epoch)) {
            problems.push(KeyProblem::new(file, "has the epoch of another key", "give each key an epoch of its own"));
        }
        if meta.state == KeyState::Active && !actives.insert(meta.slot()) {
            let problem = format!("is a second active {} key", meta.purpose);
            problems.push(KeyProblem::new(file, problem, "one is active; the one before it is lookup_only"));
        }
    }
    problems
}

/// Purposes that the service cannot do without.
pub(super) fn missing(dir: &Path, keys: &[Found]) -> Vec<KeyProblem> {
    let has =
        |purpose| keys.iter().any(|key| key.jwk.meta.purpose == purpose && key.jwk.meta.state == KeyState::Active);
    let needed = [Purpose::Vault, Purpose::Register, Purpose::Output, Purpose::Signing, Purpose::Audit];
    let missing = needed.into_iter().filter(|purpose| !has(*purpose));
    let mut problems: Vec<_> = missing
        .map(|purpose| {
            let remedy = format!("run `priorityd keys new {purpose}`");
            KeyProblem::new(dir, format!("has no active {purpose} key"), remedy)
        })
        .collect();
    problems.extend(without_identifiers(dir, keys));
    problems
}

/// Scopes whose people are hashed and whose ids are not.
fn without_identifiers(dir: &Path, keys: &[Found]) -> Vec<KeyProblem> {
    let scopes = |purpose, also_looking_up: bool| -> BTreeSet<&ScopeId> {
        let used = |state| state == KeyState::Active || (also_looking_up && state == KeyState::LookupOnly);
        let used = keys.iter().filter(|found| found.jwk.meta.purpose == purpose && used(found.jwk.meta.state));
        used.filter_map(|found| found.jwk.meta.scope.as_ref()).collect()
    };
    let (linkage, identifier) = (scopes(Purpose::Linkage, true), scopes(Purpose::Identifier, false));
    let without = linkage.difference(&identifier).map(|scope| {
        let remedy = format!("run `priorityd keys new identifier --scope {scope}`");
        KeyProblem::new(dir, format!("has a linkage key and no active identifier key of {scope}"), remedy)
    });
    without.collect()
}
