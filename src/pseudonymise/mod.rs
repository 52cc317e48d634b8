//! Pseudonymise: normalised clear identity in, keyed tokens and keyed ids out. After this room nobody knows a name.
//!
//! Every token is HMAC-SHA-256 under the key of its field, over length-prefixed parts, cut to 64 bits; every id is the
//! same cut to 128. The forms are fixed by `tests/vectors/`, computed by an independent implementation.

mod compounds;
pub mod event;
mod fields;
mod known;
mod population;
mod refuges;
pub mod source;

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use self::fields::{FieldKeys, token};
use self::known::{Known, PEOPLE, VALUES};
use crate::keys::linkage::{FieldKey, LinkageKey};
use crate::model::frequencies::Frequencies;
use crate::model::ids::{EventId, LocalRefId, PartyId, RecordId};
use crate::model::tokens::{
    AddressTokens, DATE_DIGITS, DateTokens, MiddleTokens, NAME_DELETIONS, NAME_FORMS, NameTokens, NumberKind,
    NumberTokens, PersonTokens, PostcodeTokens, Token,
};
use crate::normalise::{NormalDate, NormalIdentity, NormalName, NormalPostcode, Word};

/// Hashes for one scope and epoch. Holds keys, and tokens that it made before; no clear text stays in it.
pub struct Pseudonymiser {
    keys: FieldKeys,
    refuges: BTreeSet<Token>,
    names: Known<NameTokens>,
    dates: Known<DateTokens>,
    postcodes: Known<PostcodeTokens>,
    people: Known<Arc<PersonTokens>>,
}

impl Pseudonymiser {
    /// Derives all field keys from the linkage key.
    #[must_use]
    pub fn new(key: &LinkageKey) -> Self {
        Self {
            keys: FieldKeys::derive(key),
            refuges: BTreeSet::new(),
            names: Known::new(VALUES),
            dates: Known::new(VALUES),
            postcodes: Known::new(VALUES),
            people: Known::new(PEOPLE),
        }
    }

    /// The id of the event that its source calls `id`.
    #[must_use]
    pub fn event_id(&self, source: &str, id: &str) -> EventId {
        EventId(cut(&self.keys.event, &[source.as_bytes(), id.as_bytes()]))
    }

    /// The id of the person whom an agency calls `local_ref`.
    #[must_use]
    pub fn local_ref(&self, agency: &PartyId, local_ref: &str) -> LocalRefId {
        LocalRefId(cut(&self.keys.local_ref, &[agency.as_str().as_bytes(), local_ref.as_bytes()]))
    }

    /// The id of one distinct identity of one `(agency, local_ref)`.
    #[must_use]
    pub fn record(&self, agency: &PartyId, local_ref: &str, identity: &NormalIdentity) -> RecordId {
        let agency = agency.as_str();
        let mut parts: SmallVec<[&[u8]; 32]> = smallvec![agency.as_bytes(), local_ref.as_bytes()];
        each_part(identity, |label, value| parts.extend([label.as_bytes(), value]));
        RecordId(cut(&self.keys.record, &parts))
    }

    /// A keyed fingerprint of an event's content, to tell a replay from a reused id.
    #[must_use]
    pub fn fingerprint(&self, canonical_content: &[u8]) -> [u8; 8] {
        let mac = self.keys.fingerprint.mac(&[canonical_content]);
        *mac.first_chunk().expect("HMAC-SHA-256 has 32 bytes")
    }

    /// How common the values of the population are, by their tokens under these keys; for the linkage model.
    #[must_use]
    pub fn public_frequencies(&self) -> Frequencies {
        population::frequencies(&self.keys)
    }

    /// Everything linkage compares of the person of a record, which [`Self::record`] named: of every part that tokens are made
    /// of. Remembered, until [`Self::forget_people`].
    #[must_use]
    pub fn tokens_of(&self, record: RecordId, identity: &NormalIdentity) -> Arc<PersonTokens> {
        self.people.get(record.0, || Arc::new(self.tokens(identity)))
    }

    /// Remembers nobody any more: what is not to be held anywhere is not held here. Values of fields stay, for they are
    /// nobody's.
    pub fn forget_people(&self) {
        self.people.forget();
    }

    /// How many people are remembered.
    #[cfg(test)]
    pub(crate) fn people_held(&self) -> usize {
        self.people.held()
    }

    /// Everything linkage compares of one person.
    #[must_use]
    pub fn tokens(&self, identity: &NormalIdentity) -> PersonTokens {
        let _stage = tracing::trace_span!(target: "stage", "tokens").entered();
        let keys = &self.keys;
        let others = |words: &[Word]| {
            let mut tokens: SmallVec<[Token; 2]> =
                words.iter().map(|word| token(&keys.name, &[word.expose()])).collect();
            tokens.sort_unstable();
            tokens
        };
        PersonTokens {
            given: identity.given.as_ref().map(|name| self.name(name)),
            middle: identity.middle.as_ref().map(|word| self.middle(word)),
            other_given: others(&identity.other_given),
            family: identity.family.as_ref().map(|name| self.name(name)),
            other_family: others(&identity.other_family),
            date: identity.birth.as_ref().map(|date| self.date(date)),
            sex_and_date: identity.sex.zip(identity.birth.as_ref()).map(|(sex, date)| {
                token(&keys.sex_and_date, &[sex.name(), std::str::from_utf8(&date.digits).expect("digits are ASCII")])
            }),
            postcode: identity.postcode.as_ref().map(|code| self.postcode(code)),
            address: identity.address.as_ref().map(|line| AddressTokens {
                whole: token(&keys.address, &[line.whole.expose()]),
                number_street: line.number_street.as_ref().map(|word| token(&keys.number_street, &[word.expose()])),
                words: {
                    let mut words: SmallVec<_> =
                        line.words.iter().map(|word| token(&keys.address_word, &[word.expose()])).collect();
                    words.sort_unstable();
                    words
                },
            }),
            uprn: identity.uprn.as_ref().map(|word| token(&keys.uprn, &[word.expose()])),
            numbers: identity.numbers.iter().map(|(kind, number)| self.number(*kind, number)).collect(),
            blocking: {
                let _stage = tracing::trace_span!(target: "stage", "blocking").entered();
                compounds::blocking(keys, identity)
            },
        }
    }

    fn name(&self, name: &NormalName) -> NameTokens {
        let mac = cut(&self.keys.name, &[name.word.expose().as_bytes()]);
        self.names.get(mac, || self.hash_name(name, first(mac)))
    }

    fn hash_name(&self, name: &NormalName, exact: Token) -> NameTokens {
        let keys = &self.keys;
        let text = name.word.expose();
        let initial = token(&keys.initial, &[text.get(..1).unwrap_or(text)]);
        let deletions = deletions::<NAME_DELETIONS>(&keys.name_deletion, text);
        if text.len() == 1 {
            // A letter is no name: its initial stands everywhere, which compare reads as "initial only".
            let forms = name_forms(&keys.form, text, &[]);
            return NameTokens { exact: initial, forms, phonetic: initial, initial, deletions };
        }
        NameTokens {
            exact,
            forms: name_forms(&keys.form, text, &name.forms()),
            phonetic: token(&keys.phonetic, &[name.phonetic()]),
            initial,
            deletions,
        }
    }

    fn middle(&self, word: &Word) -> MiddleTokens {
        let text = word.expose();
        MiddleTokens {
            exact: (text.len() > 1).then(|| token(&self.keys.name, &[text])),
            initial: token(&self.keys.initial, &[text.get(..1).unwrap_or(text)]),
        }
    }

    fn date(&self, date: &NormalDate) -> DateTokens {
        let mac = cut(&self.keys.date, &[&date.digits]);
        self.dates.get(mac, || self.hash_date(date, first(mac)))
    }

    fn hash_date(&self, date: &NormalDate, whole: Token) -> DateTokens {
        let keys = &self.keys;
        let text = std::str::from_utf8(&date.digits).expect("digits are ASCII");
        let (year, month, day) = (&text[..4], &text[4..6], &text[6..]);
        let swapped = [year, day, month].concat();
        let swapped = if day <= "12" { swapped.as_str() } else { text };
        let mut open = date.digits;
        let mut wildcards = [Token::default(); DATE_DIGITS];
        for (place, wildcard) in wildcards.iter_mut().enumerate() {
            open[place] = b'?';
            *wildcard = token(&keys.date_wildcard, &[std::str::from_utf8(&open).expect("digits are ASCII")]);
            open[place] = date.digits[place];
        }
        DateTokens {
            whole,
            swapped: if swapped == text { whole } else { token(&keys.date, &[swapped]) },
            wildcards,
            year: token(&keys.year, &[year]),
            year_month: token(&keys.year_month, &[year, month]),
            month_day: token(&keys.month_day, &[month, day]),
            year_day: token(&keys.year_day, &[year, day]),
        }
    }

    fn postcode(&self, code: &NormalPostcode) -> PostcodeTokens {
        let whole = code.unit.as_ref().unwrap_or(&code.district);
        let kind: &[u8] = if code.unit.is_some() { b"unit" } else { b"district" };
        let mac = cut(&self.keys.postcode_deletion, &[kind, whole.expose().as_bytes()]);
        self.postcodes.get(mac, || self.hash_postcode(code))
    }

    fn hash_postcode(&self, code: &NormalPostcode) -> PostcodeTokens {
        let keys = &self.keys;
        let whole = code.unit.as_ref().unwrap_or(&code.district);
        PostcodeTokens {
            unit: code.unit.as_ref().map(|word| token(&keys.unit, &[word.expose()])),
            sector: code.sector.as_ref().map(|word| token(&keys.sector, &[word.expose()])),
            district: token(&keys.district, &[code.district.expose()]),
            area: token(&keys.area, &[code.area.expose()]),
            deletions: deletions(&keys.postcode_deletion, whole.expose()),
        }
    }

    fn number(&self, kind: NumberKind, number: &Word) -> NumberTokens {
        let (whole, deletion) = self.keys.number(kind);
        let text = number.expose();
        let mut deletions = SmallVec::new();
        if !kind.is_checked() {
            deletions.push(token(deletion, &[text]));
            let shorter = |at: usize| token(deletion, &[&[&text[..at], &text[at + 1..]].concat()]);
            deletions.extend((0..text.len()).map(shorter));
            deletions.sort_unstable();
            deletions.dedup();
        }
        NumberTokens { kind, exact: token(whole, &[text]), deletions }
    }
}

/// The text and the text with each letter left out in turn, cut and padded to `N` tokens, sorted: neither length nor
/// place shows. Padding depends on the text, so it meets no other text's padding.
fn deletions<const N: usize>(key: &FieldKey, text: &str) -> [Token; N] {
    let mut tokens = [Token::default(); N];
    tokens[0] = token(key, &[text]);
    let mut used = 1;
    // Left-out letters of a short word leave too little to mean anything; its letters in another order are still its own.
    if text.len() == 3 {
        let mut letters = text.as_bytes().to_vec();
        letters.sort_unstable();
        tokens[1] = token(key, &["letters", std::str::from_utf8(&letters).unwrap_or(text)]);
        used = 2;
    } else if text.len() > 3 {
        for at in (0..text.len()).take(N - 1) {
            let shorter = token(key, &[&[&text[..at], &text[at + 1..]].concat()]);
            if !tokens[..used].contains(&shorter) {
                tokens[used] = shorter;
                used += 1;
            }
        }
    }
    pad(key, text, &mut tokens, used);
    tokens
}

/// What a name may be another form of, padded and sorted.
fn name_forms(key: &FieldKey, text: &str, forms: &[&str]) -> [Token; NAME_FORMS] {
    let mut tokens = [Token::default(); NAME_FORMS];
    for (place, form) in tokens.iter_mut().zip(forms) {
        *place = token(key, &[form]);
    }
    pad(key, text, &mut tokens, forms.len().min(NAME_FORMS));
    tokens
}

/// Fills what is not used with tokens that meet no other text's, and sorts, so that neither number nor place shows.
fn pad(key: &FieldKey, text: &str, tokens: &mut [Token], used: usize) {
    for (place, padding) in tokens.iter_mut().enumerate().skip(used) {
        *padding = token(key, &["padding", text, &place.to_string()]);
    }
    tokens.sort_unstable();
}

/// Every part of an identity, labelled, in a fixed order: two identities are the same record exactly if these are.
fn each_part<'a>(identity: &'a NormalIdentity, mut part: impl FnMut(&'static str, &'a [u8])) {
    let mut word = |label: &'static str, word: Option<&'a Word>| {
        if let Some(word) = word {
            part(label, word.expose().as_bytes());
        }
    };
    word("given", identity.given.as_ref().map(|name| &name.word));
    word("middle", identity.middle.as_ref());
    identity.other_given.iter().for_each(|other| word("other_given", Some(other)));
    word("family", identity.family.as_ref().map(|name| &name.word));
    identity.other_family.iter().for_each(|other| word("other_family", Some(other)));
    word("postcode", identity.postcode.as_ref().map(|code| code.unit.as_ref().unwrap_or(&code.district)));
    word("address", identity.address.as_ref().map(|line| &line.whole));
    word("uprn", identity.uprn.as_ref());
    identity.numbers.iter().for_each(|(kind, number)| word(kind.name(), Some(number)));
    // As written too: what is sealed of a record must be the same whichever event brings the record first (I2).
    word("written_given", Some(&identity.written.given));
    word("written_family", Some(&identity.written.family));
    if let Some(date) = &identity.birth {
        part("date", &date.digits);
    }
    if let Some(sex) = identity.sex {
        part("sex", sex.name().as_bytes());
    }
}

fn cut(key: &FieldKey, parts: impl IntoIterator<Item: AsRef<[u8]>>) -> [u8; 16] {
    *key.mac(parts).first_chunk().expect("HMAC-SHA-256 has 32 bytes")
}

/// The token that the cut of the same hash begins with.
fn first([a, b, c, d, e, f, g, h, ..]: [u8; 16]) -> Token {
    Token(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}
