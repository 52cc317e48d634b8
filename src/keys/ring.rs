//! The key ring: every key of a directory, read once, checked together, handed out by purpose.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rand::CryptoRng;
use serde::Serialize;
use zeroize::Zeroizing;

use super::create::NewKeys;
use super::jwk::{self, Jwk, Material};
use super::linkage::LinkageKey;
use super::meta::{KeyMeta, KeyProblem, KeyState, Purpose};
use super::output::{OutputKey, OutputSecret};
use super::recipient::RecipientKey;
use super::signing::{SignerKeys, SigningKey};
use super::vault::VaultKey;
use super::whole::{collisions, missing};
use super::{file, token};
use crate::model::ids::{PartyId, ScopeId};

/// How the name of a file with one secret ends.
pub(super) const KEY_FILE: &str = ".jwk.json";

/// How the name of a file with a recipient's public keys ends.
pub(super) const SET_FILE: &str = ".jwks.json";

/// Where recipients' public keys lie within the ring.
pub(super) const RECIPIENTS: &str = "recipients";

/// Every key that the service holds. Read-only: a changed ring is loaded anew.
pub struct KeyRing {
    linkage: Vec<Held<LinkageKey>>,
    vault: Vec<Held<VaultKey>>,
    register: Vec<Held<VaultKey>>,
    intake: Vec<(PartyId, VaultKey)>,
    output: Vec<Held<OutputSecret>>,
    signing: SigningKey,
    audit: SigningKey,
    recipients: BTreeMap<PartyId, RecipientKey>,
    signers: SignerKeys,
    signing_jwks: Vec<u8>,
    audit_signers: SignerKeys,
    listing: Vec<KeyListing>,
}

struct Held<K> {
    state: KeyState,
    key: K,
}

/// What may be said of a key: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyListing {
    /// Its id.
    pub kid: String,
    /// Purpose, state, dates.
    #[serde(flatten)]
    pub meta: KeyMeta,
    /// The file it lies in, relative to the ring.
    pub file: PathBuf,
    /// The label of the PKCS#11 token that wraps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl KeyRing {
    /// Reads a ring. Every problem of every file is in the one report, and a ring with any problem is not used.
    pub fn load(dir: &Path) -> Result<Self, Vec<KeyProblem>> {
        let (keys, mut problems) = read(dir);
        if problems.is_empty() {
            problems = missing(dir, &keys);
        }
        if problems.is_empty() { Ok(Self::sort(dir, keys)) } else { Err(problems) }
    }

    /// Lists a ring, complete or not: what is there, and what is wrong with the rest.
    #[must_use]
    pub fn list(dir: &Path) -> (Vec<KeyListing>, Vec<KeyProblem>) {
        let (keys, problems) = read(dir);
        (keys.iter().map(|found| found.listing(dir)).collect(), problems)
    }

    /// Makes a ring with one active key of each purpose and a pair for each party, and loads it. The private halves of the
    /// pairs are written to `private_dir`, each for its service to take. `rng` must come from the operating system unless
    /// the keys protect nobody, as in the demo.
    pub fn create(
        dir: &Path,
        private_dir: &Path,
        scope: &ScopeId,
        parties: &[PartyId],
        created: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Vec<KeyProblem>> {
        let mut keys = NewKeys::new(dir, created, None, rng);
        keys.all_missing(scope)?;
        for party in parties {
            keys.recipient(party, private_dir)?;
        }
        Self::load(dir)
    }

    /// The active linkage key of a scope.
    #[must_use]
    pub fn linkage(&self, scope: &ScopeId) -> Option<&LinkageKey> {
        let mut keys = self.linkage.iter().filter(|held| held.state == KeyState::Active).map(|held| &held.key);
        keys.find(|key| key.scope() == scope)
    }

    /// The linkage key of one epoch of a scope, active or looking up only.
    #[must_use]
    pub fn linkage_of(&self, scope: &ScopeId, epoch: u32) -> Option<&LinkageKey> {
        self.linkage_keys().find(|key| key.scope() == scope && key.epoch() == epoch)
    }

    /// Every linkage key that is active or looks up.
    pub fn linkage_keys(&self) -> impl Iterator<Item = &LinkageKey> {
        let used = |held: &&Held<LinkageKey>| matches!(held.state, KeyState::Active | KeyState::LookupOnly);
        self.linkage.iter().filter(used).map(|held| &held.key)
    }

    /// The active vault key: what new seals are made with.
    #[must_use]
    pub fn vault(&self) -> &VaultKey {
        active(&self.vault)
    }

    /// The vault key of an epoch, for opening what it sealed.
    #[must_use]
    pub fn vault_of(&self, epoch: u32) -> Option<&VaultKey> {
        self.vault.iter().map(|held| &held.key).find(|key| key.epoch() == epoch)
    }

    /// The active key of the register at rest.
    #[must_use]
    pub fn register(&self) -> &VaultKey {
        active(&self.register)
    }

    /// The key of the register at rest of an epoch, for opening what it sealed.
    #[must_use]
    pub fn register_of(&self, epoch: u32) -> Option<&VaultKey> {
        self.register.iter().map(|held| &held.key).find(|key| key.epoch() == epoch)
    }

    /// The intake key of one epoch that we share with an agency, for opening what it sealed at the source.
    #[must_use]
    pub fn intake(&self, party: &PartyId, epoch: u32) -> Option<&VaultKey> {
        self.intake.iter().find(|(of, key)| of == party && key.epoch() == epoch).map(|(_, key)| key)
    }

    /// The key of a recipient's pseudonyms. Derived at each call: keep it.
    #[must_use]
    pub fn output(&self, recipient: &PartyId) -> OutputKey {
        active(&self.output).of(recipient)
    }

    /// The epoch of the active output key.
    #[must_use]
    pub fn output_epoch(&self) -> u32 {
        active(&self.output).epoch()
    }

    /// The key of a recipient's pseudonyms of an earlier epoch, for taking back what was said under them.
    #[must_use]
    pub fn output_of(&self, recipient: &PartyId, epoch: u32) -> Option<OutputKey> {
        let held = self.output.iter().find(|held| held.key.epoch() == epoch)?;
        Some(held.key.of(recipient))
    }

    /// The active signing key.
    #[must_use]
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The active key that signs what the audit rests on.
    #[must_use]
    pub fn audit(&self) -> &SigningKey {
        &self.audit
    }

    /// What the audit's signatures are checked with.
    #[must_use]
    pub fn audit_signers(&self) -> &SignerKeys {
        &self.audit_signers
    }

    /// The active key of a recipient.
    #[must_use]
    pub fn recipient(&self, party: &PartyId) -> Option<&RecipientKey> {
        self.recipients.get(party)
    }

    /// What our signatures are checked with.
    #[must_use]
    pub fn signers(&self) -> &SignerKeys {
        &self.signers
    }

    /// The same as a published JWK Set.
    #[must_use]
    pub fn signing_jwks(&self) -> &[u8] {
        &self.signing_jwks
    }

    /// What may be said of every key.
    #[must_use]
    pub fn listing(&self) -> &[KeyListing] {
        &self.listing
    }

    fn sort(dir: &Path, keys: Vec<Found>) -> Self {
        let listing = keys.iter().map(|found| found.listing(dir)).collect();
        let signing_jwks = published(Purpose::Signing, &keys);
        let (mut linkage, mut vault, mut register) = (Vec::new(), Vec::new(), Vec::new());
        let (mut output, mut intake) = (Vec::new(), Vec::new());
        let (mut recipients, mut identifiers) = (BTreeMap::new(), BTreeMap::new());
        let (mut signing, mut audit, mut signers, mut audit_signers) = (None, None, Vec::new(), Vec::new());
        for found in keys {
            let (meta, kid) = (found.jwk.meta.clone(), found.jwk.kid.clone());
            let (state, material) = (meta.state, found.into_material());
            let (pair, verifying) = match meta.purpose {
                Purpose::Audit => (&mut audit, &mut audit_signers),
                _ => (&mut signing, &mut signers),
            };
            match (meta.purpose, material) {
                // A retired key is listed and otherwise as good as gone.
                (_, _) if state == KeyState::Retired => {}
                (Purpose::Linkage, Material::Secret(secret)) => {
                    let scope = meta.scope.expect("a linkage key has a scope");
                    linkage.push(Held { state, key: LinkageKey::new(scope, meta.epoch, secret) });
                }
                (Purpose::Identifier, Material::Secret(secret)) => {
                    identifiers.insert(meta.scope.expect("an identifier key has a scope"), secret);
                }
                (Purpose::Vault, Material::Secret(secret)) => {
                    vault.push(Held { state, key: VaultKey::new(meta.epoch, &secret) });
                }
                (Purpose::Register, Material::Secret(secret)) => {
                    register.push(Held { state, key: VaultKey::new(meta.epoch, &secret) });
                }
                (Purpose::Intake, Material::Secret(secret)) => {
                    intake.push((meta.party.expect("an intake key has a party"), VaultKey::new(meta.epoch, &secret)));
                }
                (Purpose::Output, Material::Secret(secret)) => {
                    output.push(Held { state, key: OutputSecret::new(meta.epoch, secret) });
                }
                (Purpose::Signing | Purpose::Audit, Material::Private(key)) => {
                    if state == KeyState::Active {
                        *pair = Some(SigningKey::new(kid.clone(), meta.expires, &key));
                    }
                    verifying.push((kid, meta, key.public_key()));
                }
                (Purpose::Signing | Purpose::Audit, Material::Public(key)) => verifying.push((kid, meta, key)),
                (Purpose::Recipient, Material::Public(key)) => {
                    let party = meta.party.expect("a recipient key has a party");
                    if state == KeyState::Active {
                        recipients.insert(party.clone(), RecipientKey::new(party, kid, meta.expires, key));
                    }
                }
                (
                    _,
                    Material::Secret(_)
                    | Material::Private(_)
                    | Material::Public(_)
                    | Material::Wrapped(_)
                    | Material::Gone,
                ) => {
                    unreachable!("a checked key consists of what its purpose asks for")
                }
            }
        }
        let linkage = linkage.into_iter().map(|Held { state, key }: Held<LinkageKey>| {
            let ids = identifiers.get(key.scope()).expect("a checked ring has an identifier key with each linkage key");
            Held { state, key: key.with_identifiers(ids) }
        });
        let linkage = linkage.collect();
        let signing = signing.expect("a checked ring has an active signing key");
        let audit = audit.expect("a checked ring has an active audit key");
        let (signers, audit_signers) = (SignerKeys::new(signers), SignerKeys::new(audit_signers));
        Self {
            linkage,
            vault,
            register,
            intake,
            output,
            signing,
            audit,
            recipients,
            signers,
            signing_jwks,
            audit_signers,
            listing,
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyRing({} keys)", self.listing.len())
    }
}

fn active<K>(keys: &[Held<K>]) -> &K {
    let found = keys.iter().find(|held| held.state == KeyState::Active);
    &found.expect("a checked ring has an active key of this purpose").key
}

/// One key and the file it came from.
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) jwk: Jwk,
    /// What a token gave for a wrapped secret.
    unwrapped: Option<Zeroizing<[u8; 32]>>,
}

impl Found {
    /// What the key consists of, unwrapped.
    pub(super) fn into_material(self) -> Material {
        self.unwrapped.map_or(self.jwk.material, Material::Secret)
    }

    fn listing(&self, dir: &Path) -> KeyListing {
        let file = self.file.strip_prefix(dir).unwrap_or(&self.file).to_path_buf();
        let token =
            if let Material::Wrapped(wrapped) = &self.jwk.material { Some(wrapped.token.clone()) } else { None };
        KeyListing { kid: self.jwk.kid.clone(), meta: self.jwk.meta.clone(), file, token }
    }
}

/// The JWK Set of every key of a purpose that may still verify.
pub(super) fn published(purpose: Purpose, keys: &[Found]) -> Vec<u8> {
    let verifying = |found: &&Found| found.jwk.meta.purpose == purpose && found.jwk.meta.state != KeyState::Retired;
    jwk::write_set(keys.iter().filter(verifying).filter_map(|found| match &found.jwk.material {
        Material::Private(key) => Some((&found.jwk.meta, key.public_key())),
        Material::Public(key) => Some((&found.jwk.meta, *key)),
        Material::Secret(_) | Material::Wrapped(_) | Material::Gone => None,
    }))
}

/// Reads every key of a ring that has no problem, complete or not.
pub(super) fn read_in_order(dir: &Path) -> Result<Vec<Found>, Vec<KeyProblem>> {
    let (keys, problems) = read(dir);
    if problems.is_empty() { Ok(keys) } else { Err(problems) }
}

/// Reads every key file of a ring, in order of name, and checks that the keys fit together.
pub(super) fn read(dir: &Path) -> (Vec<Found>, Vec<KeyProblem>) {
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    if let Err(problem) = file::require_private_dir(dir) {
        return (keys, vec![problem]);
    }
    for path in names(dir, KEY_FILE, &mut problems) {
        let jwk =
            file::read_private(&path).map_err(|problem| vec![problem]).and_then(|text| jwk::parse_key(&path, &text));
        match jwk {
            Ok(jwk) if jwk.meta.purpose == Purpose::Recipient => {
                let remedy = "move it to the service that it belongs to; the ring holds the public half only";
                problems.push(KeyProblem::new(&path, "is a recipient's private key", remedy));
            }
            Ok(jwk) if jwk.meta.purpose == Purpose::Agreement => {
                let remedy = "move it to whoever signs with it; nobody who runs the service signs for the partners";
                problems.push(KeyProblem::new(&path, "is a private key for signing agreements", remedy));
            }
            Ok(jwk) => match unwrap(&path, &jwk) {
                Ok(unwrapped) => keys.push(Found { file: path, jwk, unwrapped }),
                Err(problem) => problems.push(problem),
            },
            Err(found) => problems.extend(found),
        }
    }
    let recipients = dir.join(RECIPIENTS);
    if recipients.exists() {
        for path in names(&recipients, SET_FILE, &mut problems) {
            read_recipient(&path, &mut keys, &mut problems);
        }
    }
    problems.extend(collisions(&keys));
    (keys, problems)
}

fn unwrap(path: &Path, jwk: &Jwk) -> Result<Option<Zeroizing<[u8; 32]>>, KeyProblem> {
    match &jwk.material {
        Material::Wrapped(wrapped) if jwk.meta.state != KeyState::Retired => {
            token::unwrap(path, &jwk.kid, wrapped).map(Some)
        }
        Material::Wrapped(_) | Material::Secret(_) | Material::Private(_) | Material::Public(_) | Material::Gone => {
            Ok(None)
        }
    }
}

fn read_recipient(path: &Path, keys: &mut Vec<Found>, problems: &mut Vec<KeyProblem>) {
    let (set, found) = match file::read_public(path) {
        Ok(text) => jwk::parse_set(path, &text),
        Err(problem) => (Vec::new(), vec![problem]),
    };
    problems.extend(found);
    let party = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_suffix(SET_FILE));
    for jwk in set {
        if jwk.meta.party.as_ref().map(PartyId::as_str) == party {
            keys.push(Found { file: path.into(), jwk, unwrapped: None });
        } else {
            let remedy = "a file holds the recipient keys of the party it is named after";
            problems.push(KeyProblem::new(path, "holds a key of another party or purpose", remedy));
        }
    }
}

/// The files of a directory whose names end so, sorted. Names that begin with a dot are ignored.
fn names(dir: &Path, ending: &str, problems: &mut Vec<KeyProblem>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            let problem = format!("cannot be listed ({})", error.kind());
            problems.push(KeyProblem::new(dir, problem, "check the path and who owns it"));
            return Vec::new();
        }
    };
    let ends_so = |name: &OsStr| name.to_str().is_some_and(|name| name.ends_with(ending) && !name.starts_with('.'));
    let mut paths: Vec<_> =
        entries.iter().filter(|entry| ends_so(&entry.file_name())).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn made(dir: &Path) -> Result<KeyRing, Vec<KeyProblem>> {
        let parties = ["up2u", "stop"].map(|name| name.parse().expect("a name"));
        let scope = "portsmouth".parse().expect("a name");
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        KeyRing::create(&dir.join("ring"), &dir.join("services"), &scope, &parties, Timestamp::UNIX_EPOCH, &mut rng)
    }

    /// Changes a file of the ring by replacing text in it.
    fn edit(dir: &Path, file: &str, from: &str, to: &str) {
        let path = dir.join("ring").join(file);
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replace(from, to)).expect("written");
    }

    fn report(dir: &Path) -> String {
        let problems = KeyRing::load(&dir.join("ring")).expect_err("the ring is not in order");
        problems.iter().map(|problem| format!("{problem}\n")).collect()
    }

    #[test]
    fn a_new_ring_serves_every_purpose() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ring = made(dir.path()).expect("made");
        let (scope, up2u) = ("portsmouth".parse().expect("a name"), "up2u".parse().expect("a name"));
        assert_eq!(ring.linkage(&scope).map(LinkageKey::epoch), Some(1));
        assert!(ring.linkage(&"leeds".parse().expect("a name")).is_none());
        assert_eq!(ring.vault().epoch(), 1);
        assert!(ring.vault_of(2).is_none());
        assert_eq!(ring.output(&up2u).recipient(), &up2u);
        assert!(ring.signing().kid().starts_with("priorityd#"));
        assert!(ring.recipient(&up2u).expect("a key").kid().starts_with("up2u#"));
        assert_eq!(ring.listing().len(), 9);
        let published = fs::read(dir.path().join("ring/signing.jwks.json")).expect("beside the private key");
        assert_eq!(published, ring.signing_jwks());
        assert!(SignerKeys::parse(Path::new("published"), &published).is_ok());
        assert_eq!(format!("{ring:?}"), "KeyRing(9 keys)");
    }

    #[test]
    fn the_same_seed_makes_the_same_keys() {
        let (first, second) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
        made(first.path()).expect("made");
        made(second.path()).expect("made");
        for file in ["ring/vault.1.jwk.json", "ring/signing.1.jwk.json", "services/up2u.jwk.json"] {
            let read = |dir: &tempfile::TempDir| fs::read(dir.path().join(file)).expect("read");
            assert_eq!(read(&first), read(&second));
        }
    }

    #[test]
    fn every_problem_is_in_one_report_and_none_quotes_the_file() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        made(dir.path()).expect("made");
        let ring = dir.path().join("ring");
        let secret: serde_json::Value =
            serde_json::from_slice(&fs::read(ring.join("vault.1.jwk.json")).expect("read")).expect("JSON");
        let secret = secret["k"].as_str().expect("k").to_owned();
        edit(dir.path(), "vault.1.jwk.json", &secret, "canary");
        edit(dir.path(), "output.1.jwk.json", "\"active\"", "\"canary\"");
        edit(dir.path(), "signing.1.jwk.json", "\"EC\"", "canary");
        edit(dir.path(), "recipients/stop.jwks.json", "stop#", "canary#");
        fs::set_permissions(ring.join("linkage.portsmouth.1.jwk.json"), Permissions::from_mode(0o644)).expect("set");
        let report = report(dir.path());
        for expected in [
            "linkage.portsmouth.1.jwk.json: holds a secret and is open",
            "vault.1.jwk.json: `k` is not 32 bytes",
            "output.1.jwk.json: `priorityd.state` is missing or unknown; pending, active",
            "signing.1.jwk.json: is not JSON of the right form, line 2",
            "stop.jwks.json: keys[0]: `kid` is missing or belongs to another key",
        ] {
            assert!(report.contains(expected), "{expected} is not in:\n{report}");
        }
        assert!(!report.contains("canary") && !report.contains(&secret), "{report}");
    }

    #[test]
    fn keys_that_exclude_each_other_or_are_missing_are_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        made(dir.path()).expect("made");
        let ring = dir.path().join("ring");
        fs::copy(ring.join("vault.1.jwk.json"), ring.join("vault.2.jwk.json")).expect("copied");
        assert!(report(dir.path()).contains("vault.2.jwk.json: has the epoch of another key"));
        edit(dir.path(), "vault.2.jwk.json", "\"epoch\": 1", "\"epoch\": 2");
        edit(dir.path(), "vault.2.jwk.json", "vault.1", "vault.2");
        assert!(report(dir.path()).contains("is a second active vault key"));
        edit(dir.path(), "vault.1.jwk.json", "\"active\"", "\"lookup_only\"");
        let loaded = KeyRing::load(&ring).expect("in order");
        assert_eq!((loaded.vault().epoch(), loaded.vault_of(1).is_some()), (2, true));
        edit(dir.path(), "output.1.jwk.json", "\"active\"", "\"retired\"");
        assert!(report(dir.path()).contains("has no active output key; run `priorityd keys new output`"));
    }

    #[test]
    fn a_signer_of_the_past_verifies_without_its_private_part() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        made(dir.path()).expect("made");
        let ring = dir.path().join("ring");
        let path = ring.join("signing.1.jwk.json");
        let mut old: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        old.as_object_mut().expect("members").remove("d");
        fs::write(&path, old.to_string()).expect("written");
        assert!(report(dir.path()).contains("`d`, the private part, is missing"));
        old["priorityd"]["state"] = "lookup_only".into();
        fs::write(&path, old.to_string()).expect("written");
        assert!(report(dir.path()).contains("has no active signing key"));
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        NewKeys::new(&ring, Timestamp::UNIX_EPOCH, None, &mut rng).signing().expect("the place is vacant");
        let loaded = KeyRing::load(&ring).expect("in order");
        assert_ne!(loaded.signing().kid(), old["kid"]);
        let published: serde_json::Value = serde_json::from_slice(loaded.signing_jwks()).expect("JSON");
        let kids: Vec<_> = published["keys"].as_array().expect("keys").iter().map(|key| &key["kid"]).collect();
        assert_eq!(kids, [&old["kid"], &loaded.signing().kid().into()]);
    }

    #[test]
    fn private_halves_stay_out_of_the_ring() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        made(dir.path()).expect("made");
        let private = fs::read_to_string(dir.path().join("services/up2u.jwk.json")).expect("read");
        fs::write(dir.path().join("ring/recipients/up2u.jwks.json"), format!("{{\"keys\":[{private}]}}"))
            .expect("written");
        assert!(report(dir.path()).contains("`d`, a private key, in a set of public keys"));
        let stray = dir.path().join("ring/up2u.jwk.json");
        fs::copy(dir.path().join("services/up2u.jwk.json"), stray).expect("copied");
        assert!(report(dir.path()).contains("is a recipient's private key"));
    }
}
