//! What would come of one event, without a register, without keys, and without telling anybody.

use zeroize::Zeroizing;

use super::setup::feed_contexts;
use crate::assess::outlook::outlook;
use crate::config::agreement::Agreement;
use crate::keys::linkage::LinkageKey;
use crate::model::event::{Role, Status};
use crate::model::finding::FindingKind;
use crate::model::ids::{PartyId, ScopeId};
use crate::model::outcome::{RejectCode, Rejection};
use crate::model::tokens::PersonTokens;
use crate::normalise::event::normalise;
use crate::pseudonymise::Pseudonymiser;
use crate::validate::Validator;

/// What would come of an event.
pub struct Preview {
    /// The partnership whose people it is about.
    pub scope: ScopeId,
    /// Does it replace or withdraw an earlier one?
    pub supersedes: bool,
    /// Fields that the daemon would ignore.
    pub ignored: Vec<Rejection>,
    /// Identifiers that the daemon would drop for a failed check letter or form.
    pub dropped_identifiers: u32,
    /// Everybody in it, in its order.
    pub persons: Vec<PreviewedPerson>,
}

/// One person of it, without a word of who it is.
pub struct PreviewedPerson {
    /// Role in the event.
    pub role: Role,
    /// Category in the event.
    pub status: Status,
    /// Too young to be told of.
    pub under_16: bool,
    /// What there are tokens of.
    pub tokens: Vec<&'static str>,
    /// What the event could bring about about them, with what else is known.
    pub findings: Vec<FindingKind>,
}

/// Goes through the first three stages as the daemon would, under a key that is nobody's: of which parts there are tokens
/// does not depend on the key.
///
/// # Errors
/// Everything for which the daemon would send the event back.
pub fn preview(
    agreement: &Agreement,
    feed: &PartyId,
    payload: &[u8],
    appended_ms: i64,
) -> Result<Preview, Vec<Rejection>> {
    let validator = || Validator::new(feed_contexts(agreement));
    let (ignored, wrong): (Vec<_>, Vec<_>) = validator()
        .strict()
        .problems(feed, &[], payload, appended_ms)
        .into_iter()
        .partition(|problem| matches!(problem.code, RejectCode::UnknownField | RejectCode::Doubtful));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut valid = validator().validate(feed, &[], payload, appended_ms).map_err(|rejection| vec![rejection])?;
    let (scope, detail) = (valid.facts.scope.clone(), valid.facts.detail.clone());
    let previewed = |role, status, under_16, tokens: &PersonTokens| PreviewedPerson {
        role,
        status,
        under_16,
        tokens: tokens.kinds(),
        findings: if under_16 && role != Role::Child { Vec::new() } else { outlook(&detail, role) },
    };
    if let Some(source) = valid.pseudonymised.take() {
        let persons = source.persons.iter();
        return Ok(Preview {
            scope,
            supersedes: source.supersedes.is_some(),
            ignored,
            dropped_identifiers: source.dropped_identifiers,
            persons: persons
                .map(|person| previewed(person.role, person.status, person.under_16, &person.tokens))
                .collect(),
        });
    }
    let hash = Pseudonymiser::new(&LinkageKey::new(scope.clone(), 1, Zeroizing::new([0; 32])));
    let normal = normalise(valid);
    let persons = normal
        .persons
        .iter()
        .map(|(person, under_16)| previewed(person.role, person.status, *under_16, &hash.tokens(&person.identity)));
    Ok(Preview {
        scope,
        supersedes: normal.supersedes.is_some(),
        ignored,
        dropped_identifiers: normal.dropped_identifiers(),
        persons: persons.collect(),
    })
}
