//! Making keys. A new key is the only active one of its purpose; a successor to an active one comes by rotation.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::meta::{KeyMeta, KeyProblem, KeyState, Purpose};
use super::ring::{self, KEY_FILE, RECIPIENTS, SET_FILE};
use super::{file, jwk};
use crate::model::ids::{PartyId, ScopeId};

/// The public signing keys, beside the private ones.
const SIGNERS_FILE: &str = "signing.jwks.json";

/// Makes keys in a ring. Returns the files it wrote.
pub struct NewKeys<'a> {
    dir: &'a Path,
    created: Timestamp,
    expires: Option<Timestamp>,
    rng: &'a mut dyn CryptoRng,
}

impl<'a> NewKeys<'a> {
    /// Makes keys in `dir`, which is made too if it is not there.
    pub fn new(dir: &'a Path, created: Timestamp, expires: Option<Timestamp>, rng: &'a mut dyn CryptoRng) -> Self {
        Self { dir, created, expires, rng }
    }

    /// Linkage, vault, output and signing, each unless the ring has it.
    pub fn all_missing(&mut self, scope: &ScopeId) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        file::create_private_dir(self.dir).map_err(one)?;
        let (keys, problems) = ring::read(self.dir);
        if !problems.is_empty() {
            return Err(problems);
        }
        let has = |slot| keys.iter().any(|found| found.jwk.meta.slot() == slot);
        let mut written = Vec::new();
        if !has((Purpose::Linkage, Some(scope), None)) {
            written.extend(self.linkage(scope)?);
        }
        if !has((Purpose::Vault, None, None)) {
            written.extend(self.vault()?);
        }
        if !has((Purpose::Output, None, None)) {
            written.extend(self.output()?);
        }
        if !has((Purpose::Signing, None, None)) {
            written.extend(self.signing()?);
        }
        Ok(written)
    }

    /// A linkage key for a scope.
    pub fn linkage(&mut self, scope: &ScopeId) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        self.secret(KeyMeta { scope: Some(scope.clone()), ..self.meta(Purpose::Linkage) })
    }

    /// A vault key.
    pub fn vault(&mut self) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        self.secret(self.meta(Purpose::Vault))
    }

    /// An output key.
    pub fn output(&mut self) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        self.secret(self.meta(Purpose::Output))
    }

    /// A signing pair; the public set is written anew.
    pub fn signing(&mut self) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        let meta = self.vacant(self.meta(Purpose::Signing))?;
        let path = self.dir.join(format!("{}.{}{KEY_FILE}", meta.purpose, meta.epoch));
        let text = jwk::write_private(&meta, &SecretKey::generate_from_rng(self.rng));
        file::write_new_private(&path, &text).map_err(one)?;
        let (keys, problems) = ring::read(self.dir);
        if !problems.is_empty() {
            return Err(problems);
        }
        let signers = self.dir.join(SIGNERS_FILE);
        file::replace_public(&signers, &ring::published_signers(&keys)).map_err(one)?;
        Ok(vec![path, signers])
    }

    /// A pair for a recipient: the private half goes to `private_dir` for the service to take, the public half into the
    /// ring. The private half is written first, so that nothing is ever sealed to a key that nobody has.
    pub fn recipient(&mut self, party: &PartyId, private_dir: &Path) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        let meta = self.vacant(KeyMeta { party: Some(party.clone()), ..self.meta(Purpose::Recipient) })?;
        let key = SecretKey::generate_from_rng(self.rng);
        if !private_dir.exists() {
            file::create_private_dir(private_dir).map_err(one)?;
        }
        if private_dir.canonicalize().ok() == self.dir.canonicalize().ok() {
            let remedy = "name another directory: the ring holds the public half only";
            return Err(one(KeyProblem::new(private_dir, "is the ring itself", remedy)));
        }
        let private = private_dir.join(format!("{party}{KEY_FILE}"));
        file::write_new_private(&private, &jwk::write_private(&meta, &key)).map_err(one)?;
        let recipients = self.dir.join(RECIPIENTS);
        file::create_private_dir(&recipients).map_err(one)?;
        let public = recipients.join(format!("{party}{SET_FILE}"));
        file::write_new_public(&public, &jwk::write_set([(&meta, key.public_key())])).map_err(one)?;
        Ok(vec![private, public])
    }

    /// A pair for somebody who signs agreements: both halves go to `dir`, which is not the ring. The private half is for
    /// the signer to take away; the configuration pins the public one.
    pub fn agreement(&mut self, party: &PartyId, dir: &Path) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        let meta = KeyMeta { party: Some(party.clone()), ..self.meta(Purpose::Agreement) };
        let key = SecretKey::generate_from_rng(self.rng);
        if !dir.exists() {
            file::create_private_dir(dir).map_err(one)?;
        }
        let (private, public) = (dir.join(format!("{party}{KEY_FILE}")), dir.join(format!("{party}{SET_FILE}")));
        file::write_new_private(&private, &jwk::write_private(&meta, &key)).map_err(one)?;
        file::write_new_public(&public, &jwk::write_set([(&meta, key.public_key())])).map_err(one)?;
        Ok(vec![private, public])
    }

    fn secret(&mut self, meta: KeyMeta) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
        let meta = self.vacant(meta)?;
        let mut secret = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(secret.as_mut());
        let path = self.dir.join(format!("{}{KEY_FILE}", jwk::kid(&meta, None)));
        file::write_new_private(&path, &jwk::write_secret(&meta, &secret)).map_err(one)?;
        Ok(vec![path])
    }

    fn meta(&self, purpose: Purpose) -> KeyMeta {
        let (created, expires) = (self.created, self.expires);
        KeyMeta { purpose, scope: None, party: None, epoch: 1, state: KeyState::Active, created, expires }
    }

    /// Gives the key the next epoch of its purpose (and scope or party). Refuses when one is active or about to be, and
    /// to add to a ring that is not in order.
    fn vacant(&self, meta: KeyMeta) -> Result<KeyMeta, Vec<KeyProblem>> {
        file::create_private_dir(self.dir).map_err(one)?;
        let (keys, problems) = ring::read(self.dir);
        if !problems.is_empty() {
            return Err(problems);
        }
        let others = || keys.iter().filter(|found| found.jwk.meta.slot() == meta.slot());
        let in_use = |found: &&ring::Found| matches!(found.jwk.meta.state, KeyState::Active | KeyState::Pending);
        if let Some(found) = others().find(in_use) {
            let remedy = "a ring has one active key for each purpose, scope and party";
            return Err(one(KeyProblem::new(&found.file, format!("is a {} key already", meta.purpose), remedy)));
        }
        let last = others().map(|found| found.jwk.meta.epoch).max().unwrap_or(0);
        Ok(KeyMeta { epoch: last + 1, ..meta })
    }
}

fn one(problem: KeyProblem) -> Vec<KeyProblem> {
    vec![problem]
}
