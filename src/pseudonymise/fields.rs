//! One key per field, derived once: equal text in two fields gives unrelated tokens.

use crate::keys::linkage::{FieldKey, LinkageKey};
use crate::model::tokens::{NumberKind, Token};

/// The field keys of one scope and epoch. The names given to HKDF are part of the format: changing one re-keys a field.
pub(super) struct FieldKeys {
    pub(super) name: FieldKey,
    pub(super) form: FieldKey,
    pub(super) phonetic: FieldKey,
    pub(super) initial: FieldKey,
    pub(super) name_deletion: FieldKey,
    pub(super) date: FieldKey,
    pub(super) date_wildcard: FieldKey,
    pub(super) year: FieldKey,
    pub(super) year_month: FieldKey,
    pub(super) month_day: FieldKey,
    pub(super) year_day: FieldKey,
    pub(super) sex_and_date: FieldKey,
    pub(super) unit: FieldKey,
    pub(super) sector: FieldKey,
    pub(super) district: FieldKey,
    pub(super) area: FieldKey,
    pub(super) postcode_deletion: FieldKey,
    pub(super) address: FieldKey,
    pub(super) number_street: FieldKey,
    pub(super) address_word: FieldKey,
    pub(super) uprn: FieldKey,
    pub(super) block: FieldKey,
    pub(super) event: FieldKey,
    pub(super) local_ref: FieldKey,
    pub(super) record: FieldKey,
    pub(super) fingerprint: FieldKey,
    numbers: [(FieldKey, FieldKey); NumberKind::ALL.len()],
}

impl FieldKeys {
    pub(super) fn derive(key: &LinkageKey) -> Self {
        Self {
            name: key.field("name"),
            form: key.field("name.form"),
            phonetic: key.field("name.phonetic"),
            initial: key.field("name.initial"),
            name_deletion: key.field("name.deletion"),
            date: key.field("date"),
            date_wildcard: key.field("date.wildcard"),
            year: key.field("date.year"),
            year_month: key.field("date.year_month"),
            month_day: key.field("date.month_day"),
            year_day: key.field("date.year_day"),
            sex_and_date: key.field("sex_and_date"),
            unit: key.field("postcode.unit"),
            sector: key.field("postcode.sector"),
            district: key.field("postcode.district"),
            area: key.field("postcode.area"),
            postcode_deletion: key.field("postcode.deletion"),
            address: key.field("address"),
            number_street: key.field("address.number_street"),
            address_word: key.field("address.word"),
            uprn: key.field("uprn"),
            block: key.field("block"),
            event: key.identifier("event"),
            local_ref: key.identifier("local_ref"),
            record: key.identifier("record"),
            fingerprint: key.identifier("fingerprint"),
            numbers: NumberKind::ALL.map(|kind| {
                let field = format!("number.{}", kind.name());
                (key.field(&field), key.field(&format!("{field}.deletion")))
            }),
        }
    }

    /// The keys of a kind of number, whole and with a character left out.
    pub(super) fn number(&self, kind: NumberKind) -> &(FieldKey, FieldKey) {
        &self.numbers[kind as usize]
    }
}

/// The first eight bytes of the keyed hash.
pub(super) fn token(key: &FieldKey, parts: impl IntoIterator<Item: AsRef<[u8]>>) -> Token {
    let mac = key.mac(parts);
    let first = mac.first_chunk::<8>().expect("HMAC-SHA-256 has 32 bytes");
    Token(u64::from_be_bytes(*first))
}
