//! The machine's clock may be wrong and be put right: what a file keeps and lets go must not say anything else for
//! that.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use priorityd::log::embedded::{EmbeddedClient, EmbeddedLog};
use priorityd::log::{Log, Transaction};

use crate::conformance::{ALERTS, LIST, all, feeds, output, ready, values};
use crate::embedded::{TestKey, settings};

#[test]
#[ignore = "a fault of the sweep: an older version outlives the tombstone"]
fn an_entry_that_ended_does_not_come_back_when_the_clock_was_ahead_for_a_while() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (path, clock) = (dir.path().join("log.db"), Arc::new(AtomicI64::new(0)));
    let mut log =
        EmbeddedLog::open_with(&path, feeds(), TestKey::shared(1), settings(&clock, DAY, DAY)).expect("opens");
    ready(&mut log);
    let mut says = |day: i64, topic: &str, key: &str, value: Option<&str>| {
        clock.store(day * DAY_MS, Ordering::Relaxed);
        let transaction = Transaction { outputs: vec![output(topic, key, value)], ..Transaction::default() };
        log.commit(transaction).expect("committed");
    };
    // A year ahead, a version is superseded; put right, the entry ends.
    says(1, LIST, "entry", Some("first"));
    says(366, LIST, "entry", Some("second"));
    says(2, LIST, "entry", None);
    // Whatever comes once the tombstone has been there long enough sweeps.
    says(5, ALERTS, "alert", Some("later"));
    let mut client = EmbeddedClient::open(&path, TestKey::shared(1)).expect("opens");
    let last = values(&all(&mut client, LIST)).pop().flatten();
    assert_eq!(last, None, "who reads the list from its beginning still has the entry");
}
