//! Making keys. A new key is the only active one of its place in the ring; a successor to an active one comes by rotation.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use p256::elliptic_curve::Generate;
use p256::{PublicKey, SecretKey};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::jwk::Material;
use super::meta::{KeyMeta, KeyProblem, KeyState, Purpose, Slot};
use super::ring::{self, Found, KEY_FILE, RECIPIENTS, SET_FILE};
use super::{file, jwk};
use crate::model::ids::{PartyId, ScopeId};

/// Makes keys in a ring. Returns the files it wrote.
pub struct NewKeys<'a> {
    dir: &'a Path,
    created: Timestamp,
    expires: Option<Timestamp>,
    state: KeyState,
    rng: &'a mut dyn CryptoRng,
}

impl<'a> NewKeys<'a> {
    /// Makes keys in `dir`, which is made too if it is not there.
    pub fn new(dir: &'a Path, created: Timestamp, expires: Option<Timestamp>, rng: &'a mut dyn CryptoRng) -> Self {
        Self { dir, created, expires, state: KeyState::Active, rng }
    }

    /// The keys come after the active ones, and are not used until they are rotated in.
    #[must_use]
    pub fn pending(self) -> Self {
        Self { state: KeyState::Pending, ..self }
    }

    pub(super) fn dir(&self) -> &'a Path {
        self.dir
    }

    /// All that a hub needs which hashes by itself, each unless the ring has it.
    pub fn all_missing(&mut self, scope: &ScopeId) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        let mut written = self.source_missing(scope)?;
        written.extend(self.hub_missing()?);
        Ok(written)
    }

    /// What hashes: linkage and identifier, each unless the ring has it. For the agency that makes them for all.
    pub fn source_missing(&mut self, scope: &ScopeId) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        let slots = [Purpose::Linkage, Purpose::Identifier].map(|purpose| Slot::in_scope(purpose, scope));
        self.missing(&slots)
    }

    /// What a hub needs that never hashes: vault, register, output, signing and audit, each unless the ring has it.
    pub fn hub_missing(&mut self) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        self.missing(
            &[Purpose::Vault, Purpose::Register, Purpose::Output, Purpose::Signing, Purpose::Audit].map(Slot::of),
        )
    }

    fn missing(&mut self, slots: &[Slot]) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        file::create_private_dir(self.dir).map_err(one)?;
        let keys = ring::read_in_order(self.dir)?;
        let mut written = Vec::new();
        for slot in slots.iter().filter(|slot| keys.iter().all(|found| found.jwk.meta.slot() != **slot)) {
            written.extend(self.make(slot, None)?);
        }
        Ok(written)
    }

    /// Makes the key of a slot. What the other side needs goes to `other_side`: a recipient's private half, and a copy of
    /// an agency's intake key. It is written first, so that nothing is ever sealed to a key that nobody has.
    pub fn make(&mut self, slot: &Slot, other_side: Option<&Path>) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        if let (Purpose::Agreement, Some(party), Some(dir)) = (slot.purpose, &slot.party, other_side) {
            return self.agreement(party, dir);
        }
        let (meta, held) = self.vacant(slot)?;
        match slot.purpose {
            Purpose::Recipient => {
                let key = SecretKey::generate_from_rng(self.rng);
                let public = key.public_key();
                let private = self.hand_over(&meta, &Material::Private(key), other_side)?;
                Ok(vec![private, add_to_recipient(self.dir, &held, &meta, public)?])
            }
            Purpose::Signing | Purpose::Audit => {
                let key = Material::Private(SecretKey::generate_from_rng(self.rng));
                let mut written = vec![self.write(&meta, &key)?];
                written.extend(publish_signers(self.dir)?);
                Ok(written)
            }
            Purpose::Intake => {
                let secret = self.secret();
                let copy = self.hand_over(&meta, &secret, other_side)?;
                Ok(vec![copy, self.write(&meta, &secret)?])
            }
            Purpose::Agreement => {
                let remedy = "name who signs, with --party, and a directory for both halves, with --out";
                Err(one(KeyProblem::new(self.dir, "keeps no agreement key", remedy)))
            }
            Purpose::Linkage | Purpose::Identifier | Purpose::Vault | Purpose::Register | Purpose::Output => {
                let secret = self.secret();
                Ok(vec![self.write(&meta, &secret)?])
            }
        }
    }

    /// A signing pair; the public set is written anew.
    pub fn signing(&mut self) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        self.make(&Slot::of(Purpose::Signing), None)
    }

    /// A pair for a recipient: the private half goes to `private_dir` for the service to take, the public half into the ring.
    pub fn recipient(&mut self, party: &PartyId, private_dir: &Path) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        self.make(&Slot::for_party(Purpose::Recipient, party), Some(private_dir))
    }

    /// A pair for somebody who signs agreements: both halves go to `dir`, which is not the ring. The private half is for
    /// the signer to take away; the configuration pins the public one.
    pub fn agreement(&mut self, party: &PartyId, dir: &Path) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        let (created, expires, party_of) = (self.created, self.expires, Some(party.clone()));
        let purpose = Purpose::Agreement;
        let meta = KeyMeta { purpose, scope: None, party: party_of, epoch: 1, state: self.state, created, expires };
        let key = SecretKey::generate_from_rng(self.rng);
        if !dir.exists() {
            file::create_private_dir(dir).map_err(one)?;
        }
        let (private, public) = (dir.join(format!("{party}{KEY_FILE}")), dir.join(format!("{party}{SET_FILE}")));
        let public_half = key.public_key();
        file::write_new_private(&private, &jwk::write(&meta, &Material::Private(key))).map_err(one)?;
        file::replace_public(&public, &jwk::write_set([(&meta, public_half)])).map_err(one)?;
        Ok(vec![private, public])
    }

    fn secret(&mut self) -> Material {
        let mut secret = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(secret.as_mut());
        Material::Secret(secret)
    }

    fn write(&self, meta: &KeyMeta, material: &Material) -> Result<PathBuf, Vec<KeyProblem>> {
        let path = self.dir.join(key_file(meta));
        file::write_new_private(&path, &jwk::write(meta, material)).map_err(one)?;
        Ok(path)
    }

    fn hand_over(&self, meta: &KeyMeta, material: &Material, dir: Option<&Path>) -> Result<PathBuf, Vec<KeyProblem>> {
        let Some(dir) = dir else {
            let remedy = "name a directory for what the other side must get, with --out";
            return Err(one(KeyProblem::new(self.dir, format!("keeps no {} key for others", meta.purpose), remedy)));
        };
        if !dir.exists() {
            file::create_private_dir(dir).map_err(one)?;
        }
        if dir.canonicalize().ok() == self.dir.canonicalize().ok() {
            let remedy = "name another directory: what lies there is for the other side to take";
            return Err(one(KeyProblem::new(dir, "is the ring itself", remedy)));
        }
        let party = meta.party.as_ref().expect("what is handed over belongs to a party");
        let path = match meta.purpose {
            Purpose::Recipient if meta.epoch == 1 => dir.join(format!("{party}{KEY_FILE}")),
            Purpose::Recipient => dir.join(format!("{party}.{}{KEY_FILE}", meta.epoch)),
            _ => dir.join(key_file(meta)),
        };
        file::write_new_private(&path, &jwk::write(meta, material)).map_err(one)?;
        Ok(path)
    }

    /// Gives the key the next epoch of its slot. Refuses when one is active or about to be, and to add to a ring that is
    /// not in order.
    fn vacant(&self, slot: &Slot) -> Result<(KeyMeta, Vec<Found>), Vec<KeyProblem>> {
        file::create_private_dir(self.dir).map_err(one)?;
        let keys = ring::read_in_order(self.dir)?;
        let others = || keys.iter().filter(|found| found.jwk.meta.slot() == *slot);
        let in_the_way = |found: &&Found| match found.jwk.meta.state {
            KeyState::Pending => true,
            KeyState::Active => self.state == KeyState::Active,
            KeyState::LookupOnly | KeyState::Retired => false,
        };
        if let Some(found) = others().find(in_the_way) {
            let remedy = "a ring has one active key for each purpose, scope and party, and one pending at the most";
            return Err(one(KeyProblem::new(&found.file, format!("is a {} key already", slot.purpose), remedy)));
        }
        let last = others().map(|found| found.jwk.meta.epoch).max().unwrap_or(0);
        let (created, expires) = (self.created, self.expires);
        let Slot { purpose, scope, party } = slot.clone();
        let meta = KeyMeta { purpose, scope, party, epoch: last + 1, state: self.state, created, expires };
        Ok((meta, keys))
    }
}

/// Adds a public key to those of its recipient.
pub(super) fn add_to_recipient(
    dir: &Path,
    held: &[Found],
    meta: &KeyMeta,
    key: PublicKey,
) -> Result<PathBuf, Vec<KeyProblem>> {
    let party = meta.party.as_ref().expect("a recipient key has a party");
    file::create_private_dir(&dir.join(RECIPIENTS)).map_err(one)?;
    let others = held.iter().filter(|found| found.jwk.meta.slot() == meta.slot());
    let others = others.filter_map(|found| match &found.jwk.material {
        Material::Public(key) => Some((&found.jwk.meta, *key)),
        Material::Secret(_) | Material::Private(_) | Material::Wrapped(_) | Material::Gone => None,
    });
    let path = recipient_file(dir, party);
    file::replace_public(&path, &jwk::write_set(others.chain([(meta, key)]))).map_err(one)?;
    Ok(path)
}

/// Writes the public halves of the keys that sign anew: what others verify with.
pub(super) fn publish_signers(dir: &Path) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
    let keys = ring::read_in_order(dir)?;
    let mut written = Vec::new();
    for purpose in [Purpose::Signing, Purpose::Audit] {
        if keys.iter().any(|found| found.jwk.meta.purpose == purpose) {
            let path = dir.join(format!("{purpose}{SET_FILE}"));
            file::replace_public(&path, &ring::published(purpose, &keys)).map_err(one)?;
            written.push(path);
        }
    }
    Ok(written)
}

/// Where the public keys of a recipient lie.
pub(super) fn recipient_file(dir: &Path, party: &PartyId) -> PathBuf {
    dir.join(RECIPIENTS).join(format!("{party}{SET_FILE}"))
}

/// The name of the file of a key that has one of its own.
fn key_file(meta: &KeyMeta) -> String {
    let whose = meta.scope.as_ref().map(ScopeId::as_str).or(meta.party.as_ref().map(PartyId::as_str));
    match whose {
        Some(whose) => format!("{}.{whose}.{}{KEY_FILE}", meta.purpose, meta.epoch),
        None => format!("{}.{}{KEY_FILE}", meta.purpose, meta.epoch),
    }
}

fn one(problem: KeyProblem) -> Vec<KeyProblem> {
    vec![problem]
}
