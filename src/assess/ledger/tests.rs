//! Amendments, cancellations and replays, in any order.

use proptest::prelude::*;

use super::*;
use crate::model::event::{Answer, CancelReason, Facts};

fn event(id: u8, supersedes: Option<u8>, minute: u8, cancel: bool) -> BlindEvent {
    let at = Timestamp::from_second(1_700_000_000 + i64::from(minute) * 60).expect("in range");
    BlindEvent {
        id: EventId([id; 16]),
        supersedes: supersedes.map(|id| EventId([id; 16])),
        fingerprint: [id; 8],
        facts: Facts {
            scope: "portsmouth".parse().expect("a scope"),
            agency: "police".parse().expect("a party"),
            occurred_at: at,
            recorded_at: at,
            regime: Regime::LawEnforcement,
            relationship: None,
            detail: if cancel {
                Detail::Cancel { reason: CancelReason::EnteredInError }
            } else {
                Detail::Incident { children_present: Answer::No, alcohol: Answer::NotAsked }
            },
        },
        persons: Vec::new(),
    }
}

fn all_in_force(ledger: &Ledger) -> Vec<EventId> {
    let mut ids: Vec<_> = ledger.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids
}

#[test]
fn an_amendment_replaces_whichever_comes_first() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.accept(event(2, Some(1), 5, false), Age::Held).outcome, Some(Outcome::Accepted));
    assert_eq!(ledger.accept(event(1, None, 9, false), Age::Held).outcome, Some(Outcome::Superseded));
    assert_eq!(all_in_force(&ledger), [EventId([2; 16])]);
}

#[test]
fn a_replay_is_a_duplicate_and_a_reused_id_is_neither() {
    let mut ledger = Ledger::default();
    ledger.accept(event(1, None, 1, false), Age::Held);
    assert_eq!(ledger.accept(event(1, None, 1, false), Age::Held).outcome, Some(Outcome::Duplicate));
    let mut other = event(1, None, 1, false);
    other.fingerprint = [9; 8];
    assert_eq!(ledger.accept(other, Age::Held).outcome, None);
}

#[test]
fn two_events_that_supersede_each_other_do_not_hang() {
    let mut ledger = Ledger::default();
    ledger.accept(event(1, Some(2), 1, false), Age::Held);
    ledger.accept(event(2, Some(1), 2, false), Age::Held);
    assert!(all_in_force(&ledger).is_empty());
}

#[test]
fn what_hangs_on_a_cycle_is_out_of_force_whichever_closes_it() {
    let hanging = [event(1, Some(3), 1, false), event(4, Some(5), 0, false)];
    let cycle = [event(3, Some(5), 0, false), event(5, Some(3), 0, false)];
    for events in [[&hanging[..], &cycle[..]].concat(), [&cycle[..], &hanging[..]].concat()] {
        let mut ledger = Ledger::default();
        for event in events {
            ledger.accept(event, Age::Held);
        }
        assert!(all_in_force(&ledger).is_empty());
    }
}

proptest! {
    #[test]
    fn what_is_in_force_depends_on_the_set_alone(
        shapes in prop::collection::vec((prop::option::of(1u8..8), 0u8..4, any::<bool>()), 1..8),
        seed in any::<u64>(),
    ) {
        let events: Vec<_> = (1u8..)
            .zip(&shapes)
            .filter(|(id, (supersedes, ..))| *supersedes != Some(*id))
            .map(|(id, (supersedes, minute, cancel))| event(id, *supersedes, *minute, *cancel))
            .collect();
        let mut forwards = Ledger::default();
        let mut shuffled = Ledger::default();
        let mut restored = Ledger::default();
        for event in &events {
            forwards.accept(event.clone(), Age::Held);
        }
        let mut order: Vec<_> = (0..events.len()).collect();
        order.sort_by_key(|at| seed.rotate_left(*at as u32 * 7).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for at in order {
            shuffled.accept(events[at].clone(), Age::Held);
        }
        prop_assert_eq!(all_in_force(&forwards), all_in_force(&shuffled));
        for row in shuffled.take_changes() {
            restored.restore(&row.id, &row.value.expect("no removals")).expect("own row");
        }
        restored.finish_restore().expect("own rows");
        prop_assert_eq!(all_in_force(&restored), all_in_force(&shuffled));
        let rows = forwards.take_changes();
        for row in rows {
            let value = row.value.expect("no removals");
            let other = &shuffled.entries[&EventId(row.id.try_into().expect("16 bytes"))];
            prop_assert_eq!(value, postcard::to_allocvec(other).expect("plain"));
        }
    }
}
