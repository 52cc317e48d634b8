//! At the bounds that `priorityd::model::limits` lists: what is just within them is taken, what is beyond them is not, and nothing
//! else suffers.

use std::time::Duration;

use priorityd::log::embedded::{EmbeddedClient, EmbeddedLog};
use priorityd::log::{Client, Log, POLL_BYTES, Polled, Unsent};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::conformance::{feeds, party, ready, scope};
use crate::embedded::TestKey;
use crate::support::events::{Sent, envelope, events};
use crate::support::hub::{Hub, Office};

/// One event with something changed, and one after it that is as it should be.
fn with(change: impl FnOnce(&mut Value)) -> Vec<Sent> {
    let (feed, mut event) = envelope("i1 police.incident 2025-03-01 victim=sarah perpetrator=dean");
    change(&mut event);
    let mut sent = vec![(feed, event.to_string())];
    sent.extend(events(&["i2 police.incident 2025-03-02 victim=kelly perpetrator=mark"]));
    sent
}

/// Whether the first of the two was taken; the second always is.
fn is_taken(change: impl FnOnce(&mut Value)) -> bool {
    let hub = Hub::played(Office::shipped(), &with(change));
    let outcomes = hub.outcomes();
    assert_eq!((outcomes.read, outcomes.accepted + outcomes.rejected), (2, 2));
    assert!(outcomes.accepted >= 1, "what follows is taken");
    outcomes.accepted == 2
}

#[test]
fn a_record_of_just_the_size_is_taken_and_a_byte_more_is_not() {
    // The hub's bound, as the configuration's default.
    const RECORD_BYTES: usize = 1 << 20;
    // All that counts: the payload, and the one header with its name.
    let header = "content-type".len() + "application/cloudevents+json".len();
    for (over, taken) in [(0, true), (1, false)] {
        let padded = |event: &mut Value| {
            event["data"]["padding"] = json!("");
            let length = event.to_string().len() + header;
            event["data"]["padding"] = json!("x".repeat(RECORD_BYTES - length + over));
        };
        assert_eq!(is_taken(padded), taken, "{over} over");
    }
}

#[test]
fn fifty_people_are_taken_and_one_more_is_not() {
    let people = |count: usize| {
        move |event: &mut Value| {
            let one = event["data"]["persons"][0].clone();
            let each = |number: usize| {
                let mut one = one.clone();
                one["local_ref"] = json!(format!("P{number}"));
                one
            };
            event["data"]["persons"] = (0..count).map(each).collect();
        }
    };
    assert!(is_taken(people(50)));
    assert!(!is_taken(people(51)));
}

#[test]
fn nesting_and_number_of_values_are_bounded_also_where_nobody_looks() {
    // The field lies in the data of the event: two levels are there already.
    let nested = |levels: usize| {
        move |event: &mut Value| {
            event["data"]["unknown"] = (0..levels).fold(json!(1), |inner, _| json!([inner]));
        }
    };
    assert!(is_taken(nested(30)));
    assert!(!is_taken(nested(31)));
    let values = |count: usize| move |event: &mut Value| event["data"]["unknown"] = json!(vec![0; count]);
    assert!(is_taken(values(19_900)));
    assert!(!is_taken(values(20_000)));
}

#[test]
fn a_poll_returns_no_more_bytes_than_its_bound_and_the_rest_waits() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    let mut log = EmbeddedLog::open(&path, feeds(), TestKey::shared(1)).expect("opens");
    ready(&mut log);
    let mut client = EmbeddedClient::open(&path, TestKey::shared(1)).expect("opens");
    let (large, count) = (12 << 20, 5);
    for _ in 0..count {
        let event = Unsent { scope: scope(), headers: Vec::new(), payload: Zeroizing::new(vec![b'x'; large]) };
        client.append(&party("a"), vec![event]).expect("publish");
    }
    let mut polls = Vec::new();
    while polls.iter().sum::<usize>() < count {
        let Polled::Records(records) = log.poll(1_000, Duration::ZERO).expect("poll") else { panic!("it stays") };
        assert!(!records.is_empty(), "nothing is left behind");
        polls.push(records.len());
    }
    // What reaches the bound is the last of its poll.
    assert!(polls.iter().all(|records| (records - 1) * large < POLL_BYTES), "{polls:?}");
    assert!(polls.len() > 1, "the rest waits for the next poll");
}
