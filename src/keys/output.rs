//! The output key: pseudonyms that a recipient can hold on to and no two recipients can compare.

use std::fmt;

use zeroize::Zeroizing;

use super::linkage::FieldKey;
use crate::model::ids::PartyId;

/// The secret of one epoch, from which each recipient's key is derived. Never shown, never copied.
pub(super) struct OutputSecret {
    epoch: u32,
    secret: Zeroizing<[u8; 32]>,
}

impl OutputSecret {
    pub(super) fn new(epoch: u32, secret: Zeroizing<[u8; 32]>) -> Self {
        Self { epoch, secret }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Derives a recipient's key: HKDF-SHA-256, no salt, info `priorityd/v1/output/<epoch>/<recipient>`.
    pub(super) fn of(&self, recipient: &PartyId) -> OutputKey {
        let info = format!("priorityd/v1/output/{}/{recipient}", self.epoch);
        OutputKey { recipient: recipient.clone(), key: FieldKey::derive(&self.secret, &info) }
    }
}

/// One recipient's key for pseudonyms. Never shown, never copied.
pub struct OutputKey {
    recipient: PartyId,
    key: FieldKey,
}

impl OutputKey {
    /// Whose pseudonyms it makes.
    #[must_use]
    pub fn recipient(&self) -> &PartyId {
        &self.recipient
    }

    /// The name under which this recipient knows `id`. `label` says what kind of id it is, so that a person and a finding
    /// with the same 16 bytes have nothing in common.
    #[must_use]
    pub fn pseudonym(&self, label: &str, id: &[u8; 16]) -> [u8; 16] {
        let mac = self.key.mac(&[label.as_bytes(), id]);
        *mac.first_chunk().expect("16 of the 32 bytes")
    }
}

impl fmt::Debug for OutputKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OutputKey({})", self.recipient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_and_labels_are_kept_apart() {
        let secret = OutputSecret::new(1, Zeroizing::new([7; 32]));
        let (up2u, stop) = (secret.of(&"up2u".parse().expect("a name")), secret.of(&"stop".parse().expect("a name")));
        let id = [9; 16];
        assert_eq!(up2u.pseudonym("person", &id), up2u.pseudonym("person", &id));
        assert_ne!(up2u.pseudonym("person", &id), stop.pseudonym("person", &id));
        assert_ne!(up2u.pseudonym("person", &id), up2u.pseudonym("finding", &id));
        assert_eq!(format!("{up2u:?}"), "OutputKey(up2u)");
    }
}
