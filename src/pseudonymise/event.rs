//! An event made blind: ids hashed, people turned into tokens, what a recipient may one day see sealed.

use serde_json::json;
use zeroize::Zeroizing;

use super::Pseudonymiser;
use crate::keys::vault::VaultKey;
use crate::model::event::{BlindEvent, BlindPerson, Detail};
use crate::model::ids::{RecordId, ScopeId};
use crate::model::sealed::{PERSON, Sealed};
use crate::normalise::NormalPerson;
use crate::normalise::event::Normalised;

/// Makes an event blind. `nonce` must give a new random value at each call.
pub fn blind(
    pseudonymiser: &Pseudonymiser,
    vault: &VaultKey,
    mut event: Normalised,
    mut nonce: impl FnMut() -> [u8; 12],
) -> BlindEvent {
    for (person, _) in &mut event.persons {
        pseudonymiser.forget_refuge(&mut person.identity);
    }
    let (scope, agency) = (&event.facts.scope, &event.facts.agency);
    let event_id = |id: &str| pseudonymiser.event_id(&event.source, id);
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
            sealed: seal(vault, scope, record, person, nonce()),
        }
    });
    let persons = persons.collect();
    let mut facts = event.facts;
    if let Detail::Crime { incident, .. } = &mut facts.detail {
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

/// Reference, names as written and date of birth: all that any view can ever show. Addresses and numbers are not kept.
fn seal(vault: &VaultKey, scope: &ScopeId, record: RecordId, person: &NormalPerson, nonce: [u8; 12]) -> Sealed {
    let written = &person.identity.written;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let given: Vec<_> = written.given.expose().split_whitespace().collect();
    let clear = json!({
        "local_ref": person.local_ref.expose(),
        "given_names": given,
        "family_name": some(written.family.expose()),
        "date_of_birth": person.identity.date_of_birth,
    });
    let clear = Zeroizing::new(serde_json::to_vec(&clear).expect("a JSON value has a text form"));
    vault.seal(PERSON, &[scope.as_str().as_bytes(), &record.0], nonce, &clear)
}
