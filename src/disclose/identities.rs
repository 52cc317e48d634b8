//! Sealed identities by record, and the one place where they are opened: to be put into a sealed message.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::keys::KeyRing;
use crate::model::ids::{RecordId, ScopeId};
use crate::model::register::{RowChange, RowKind, row_value, sorted};
use crate::model::sealed::{PERSON, Sealed};

/// A person as their agency wrote them down. Leaves only inside a message sealed to a recipient whom the agreement lets
/// see it. Wiped on drop; no `Debug`.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct OpenedPerson {
    /// The agency's own reference.
    pub local_ref: String,
    /// Given names in order.
    pub given_names: Vec<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// `YYYY-MM-DD`.
    pub date_of_birth: Option<String>,
}

/// The sealed identities of one scope's records.
#[derive(Default)]
pub struct Identities {
    sealed: FxHashMap<RecordId, Sealed>,
    /// Each may come more than once.
    changed: Vec<RecordId>,
}

impl Identities {
    /// Keeps a record's sealed identity; a record that is known keeps the one it has, which says the same.
    pub fn insert(&mut self, record: RecordId, sealed: Sealed) {
        let changed = &mut self.changed;
        self.sealed.entry(record).or_insert_with(|| {
            changed.push(record);
            sealed
        });
    }

    /// Forgets a record that no event in force names any more.
    pub fn remove(&mut self, record: RecordId) {
        if self.sealed.remove(&record).is_some() {
            self.changed.push(record);
        }
    }

    /// A record's sealed identity.
    #[must_use]
    pub fn sealed(&self, record: RecordId) -> Option<&Sealed> {
        self.sealed.get(&record)
    }

    /// Opens a record's identity. `None` when it is not held, or sealed under a key that is gone.
    #[must_use]
    pub fn open(&self, record: RecordId, scope: &ScopeId, keys: &KeyRing) -> Option<OpenedPerson> {
        let sealed = self.sealed.get(&record)?;
        let clear = keys.vault_of(sealed.epoch)?.open(PERSON, &[scope.as_str().as_bytes(), &record.0], sealed)?;
        serde_json::from_slice(&clear).ok()
    }

    /// Seals under the active vault key what lies under an older one, and says how many. Once nothing does, the older key
    /// can be destroyed, and with it dies every copy that backups still have of anybody's identity.
    pub fn reseal(&mut self, scope: &ScopeId, keys: &KeyRing, mut nonce: impl FnMut() -> [u8; 12]) -> usize {
        let (vault, changed) = (keys.vault(), &mut self.changed);
        let mut resealed = 0;
        for (record, sealed) in self.sealed.iter_mut().filter(|(_, sealed)| sealed.epoch != vault.epoch()) {
            let context = [scope.as_str().as_bytes(), &record.0];
            let clear = keys.vault_of(sealed.epoch).and_then(|key| key.open(PERSON, &context, sealed));
            if let Some(clear) = clear {
                *sealed = vault.seal(PERSON, &context, nonce(), &clear);
                changed.push(*record);
                resealed += 1;
            }
        }
        resealed
    }

    /// Rows changed since the last call, by record.
    pub fn take_changes(&mut self) -> Vec<RowChange> {
        let changed = sorted(std::mem::take(&mut self.changed));
        let row = |record: RecordId| {
            let value = self.sealed.get(&record).map(|sealed| row_value(sealed, sealed.bytes.len() + 8));
            RowChange { kind: RowKind::Identity, id: record.0.to_vec(), value }
        };
        changed.into_iter().map(row).collect()
    }

    /// Takes a row back in after a restart; `None` when it is not one of ours.
    pub fn restore(&mut self, id: &[u8], value: &[u8]) -> Option<()> {
        let sealed = postcard::from_bytes(value).ok()?;
        self.sealed.insert(RecordId(id.try_into().ok()?), sealed);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::keys::NewKeys;
    use crate::keys::meta::{Purpose, Slot};
    use crate::keys::rotate;

    #[test]
    fn what_an_older_key_sealed_opens_with_the_new_one_alone_and_old_copies_with_none() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (ring, scope) = (dir.path().join("keys"), "portsmouth".parse().expect("a name"));
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let keys = KeyRing::create(&ring, dir.path(), &scope, &[], Timestamp::UNIX_EPOCH, &mut rng).expect("a ring");
        let record = RecordId([7; 16]);
        let clear = br#"{"local_ref":"R1","given_names":[],"family_name":"Ashgrove","date_of_birth":null}"#;
        let mut identities = Identities::default();
        let context = [scope.as_str().as_bytes(), &record.0];
        identities.insert(record, keys.vault().seal(PERSON, &context, [1; 12], clear));
        let copy = identities.take_changes().pop().and_then(|row| row.value).expect("a row, as a backup has it");

        let slot = Slot::of(Purpose::Vault);
        let new = NewKeys::new(&ring, Timestamp::UNIX_EPOCH, None, &mut rng);
        rotate::rotate(new, &slot, None, None).expect("rotated");
        let keys = KeyRing::load(&ring).expect("a ring");
        let mut nonce = || {
            let mut nonce = [0; 12];
            rng.fill_bytes(&mut nonce);
            nonce
        };
        assert_eq!(identities.reseal(&scope, &keys, &mut nonce), 1);
        assert_eq!(identities.reseal(&scope, &keys, &mut nonce), 0);
        assert_eq!(identities.take_changes().len(), 1);

        rotate::retire(&ring, &slot, 1).expect("destroyed");
        let keys = KeyRing::load(&ring).expect("a ring");
        let opened = identities.open(record, &scope, &keys).expect("it opens");
        assert_eq!(opened.family_name.as_deref(), Some("Ashgrove"));
        let mut backup = Identities::default();
        backup.restore(&record.0, &copy).expect("a row");
        assert!(backup.open(record, &scope, &keys).is_none());
    }
}
