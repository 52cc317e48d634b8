//! The life of a key: `pending → active → lookup_only → retired`. Successors, keys that others made, ends, and wrapping.
//!
//! Several files change in one step of life, and a ring may be read in between. So the successor is written as pending,
//! then the active key steps back, then the successor steps forward: a reader finds a ring that is whole, or one without an
//! active key, which it refuses and reads again; and whatever was cut short is finished by the same command again.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::create::{NewKeys, recipient_file};
use super::jwk::{self, Material};
use super::meta::{KeyMeta, KeyProblem, KeyState, Purpose, Slot};
use super::ring::{self, Found};
use super::token::{self, TokenPlace};
use super::{create, file};
use crate::model::ids::{PartyId, ScopeId};

/// Puts a successor in place of the active key of a slot: the pending one if there is one, else a new one. The key before
/// it only looks up from then on, and of a pair that signs only the public half stays, until `verify_until`. Returns the
/// files written. `keys` makes the successor; the private half of a recipient's goes to `private_dir`.
pub fn rotate(
    keys: NewKeys<'_>,
    slot: &Slot,
    private_dir: Option<&Path>,
    verify_until: Option<Timestamp>,
) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
    let dir = keys.dir().to_owned();
    if slot.purpose == Purpose::Identifier {
        let remedy = "ids last as long as the register; start a new register to change them";
        return Err(one(KeyProblem::new(&dir, "an identifier key is not rotated", remedy)));
    }
    let (active, pending) = stand(&dir, slot)?;
    let mut written = Vec::new();
    if pending.is_none() {
        if active.is_none() {
            let remedy = format!("make the first one with `priorityd keys new {}`", slot.purpose);
            return Err(one(KeyProblem::new(&dir, format!("has no active {slot} key"), remedy)));
        }
        written = keys.pending().make(slot, private_dir)?;
    }
    if slot.purpose == Purpose::Recipient {
        let party = slot.party.as_ref().expect("a recipient key has a party");
        written.push(promote_recipient(&dir, party)?);
    } else {
        if let Some(found) = stand(&dir, slot)?.0 {
            written.push(step_back(found, verify_until)?);
        }
        let found = stand(&dir, slot)?.1.expect("made above, or pending before");
        let meta = KeyMeta { state: KeyState::Active, ..found.jwk.meta };
        file::replace_private(&found.file, &jwk::write(&meta, &found.jwk.material)).map_err(one)?;
        written.push(found.file);
    }
    written.extend(create::publish_signers(&dir)?);
    written.sort();
    written.dedup();
    Ok(written)
}

/// Ends a key: its secret is destroyed, and what remains is the fact that it was. The active key of a slot is refused.
pub fn retire(dir: &Path, slot: &Slot, epoch: u32) -> Result<PathBuf, Vec<KeyProblem>> {
    let found = one_of(dir, slot, epoch)?;
    if found.jwk.meta.state == KeyState::Active {
        let remedy = format!("put another in its place first: `priorityd keys rotate {}`", slot.purpose);
        return Err(one(KeyProblem::new(&found.file, "is the active key", remedy)));
    }
    if slot.purpose == Purpose::Recipient {
        let party = slot.party.as_ref().expect("a recipient key has a party");
        return rewrite_recipient(dir, party, |meta| {
            if meta.epoch == epoch {
                meta.state = KeyState::Retired;
            }
        });
    }
    let meta = KeyMeta { state: KeyState::Retired, ..found.jwk.meta };
    let rest = match found.jwk.material {
        Material::Private(key) => Material::Public(key.public_key()),
        Material::Public(key) => Material::Public(key),
        Material::Secret(_) | Material::Wrapped(_) | Material::Gone => Material::Gone,
    };
    file::destroy_private(&found.file, &jwk::write(&meta, &rest)).map_err(one)?;
    create::publish_signers(dir)?;
    Ok(found.file)
}

/// Takes in the public key that a service made by itself: active if the service has none, else pending.
pub fn add(
    dir: &Path,
    party: &PartyId,
    jwk_file: &Path,
    created: Timestamp,
    expires: Option<Timestamp>,
) -> Result<(PathBuf, KeyState), Vec<KeyProblem>> {
    let public = jwk::parse_public(jwk_file, &file::read_public(jwk_file).map_err(one)?)?;
    let slot = Slot::for_party(Purpose::Recipient, party);
    let held = ring::read_in_order(dir)?;
    let same = |found: &&Found| matches!(&found.jwk.material, Material::Public(key) if *key == public);
    if let Some(found) = held.iter().find(same) {
        return Err(one(KeyProblem::new(&found.file, "holds this very key", "each pair serves one party, once")));
    }
    let of_party = || held.iter().filter(|found| found.jwk.meta.slot() == slot);
    if of_party().any(|found| found.jwk.meta.state == KeyState::Pending) {
        let remedy = format!("put it to use with `priorityd keys rotate recipient --party {party}`, then add the next");
        return Err(one(KeyProblem::new(dir, "has a pending key of this recipient", remedy)));
    }
    let has_active = of_party().any(|found| found.jwk.meta.state == KeyState::Active);
    let state = if has_active { KeyState::Pending } else { KeyState::Active };
    let epoch = of_party().map(|found| found.jwk.meta.epoch).max().unwrap_or(0) + 1;
    let meta = KeyMeta {
        purpose: Purpose::Recipient,
        scope: None,
        party: Some(party.clone()),
        epoch,
        state,
        created,
        expires,
    };
    let path = create::add_to_recipient(dir, &held, &meta, public)?;
    Ok((path, state))
}

/// Has a token encrypt every secret of a purpose that lies in clear. Returns the files rewritten.
pub fn wrap(
    dir: &Path,
    purpose: Purpose,
    place: &TokenPlace,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
    let mut written = Vec::new();
    for Found { file: path, jwk: key, .. } in ring::read_in_order(dir)? {
        let Material::Secret(secret) = &key.material else { continue };
        if key.meta.purpose != purpose {
            continue;
        }
        let mut iv = [0; 12];
        rng.fill_bytes(&mut iv);
        let wrapped = token::wrap(place, &key.kid, secret, iv).map_err(one)?;
        // What cannot be unwrapped must not replace what can be read.
        let back: Zeroizing<[u8; 32]> = token::unwrap(&path, &key.kid, &wrapped).map_err(one)?;
        if *back != **secret {
            let remedy = "try another token: nothing was changed";
            return Err(one(KeyProblem::new(&place.module, "does not give back what it took", remedy)));
        }
        file::destroy_private(&path, &jwk::write(&key.meta, &Material::Wrapped(wrapped))).map_err(one)?;
        written.push(path);
    }
    Ok(written)
}

/// The slot that words on the command line mean, with the scope or party that the purpose asks for and no other.
pub fn slot(purpose: Purpose, scope: Option<&ScopeId>, party: Option<&PartyId>) -> Result<Slot, &'static str> {
    match (purpose.has_scope(), scope, purpose.has_party(), party) {
        (true, None, ..) => Err("--scope: it is missing; name the partnership"),
        (_, _, true, None) => Err("--party: it is missing; name the recipient or the agency"),
        (false, Some(_), ..) => Err("--scope: keys of this purpose have none; leave it out"),
        (_, _, false, Some(_)) => Err("--party: keys of this purpose belong to none; leave it out"),
        (..) => Ok(Slot { purpose, scope: scope.cloned(), party: party.cloned() }),
    }
}

/// The active and the pending key of a slot.
fn stand(dir: &Path, slot: &Slot) -> Result<(Option<Found>, Option<Found>), Vec<KeyProblem>> {
    let (mut active, mut pending) = (None, None);
    for found in ring::read_in_order(dir)?.into_iter().filter(|found| found.jwk.meta.slot() == *slot) {
        match found.jwk.meta.state {
            KeyState::Active => active = Some(found),
            KeyState::Pending => pending = Some(found),
            KeyState::LookupOnly | KeyState::Retired => {}
        }
    }
    Ok((active, pending))
}

fn one_of(dir: &Path, slot: &Slot, epoch: u32) -> Result<Found, Vec<KeyProblem>> {
    let mut keys = ring::read_in_order(dir)?.into_iter();
    let found = keys.find(|found| found.jwk.meta.slot() == *slot && found.jwk.meta.epoch == epoch);
    found.ok_or_else(|| {
        let problem = format!("has no {slot} key of epoch {epoch}");
        one(KeyProblem::new(dir, problem, "see `priorityd keys list`"))
    })
}

/// The active key only looks up from now on.
fn step_back(found: Found, verify_until: Option<Timestamp>) -> Result<PathBuf, Vec<KeyProblem>> {
    let mut meta = KeyMeta { state: KeyState::LookupOnly, ..found.jwk.meta };
    match found.jwk.material {
        // What only verifies needs no private half, and an end: no message that it signed lives longer.
        Material::Private(key) => {
            meta.expires = [meta.expires, verify_until].into_iter().flatten().min();
            let text = jwk::write(&meta, &Material::Public(key.public_key()));
            file::destroy_private(&found.file, &text).map_err(one)?;
        }
        material @ (Material::Secret(_) | Material::Wrapped(_) | Material::Public(_) | Material::Gone) => {
            file::replace_private(&found.file, &jwk::write(&meta, &material)).map_err(one)?;
        }
    }
    Ok(found.file)
}

/// Nothing is sealed to a recipient's earlier key any more, so it is retired at once; its private half is the service's own.
fn promote_recipient(dir: &Path, party: &PartyId) -> Result<PathBuf, Vec<KeyProblem>> {
    rewrite_recipient(dir, party, |meta| {
        meta.state = match meta.state {
            KeyState::Pending => KeyState::Active,
            KeyState::Active | KeyState::LookupOnly | KeyState::Retired => KeyState::Retired,
        }
    })
}

fn rewrite_recipient(
    dir: &Path,
    party: &PartyId,
    mut change: impl FnMut(&mut KeyMeta),
) -> Result<PathBuf, Vec<KeyProblem>> {
    let slot = Slot::for_party(Purpose::Recipient, party);
    let keys = ring::read_in_order(dir)?;
    let mut set = Vec::new();
    for Found { jwk: key, .. } in keys.into_iter().filter(|found| found.jwk.meta.slot() == slot) {
        let Material::Public(public) = key.material else { continue };
        let mut meta = key.meta;
        change(&mut meta);
        set.push((meta, public));
    }
    let path = recipient_file(dir, party);
    file::replace_public(&path, &jwk::write_set(set.iter().map(|(meta, key)| (meta, *key)))).map_err(one)?;
    Ok(path)
}

fn one(problem: KeyProblem) -> Vec<KeyProblem> {
    vec![problem]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::SignedDuration;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;
    use serde_json::Value;

    use super::*;
    use crate::keys::KeyRing;
    use crate::keys::meta::KeyState::{Active, LookupOnly, Pending, Retired};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    struct Ring {
        dir: tempfile::TempDir,
        seed: u64,
    }

    impl Ring {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let mut rng = ChaCha20Rng::seed_from_u64(0);
            let (ring, services) = (dir.path().join("ring"), dir.path().join("services"));
            KeyRing::create(&ring, &services, &scope(), &[up2u()], NOW, &mut rng).expect("made");
            Self { dir, seed: 0 }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("ring")
        }

        fn rotate(&mut self, slot: &Slot) -> Result<Vec<PathBuf>, Vec<KeyProblem>> {
            self.seed += 1;
            let (path, services) = (self.path(), self.dir.path().join("services"));
            let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
            let keys = NewKeys::new(&path, NOW, None, &mut rng);
            rotate(keys, slot, Some(&services), Some(NOW + SignedDuration::from_hours(24)))
        }

        fn states(&self, slot: &Slot) -> Vec<KeyState> {
            let ring = KeyRing::load(&self.path()).expect("in order");
            let mut keys: Vec<_> = ring.listing().iter().filter(|key| key.meta.slot() == *slot).collect();
            keys.sort_by_key(|key| key.meta.epoch);
            keys.iter().map(|key| key.meta.state).collect()
        }

        fn json(&self, file: &str) -> Value {
            serde_json::from_slice(&fs::read(self.path().join(file)).expect("read")).expect("JSON")
        }
    }

    fn scope() -> ScopeId {
        "portsmouth".parse().expect("a name")
    }

    fn up2u() -> PartyId {
        "up2u".parse().expect("a name")
    }

    #[test]
    fn every_purpose_but_ids_rotates_and_the_ring_stays_in_order() {
        let mut ring = Ring::new();
        for slot in [
            Slot::in_scope(Purpose::Linkage, &scope()),
            Slot::of(Purpose::Vault),
            Slot::of(Purpose::Register),
            Slot::of(Purpose::Output),
            Slot::of(Purpose::Signing),
            Slot::of(Purpose::Audit),
        ] {
            ring.rotate(&slot).expect("rotated");
            assert_eq!(ring.states(&slot), [LookupOnly, Active], "{slot}");
            ring.rotate(&slot).expect("rotated");
            assert_eq!(ring.states(&slot), [LookupOnly, LookupOnly, Active], "{slot}");
            retire(&ring.path(), &slot, 1).expect("retired");
            assert_eq!(ring.states(&slot), [Retired, LookupOnly, Active], "{slot}");
            assert!(retire(&ring.path(), &slot, 3).is_err(), "the active key of {slot} is not ended");
        }
        assert!(ring.rotate(&Slot::in_scope(Purpose::Identifier, &scope())).is_err());
    }

    #[test]
    fn what_is_retired_or_only_verifies_is_gone_from_its_file() {
        let mut ring = Ring::new();
        let secret = ring.json("linkage.portsmouth.1.jwk.json")["k"].as_str().expect("k").to_owned();
        let private = ring.json("signing.1.jwk.json")["d"].as_str().expect("d").to_owned();
        let linkage = Slot::in_scope(Purpose::Linkage, &scope());
        ring.rotate(&linkage).expect("rotated");
        assert_eq!(ring.json("linkage.portsmouth.1.jwk.json")["k"], secret.as_str(), "the register needs it still");
        retire(&ring.path(), &linkage, 1).expect("retired");
        ring.rotate(&Slot::of(Purpose::Signing)).expect("rotated");
        for file in fs::read_dir(ring.path()).expect("a directory").map(|file| file.expect("an entry").path()) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            assert!(!text.contains(&secret) && !text.contains(&private), "{}", file.display());
        }
    }

    #[test]
    fn a_signing_key_that_was_rotated_out_verifies_until_its_messages_have_expired() {
        let mut ring = Ring::new();
        let before = KeyRing::load(&ring.path()).expect("in order");
        let signature = before.signing().sign(b"said before");
        ring.rotate(&Slot::of(Purpose::Signing)).expect("rotated");
        let after = KeyRing::load(&ring.path()).expect("in order");
        assert_ne!(before.signing().kid(), after.signing().kid());
        let verdict = |at| after.signers().verify(before.signing().kid(), b"said before", &signature, at);
        assert_eq!(verdict(NOW), super::super::signing::Verdict::Good);
        let later = NOW + SignedDuration::from_hours(25);
        assert_eq!(verdict(later), super::super::signing::Verdict::ExpiredSigner);
        assert_eq!(ring.json("signing.jwks.json")["keys"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_service_may_bring_its_own_key_and_wait_for_its_turn() {
        let mut ring = Ring::new();
        let recipient = Slot::for_party(Purpose::Recipient, &up2u());
        let own = ring.dir.path().join("own.json");
        let (x, y) = ("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck");
        fs::write(&own, format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)).expect("written");
        let (_, state) = add(&ring.path(), &up2u(), &own, NOW, None).expect("added");
        assert_eq!((state, ring.states(&recipient)), (Pending, vec![Active, Pending]));
        assert!(add(&ring.path(), &up2u(), &own, NOW, None).is_err(), "the same key twice");
        ring.rotate(&recipient).expect("rotated");
        assert_eq!(ring.states(&recipient), [Retired, Active]);
        let private = fs::read_to_string(ring.dir.path().join("services/up2u.jwk.json")).expect("read");
        fs::write(&own, private).expect("written");
        let refused = add(&ring.path(), &up2u(), &own, NOW, None).expect_err("a private key");
        assert!(refused[0].problem.contains("`d`, a private key"), "{}", refused[0]);
    }

    #[test]
    fn a_rotation_that_was_cut_short_is_finished_by_the_next() {
        let mut ring = Ring::new();
        let vault = Slot::of(Purpose::Vault);
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        NewKeys::new(&ring.path(), NOW, None, &mut rng).pending().make(&vault, None).expect("made");
        let mut first = ring.json("vault.1.jwk.json");
        first["priorityd"]["state"] = "lookup_only".into();
        fs::write(ring.path().join("vault.1.jwk.json"), first.to_string()).expect("written");
        assert!(KeyRing::load(&ring.path()).is_err(), "no active vault key");
        ring.rotate(&vault).expect("finished");
        assert_eq!(ring.states(&vault), [LookupOnly, Active]);
    }
}
