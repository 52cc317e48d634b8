//! An event made blind: ids hashed, people turned into tokens, what a recipient may one day see sealed.

use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use zeroize::optimization_barrier;

use super::Pseudonymiser;
use crate::keys::vault::VaultKey;
use crate::model::event::{BlindEvent, BlindPerson};
use crate::model::ids::{EventId, RecordId, ScopeId};
use crate::model::sealed::{PERSON, Sealed};
use crate::model::tokens::PersonTokens;
use crate::normalise::event::Normalised;
use crate::normalise::{NormalPerson, normalise_kept};

/// How much of an identity is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What a view may show: reference, names, date of birth. All that leaves an agency.
    ForViews,
    /// And what tokens are made of, so that a register can be hashed anew under another linkage key.
    ForRekeying,
}

/// Makes an event blind; identity is sealed under `vault`. `nonce` must give a new random value at each call.
pub fn blind(
    pseudonymiser: &Pseudonymiser,
    vault: &VaultKey,
    mut event: Normalised,
    keep: Keep,
    mut nonce: impl FnMut() -> [u8; 12],
) -> BlindEvent {
    for (person, _) in &mut event.persons {
        pseudonymiser.forget_refuge(person);
    }
    let (scope, agency) = (&event.facts.scope, &event.facts.agency);
    let event_id = |id: &str| pseudonymiser.event_id(&event.source, id);
    let mut clear = Clear(Vec::with_capacity(4096));
    let persons = event.persons.iter().map(|(person, under_16)| {
        let local_ref = person.local_ref.expose();
        let record = pseudonymiser.record(agency, local_ref, &person.identity);
        BlindPerson {
            record,
            local_ref: pseudonymiser.local_ref(agency, local_ref),
            role: person.role,
            status: person.status,
            under_16: *under_16,
            tokens: pseudonymiser.tokens(&person.identity),
            sealed: {
                clear.0.clear();
                write_kept(person, keep, &mut clear.0);
                vault.seal(PERSON, &[scope.as_str().as_bytes(), &record.0], nonce(), &clear.0)
            },
        }
    });
    let persons = persons.collect();
    let mut facts = event.facts;
    if let Some(incident) = facts.detail.incident_mut() {
        *incident = event.incident.as_ref().map(|id| event_id(id.expose()));
    }
    BlindEvent {
        id: event_id(event.id.expose()),
        supersedes: event.supersedes.as_ref().map(|id| event_id(id.expose())),
        fingerprint: pseudonymiser.fingerprint(&event.content),
        facts,
        persons,
    }
}

/// A reviewer's event: it names records and nobody else, so its ids need no key, which a hub without one has not.
#[must_use]
pub fn unkeyed(event: Normalised) -> BlindEvent {
    let cut = |parts: &[&str]| -> [u8; 16] {
        let mut hash = Sha256::new().chain_update(b"priorityd/v1/event");
        for part in parts {
            hash.update([0]);
            hash.update(part);
        }
        *hash.finalize().first_chunk().expect("SHA-256 has 32 bytes")
    };
    let event_id = |id: &str| EventId(cut(&[&event.source, id]));
    let mut fingerprint = [0; 8];
    fingerprint.copy_from_slice(&Sha256::digest(&event.content)[..8]);
    BlindEvent {
        id: event_id(event.id.expose()),
        supersedes: event.supersedes.as_ref().map(|id| event_id(id.expose())),
        fingerprint,
        persons: Vec::new(),
        facts: event.facts,
    }
}

/// The tokens of a sealed identity under another linkage key. `None` when it was not sealed for this record, or holds only
/// what views show.
#[must_use]
pub fn rehashed(
    pseudonymiser: &Pseudonymiser,
    vault: &VaultKey,
    scope: &ScopeId,
    record: RecordId,
    sealed: &Sealed,
) -> Option<PersonTokens> {
    let clear = vault.open(PERSON, &[scope.as_str().as_bytes(), &record.0], sealed)?;
    Some(pseudonymiser.tokens(&normalise_kept(&clear)?))
}

/// Identities on their way under seal, wiped on drop as a whole and not byte by byte: it is made with room for all of one at
/// once, since a vector that grows leaves copies of its content behind.
struct Clear(Vec<u8>);

impl Drop for Clear {
    fn drop(&mut self) {
        self.0.clear();
        self.0.resize(self.0.capacity(), 0);
        optimization_barrier(self.0.as_slice());
    }
}

/// Reference, names as written and date of birth: all that any view can ever show. Where the register must be able to get
/// tokens under another key, the identity as it was sent stands beside them, and no view reads it.
fn write_kept(person: &NormalPerson, keep: Keep, out: &mut Vec<u8>) {
    let written = &person.identity.written;
    let family = written.family.expose();
    let kept = Kept {
        local_ref: person.local_ref.expose(),
        given_names: written.given.expose().split_whitespace().collect(),
        family_name: (!family.is_empty()).then_some(family),
        date_of_birth: person.identity.date_of_birth,
        identity: (keep == Keep::ForRekeying).then(|| as_sent(person)),
    };
    serde_json::to_writer(out, &kept).expect("texts become JSON");
}

/// What is sealed; borrowed, and written once.
#[derive(Serialize)]
struct Kept<'a> {
    local_ref: &'a str,
    given_names: Texts<'a>,
    family_name: Option<&'a str>,
    date_of_birth: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<AsSent<'a>>,
}

/// An identity as it was sent, in the names of the schema; what is missing is left out.
#[derive(Serialize)]
struct AsSent<'a> {
    #[serde(skip_serializing_if = "Texts::is_empty")]
    given_names: Texts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    former_names: Vec<AnyName<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AnyName<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cro_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nhs_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noms_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pnc_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postcode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uprn: Option<&'a str>,
}

#[derive(Serialize)]
struct AnyName<'a> {
    #[serde(skip_serializing_if = "Texts::is_empty")]
    given_names: Texts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
}

type Texts<'a> = SmallVec<[&'a str; 4]>;

fn as_sent(person: &NormalPerson) -> AsSent<'_> {
    let sent = &person.as_sent;
    macro_rules! names {
        ($list:ident) => {
            sent.$list
                .iter()
                .map(|name| AnyName {
                    given_names: name.given_names.iter().map(|name| name.expose()).collect(),
                    family_name: name.family_name.as_ref().map(|name| name.expose()),
                })
                .collect()
        };
    }
    macro_rules! text {
        ($field:ident) => {
            sent.$field.as_ref().map(|text| text.expose())
        };
    }
    AsSent {
        given_names: sent.given_names.iter().map(|name| name.expose()).collect(),
        family_name: text!(family_name),
        former_names: names!(former_names),
        aliases: names!(aliases),
        address: text!(address),
        cro_number: text!(cro_number),
        crn: text!(crn),
        date_of_birth: text!(date_of_birth),
        nhs_number: text!(nhs_number),
        noms_number: text!(noms_number),
        pnc_id: text!(pnc_id),
        postcode: text!(postcode),
        sex: text!(sex),
        uprn: text!(uprn),
    }
}
