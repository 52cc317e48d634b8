//! What another version of an agreement opens and closes, in words. The policies are not compared as texts: every
//! recipient's every view is decided under both, and the decisions are compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::view::{CHANNELS, Field, Kinds, NAMED_BY, ROLES, View, word};
use super::{Agreement, Feed, Recipient};
use crate::model::finding::FindingKind;
use crate::model::ids::PartyId;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What it does to what may be told.
    pub effect: Effect,
    /// Party, policy or key that it is about.
    pub about: String,
    /// In words.
    pub what: String,
}

/// What a difference does to what may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Something is told that was not.
    Opens,
    /// Something is not told any more.
    Closes,
    /// The terms are others.
    Changes,
}

/// Every difference between two agreements, what opens first.
#[must_use]
pub fn diff(old: &Agreement, new: &Agreement) -> Vec<Change> {
    let mut changes = Vec::new();
    terms(old, new, &mut changes);
    feeds(old, new, &mut changes);
    recipients(old, new, &mut changes);
    let parties = |agreement: &Agreement| -> BTreeSet<PartyId> {
        agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect()
    };
    for party in &parties(old) | &parties(new) {
        views(old, new, &party, &mut changes);
    }
    texts(old, new, &mut changes);
    changes.sort();
    changes
}

/// Notes a term that differs, with both values.
fn term(about: &str, name: &str, old: impl ToString, new: impl ToString, changes: &mut Vec<Change>) {
    let (old, new) = (old.to_string(), new.to_string());
    if old != new {
        let what = format!("{name}: {} becomes {}", or_none(&old), or_none(&new));
        changes.push(Change { effect: Effect::Changes, about: about.to_owned(), what });
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn terms(old: &Agreement, new: &Agreement, changes: &mut Vec<Change>) {
    let scopes = |agreement: &Agreement| joined(&agreement.scopes);
    let about = "agreement";
    term(about, "version", &old.version, &new.version, changes);
    term(about, "serial", old.serial, new.serial, changes);
    term(about, "scopes", scopes(old), scopes(new), changes);
    term(about, "valid_from", old.valid_from, new.valid_from, changes);
    term(about, "expires_on", old.expires_on, new.expires_on, changes);
    let days = |agreement: &Agreement| -> Vec<String> {
        agreement.finding_days.iter().map(|(kind, days)| format!("{kind} {days}")).collect()
    };
    term(about, "finding_days", joined(&days(old)), joined(&days(new)), changes);
    term(about, "hold_both_roles", old.hold_both_roles, new.hold_both_roles, changes);
}

fn feeds(old: &Agreement, new: &Agreement, changes: &mut Vec<Change>) {
    let by_party = |agreement: &Agreement| -> BTreeMap<PartyId, Feed> {
        agreement.feeds.iter().map(|feed| (feed.party.clone(), feed.clone())).collect()
    };
    let (old, new) = (by_party(old), by_party(new));
    for (about, old, new) in both(&old, &new, "feeds no more", "feeds", changes) {
        term(&about, "kind", format!("{:?}", old.kind), format!("{:?}", new.kind), changes);
        term(&about, "regime", format!("{:?}", old.regime), format!("{:?}", new.regime), changes);
        term(&about, "gateway", &old.gateway, &new.gateway, changes);
        term(&about, "sources", joined(&old.sources), joined(&new.sources), changes);
        term(&about, "retention_days", old.retention_days, new.retention_days, changes);
    }
}

fn recipients(old: &Agreement, new: &Agreement, changes: &mut Vec<Change>) {
    let by_party = |agreement: &Agreement| -> BTreeMap<PartyId, Recipient> {
        agreement.recipients.iter().map(|recipient| (recipient.party.clone(), recipient.clone())).collect()
    };
    let (old, new) = (by_party(old), by_party(new));
    for (about, old, new) in both(&old, &new, "is no recipient any more", "is a recipient", changes) {
        let expires = |recipient: &Recipient| recipient.expires_on.map(|day| day.to_string()).unwrap_or_default();
        term(&about, "name", &old.name, &new.name, changes);
        term(&about, "gateway", &old.gateway, &new.gateway, changes);
        term(&about, "purpose", &old.purpose, &new.purpose, changes);
        term(&about, "expires_on", expires(old), expires(new), changes);
        term(&about, "message_days", old.message_days, new.message_days, changes);
        term(&about, "keys", joined(&old.keys), joined(&new.keys), changes);
        term(&about, "staff", joined(old.staff.as_slice()), joined(new.staff.as_slice()), changes);
        term(&about, "conflicts_to", joined(old.conflicts_to.as_slice()), joined(new.conflicts_to.as_slice()), changes);
    }
}

/// Notes who left and who came; gives back who is in both.
fn both<'a, T>(
    old: &'a BTreeMap<PartyId, T>,
    new: &'a BTreeMap<PartyId, T>,
    left: &str,
    came: &str,
    changes: &mut Vec<Change>,
) -> Vec<(String, &'a T, &'a T)> {
    let mut note = |party: &PartyId, what: &str| {
        let (about, what) = (party.to_string(), what.to_owned());
        changes.push(Change { effect: Effect::Changes, about, what });
    };
    old.keys().filter(|party| !new.contains_key(*party)).for_each(|party| note(party, left));
    new.keys().filter(|party| !old.contains_key(*party)).for_each(|party| note(party, came));
    old.iter().filter_map(|(party, old)| Some((party.to_string(), old, new.get(party)?))).collect()
}

/// Compares what one recipient is told: of each kind of finding, in each view, each field.
fn views(old: &Agreement, new: &Agreement, party: &PartyId, changes: &mut Vec<Change>) {
    for (channel_word, channel) in CHANNELS {
        for (about_word, about) in ROLES {
            for (named_word, named_by) in NAMED_BY {
                // Kinds by what opens or closes for them, so that one line tells of all that share it.
                let mut kinds_by: BTreeMap<(Effect, Vec<&str>), Vec<FindingKind>> = BTreeMap::new();
                for kind in FindingKind::ALL {
                    let findings = Kinds::from_iter([*kind]);
                    let view = View { channel: *channel, about: *about, named_by: *named_by, findings };
                    let (before, after) = (told(old, party, view), told(new, party, view));
                    for (effect, fields) in [(Effect::Opens, &after - &before), (Effect::Closes, &before - &after)] {
                        if !fields.is_empty() {
                            let fields = fields.into_iter().map(|field| word(Field::NAMES, field)).collect();
                            kinds_by.entry((effect, fields)).or_default().push(*kind);
                        }
                    }
                }
                for ((effect, fields), kinds) in kinds_by {
                    let kinds =
                        if kinds.len() == FindingKind::ALL.len() { "every finding".to_owned() } else { joined(&kinds) };
                    let named = named_word.replace('_', " ");
                    let place = format!("{channel_word} about a {about_word}, by {named}");
                    let what = format!("{place}: {} (of {kinds})", fields.join(", "));
                    changes.push(Change { effect, about: party.to_string(), what });
                }
            }
        }
    }
}

fn told(agreement: &Agreement, party: &PartyId, view: View) -> BTreeSet<Field> {
    let grant = agreement.policies.grant(party, view);
    if grant.tells() { grant.fields().clone() } else { BTreeSet::new() }
}

/// Policies that were written, rewritten or dropped: some bear on several findings at once, which no single view shows.
fn texts(old: &Agreement, new: &Agreement, changes: &mut Vec<Change>) {
    let (old, new) = (old.policies.texts(), new.policies.texts());
    let ids: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for id in ids {
        let what = match (old.get(id), new.get(id)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), Some(_)) => "the policy is worded otherwise",
            (Some(_), None) => "the policy is dropped",
            (None, _) => "the policy is new",
        };
        changes.push(Change { effect: Effect::Changes, about: id.clone(), what: what.to_owned() });
    }
}

fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
