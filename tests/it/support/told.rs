//! What the audit says was told, held to what was told: the simulation's hub and the daemon's files are both looked at
//! so.

use std::collections::BTreeMap;

use priorityd::audit::{AuditKind, AuditRecord};
use priorityd::model::ids::PartyId;

use super::hub::text;

/// Two kinds of topics a recipient has: alerts, and its list.
type Place = (String, bool);

/// Every disclosure of the audit has its message and every message its disclosure, each alert once and each by a
/// clause. `messages` are all that ever stood on the topics: to whom, whether on the list, and the record's key.
pub(crate) fn told_once(audit: &[AuditRecord], messages: impl IntoIterator<Item = (PartyId, bool, String)>) {
    let (mut disclosed, mut redacted) = (BTreeMap::<(Place, String), i64>::new(), BTreeMap::<Place, i64>::new());
    for record in audit.iter().filter(|record| record.kind == AuditKind::Disclosure) {
        let kind = text(&record.body["type"]);
        let on_list = ["uk.priorityd.list_entry.v1", "tombstone"].contains(&kind);
        let place = (text(&record.body["recipient"]).to_owned(), on_list);
        // That something ends needs nobody's leave.
        let by_clause = kind == "tombstone" || !text(&record.body["clause"]).is_empty();
        assert!(by_clause, "I5: a disclosure by no clause");
        if record.is_redacted {
            // Of people who were erased the audit no longer says what was told, but still to whom, and how often.
            *redacted.entry(place).or_default() += 1;
        } else {
            let told = disclosed.entry((place, text(&record.body["message"]).to_owned())).or_default();
            *told += 1;
            assert!(on_list || *told == 1, "I3: an alert was told twice");
        }
    }
    for (recipient, on_list, key) in messages {
        *disclosed.entry(((recipient.to_string(), on_list), key)).or_default() -= 1;
    }
    let unsaid: Vec<_> = disclosed.iter().filter(|(_, count)| **count > 0).collect();
    assert!(unsaid.is_empty(), "I3, I5: the audit knows of messages that are not there: {unsaid:?}");
    let mut unrecorded = BTreeMap::<Place, i64>::new();
    for ((place, _), count) in disclosed.into_iter().filter(|(_, count)| *count < 0) {
        *unrecorded.entry(place).or_default() -= count;
    }
    assert_eq!(unrecorded, redacted, "I3, I5: messages without a record in the audit");
}
