//! Normalise: clear identity into the one form in which every agency hashes it.
//!
//! Owns spelling, forms of dates and postcodes, and the check letters of numbers. It is the last room that sees clear text
//! as text: pseudonymise takes its types and hands on tokens. Pure; nothing here shows, serialises or copies an identity.

mod dates;
pub mod event;
mod names;
mod nicknames;
mod numbers;
mod places;

use std::sync::OnceLock;

use jiff::civil::Date;
use serde::Deserialize;
use smallvec::{SmallVec, smallvec};
use zeroize::Zeroizing;

pub use self::dates::{DateOrder, NormalDate, find_date_order};
pub(crate) use self::nicknames::COMMON as COMMON_NAMES;
use self::nicknames::PublicName;
pub use self::places::{NormalAddress, NormalPostcode};
use crate::model::event::{Role, Status};
use crate::model::tokens::{NAME_FORMS, NumberKind};
use crate::validate::identity::{ClearIdentity, ClearText};

/// A normalised piece of clear text. Wiped on drop; no `Debug`, `Display`, `Serialize` or `Clone`.
pub struct Word(Zeroizing<String>);

impl Word {
    fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for pseudonymise only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// More than a letter.
    fn is_name(&self) -> bool {
        self.0.len() > 1
    }
}

/// One name in the forms that are hashed.
pub struct NormalName {
    pub(crate) word: Word,
    /// Looked up when somebody asks: of people who are known already nobody does.
    known: OnceLock<KnownName>,
}

/// What there is to know of a name.
enum KnownName {
    /// It stands in public tables.
    Public(&'static PublicName),
    /// It does not: it is a form of itself alone, and this is how it sounds.
    Own(Word),
}

impl NormalName {
    fn new(word: String) -> Self {
        Self { word: Word::new(word), known: OnceLock::new() }
    }

    fn known(&self) -> &KnownName {
        self.known.get_or_init(|| {
            let name = self.word.expose();
            let own = || KnownName::Own(Word::new(names::sound(name)));
            nicknames::public(name).map_or_else(own, KnownName::Public)
        })
    }

    /// What it may be another form of: never none, the likeliest first.
    pub(crate) fn forms(&self) -> SmallVec<[&str; NAME_FORMS]> {
        match self.known() {
            KnownName::Public(public) => SmallVec::from_slice(&public.forms),
            KnownName::Own(_) => smallvec![self.word.expose()],
        }
    }

    /// How it sounds.
    pub(crate) fn phonetic(&self) -> &str {
        match self.known() {
            KnownName::Public(public) => &public.sound,
            KnownName::Own(sound) => sound.expose(),
        }
    }
}

/// Sex as recorded, where it is one of the two that tell relatives apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sex {
    Female,
    Male,
}

impl Sex {
    /// From a word or its first letter; anything else is no evidence.
    fn read(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "female" | "f" | "woman" | "girl" => Some(Self::Female),
            "male" | "m" | "man" | "boy" => Some(Self::Male),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
        }
    }
}

/// A person's name as the agency wrote it, for sealing; linkage never reads it.
pub struct WrittenName {
    /// Given names, separated by spaces.
    pub given: Word,
    /// Family name.
    pub family: Word,
}

/// Who a person is, in one form. Every part may be missing.
pub struct NormalIdentity {
    pub(crate) given: Option<NormalName>,
    pub(crate) middle: Option<Word>,
    pub(crate) other_given: Vec<Word>,
    pub(crate) family: Option<NormalName>,
    pub(crate) other_family: Vec<Word>,
    pub(crate) birth: Option<NormalDate>,
    pub(crate) sex: Option<Sex>,
    pub(crate) postcode: Option<NormalPostcode>,
    pub(crate) address: Option<NormalAddress>,
    pub(crate) uprn: Option<Word>,
    pub(crate) numbers: Vec<(NumberKind, Word)>,
    /// The name as written.
    pub written: WrittenName,
    /// Date of birth, where the calendar has it.
    pub date_of_birth: Option<Date>,
    /// Identifiers whose check letter or shape did not hold, and were left out.
    pub dropped_identifiers: u32,
}

/// A place by itself.
pub enum Place {
    /// A whole postcode.
    Postcode(Word),
    /// A Unique Property Reference Number.
    Uprn(Word),
}

/// Normalises a whole postcode or a UPRN.
#[must_use]
pub fn normalise_place(text: &str) -> Option<Place> {
    if text.trim().bytes().all(|byte| byte.is_ascii_digit()) {
        return uprn(text).map(Place::Uprn);
    }
    places::normalise_postcode(text)?.unit.map(Place::Postcode)
}

/// One person of one event, normalised.
pub struct NormalPerson {
    /// The agency's own reference, as it came.
    pub local_ref: ClearText,
    /// Role in the event.
    pub role: Role,
    /// Category in the event.
    pub status: Status,
    /// Who it is.
    pub identity: NormalIdentity,
    /// The same as it was sent.
    pub as_sent: ClearIdentity,
}

impl NormalPerson {
    /// Leaves out where the person lives, if `lives_hidden`, and every name that `is_hidden`: in what is hashed and in what
    /// is kept.
    pub(crate) fn hide(&mut self, lives_hidden: bool, is_hidden: impl Fn(&str) -> bool) {
        let joined =
            |names: &[ClearText]| Zeroizing::new(names.iter().map(ClearText::expose).collect::<Vec<_>>().join(" "));
        let is_hidden = |given: &[ClearText], family: &Option<ClearText>| {
            (is_hidden(&joined(given)), family.as_ref().is_some_and(|family| is_hidden(family.expose())))
        };
        let sent = &mut self.as_sent;
        let (given, family) = is_hidden(&sent.given_names, &sent.family_name);
        let names = sent.former_names.len() + sent.aliases.len();
        for others in [&mut sent.former_names, &mut sent.aliases] {
            others.retain(|name| is_hidden(&name.given_names, &name.family_name) == (false, false));
        }
        let others = names != sent.former_names.len() + sent.aliases.len();
        if !(lives_hidden || given || family || others) {
            return;
        }
        if lives_hidden {
            (sent.postcode, sent.address, sent.uprn) = (None, None, None);
        }
        if given {
            sent.given_names.clear();
        }
        if family {
            sent.family_name = None;
        }
        self.identity = normal_form(sent, DateOrder::default());
    }
}

/// Normalises what an agency says of who a person is.
#[must_use]
pub fn normalise_identity(identity: ClearIdentity) -> NormalIdentity {
    normalise_identity_with(identity, DateOrder::default())
}

/// The same, for tables whose dates come in another order.
#[must_use]
pub fn normalise_identity_with(identity: ClearIdentity, order: DateOrder) -> NormalIdentity {
    normal_form(&identity, order)
}

/// Normalises an identity that was sealed as it was sent: JSON with a member `identity`. `None` when there is none.
#[must_use]
pub fn normalise_kept(text: &[u8]) -> Option<NormalIdentity> {
    #[derive(Deserialize)]
    struct Kept {
        identity: ClearIdentity,
    }
    let kept: Kept = serde_json::from_slice(text).ok()?;
    Some(normal_form(&kept.identity, DateOrder::default()))
}

fn normal_form(identity: &ClearIdentity, order: DateOrder) -> NormalIdentity {
    let others: Vec<_> = identity.former_names.iter().chain(&identity.aliases).collect();
    let names = names::normalise_names(&identity.given_names, identity.family_name.as_ref(), &others);
    let birth = identity.date_of_birth.as_ref().and_then(|text| dates::normalise_date(text.expose(), order));

    let mut numbers = Vec::new();
    let mut dropped_identifiers = 0;
    for (kind, field) in [
        (NumberKind::Pnc, &identity.pnc_id),
        (NumberKind::Cro, &identity.cro_number),
        (NumberKind::Nhs, &identity.nhs_number),
        (NumberKind::Crn, &identity.crn),
        (NumberKind::Noms, &identity.noms_number),
        (NumberKind::National, &identity.national_number),
    ] {
        let Some(field) = field.as_ref().filter(|field| !field.expose().trim().is_empty()) else { continue };
        match numbers::normalise_number(kind, field.expose()) {
            Some(number) => numbers.push((kind, number)),
            None => dropped_identifiers += 1,
        }
    }
    let written_given: SmallVec<[&str; 4]> = identity.given_names.iter().map(ClearText::expose).collect();
    NormalIdentity {
        given: names.given,
        middle: names.middle,
        other_given: names.other_given,
        family: names.family,
        other_family: names.other_family,
        date_of_birth: birth.as_ref().and_then(NormalDate::calendar),
        birth,
        sex: identity.sex.as_ref().and_then(|text| Sex::read(text.expose())),
        postcode: identity.postcode.as_ref().and_then(|text| places::normalise_postcode(text.expose())),
        address: identity.address.as_ref().and_then(|text| places::normalise_address(text.expose())),
        uprn: identity.uprn.as_ref().and_then(|text| uprn(text.expose())),
        numbers,
        written: WrittenName {
            given: Word::new(written_given.join(" ")),
            family: Word::new(identity.family_name.as_ref().map(|text| text.expose().to_owned()).unwrap_or_default()),
        },
        dropped_identifiers,
    }
}

/// Up to 12 digits, without leading zeros.
fn uprn(text: &str) -> Option<Word> {
    let digits = text.trim().trim_start_matches('0');
    let valid = (1..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| Word::new(digits.to_owned()))
}
