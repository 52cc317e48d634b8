//! The keys of an agency that pseudonymises at source: what hashes, and what seals identity for the hub. The rest of a ring
//! is the hub's.

use std::path::Path;

use super::jwk::Material;
use super::linkage::LinkageKey;
use super::meta::{KeyProblem, KeyState, Purpose, Slot};
use super::ring;
use super::vault::VaultKey;
use crate::model::ids::{PartyId, ScopeId};

/// An agency's keys for one scope. Never shown.
pub struct SourceKeys {
    /// Hashes identity and ids.
    pub linkage: LinkageKey,
    /// Seals reference, name and date of birth for the hub.
    pub intake: VaultKey,
}

impl SourceKeys {
    /// Reads them from the agency's ring; every problem at once.
    pub fn load(dir: &Path, scope: &ScopeId, party: &PartyId) -> Result<Self, Vec<KeyProblem>> {
        let mut keys = ring::read_in_order(dir)?;
        let mut problems = Vec::new();
        let mut take = |slot: Slot, whence: &str| {
            let wanted =
                |found: &ring::Found| found.jwk.meta.slot() == slot && found.jwk.meta.state == KeyState::Active;
            let Some(at) = keys.iter().position(wanted) else {
                problems.push(KeyProblem::new(dir, format!("has no active {slot} key"), whence));
                return None;
            };
            let found = keys.swap_remove(at);
            let epoch = found.jwk.meta.epoch;
            match found.into_material() {
                Material::Secret(secret) => Some((epoch, secret)),
                Material::Private(_) | Material::Public(_) | Material::Wrapped(_) | Material::Gone => {
                    unreachable!("an active secret is one")
                }
            }
        };
        let shared = "one agency makes it with `priorityd keys new source`; take a copy of its file";
        let linkage = take(Slot::in_scope(Purpose::Linkage, scope), shared);
        let identifier = take(Slot::in_scope(Purpose::Identifier, scope), shared);
        let intake = take(
            Slot::for_party(Purpose::Intake, party),
            "the hub makes it with `priorityd keys new intake`; take the file that it hands over",
        );
        let (Some((epoch, secret)), Some((_, identifiers)), Some((intake_epoch, intake))) =
            (linkage, identifier, intake)
        else {
            return Err(problems);
        };
        let linkage = LinkageKey::new(scope.clone(), epoch, secret).with_identifiers(&identifiers);
        Ok(Self { linkage, intake: VaultKey::new(intake_epoch, &intake) })
    }
}
