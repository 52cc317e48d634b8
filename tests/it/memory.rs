//! The log in memory: the common promises, and that its faults are what they say.

use std::collections::BTreeMap;
use std::time::Duration;

use priorityd::log::memory::{Fault, Faults, MemoryStore};
use priorityd::log::{Client, Log, LogError, Polled, Position, Transaction};

use crate::conformance::{self, ALERTS, House, all, feeds, output, party, positions, publish, ready, take, values};

struct Memory(MemoryStore);

impl House for Memory {
    fn log(&self) -> Box<dyn Log> {
        Box::new(self.0.log(feeds()))
    }

    fn client(&self) -> Box<dyn Client> {
        Box::new(self.0.client())
    }

    fn poison(&self, transaction: &mut Transaction) {
        transaction.positions.push(Position { feed: party("b"), partition: 0, next_offset: 1_000 });
    }
}

#[test]
fn conforms() {
    conformance::suite(
        || Memory(MemoryStore::new(Faults::default())),
        || Memory(MemoryStore::with_partitions(3, Faults::default())),
    );
}

#[test]
fn each_fault_does_what_it_says() {
    let at = BTreeMap::from([(0, Fault::Abort), (1, Fault::CrashBefore), (2, Fault::CrashAfter)]);
    let store = MemoryStore::new(Faults { at, ..Faults::default() });
    let mut client = store.client();
    publish(&mut client, "a", &["1"]);
    let mut log = store.log(feeds());
    ready(&mut log);
    let transaction = |records: &[_]| Transaction {
        outputs: vec![output(ALERTS, "", Some("x"))],
        positions: positions(records),
        ..Transaction::default()
    };
    let records = take(&mut log, 1, 1);
    assert!(matches!(log.commit(transaction(&records)), Err(LogError::Aborted(_))));
    conformance::restored(&mut log);
    let records = take(&mut log, 1, 1);
    assert!(matches!(log.commit(transaction(&records)), Err(LogError::Fatal(_))) && log.crashed());
    assert!(all(&mut client, ALERTS).is_empty());
    let mut log = store.log(feeds());
    ready(&mut log);
    let records = take(&mut log, 1, 1);
    assert!(matches!(log.commit(transaction(&records)), Err(LogError::Fatal(_))) && log.crashed());
    assert_eq!(values(&all(&mut client, ALERTS)).len(), 1);
    let mut log = store.log(feeds());
    ready(&mut log);
    conformance::nothing_more(&mut log);
}

#[test]
fn the_later_daemon_fences_the_earlier_one() {
    let store = MemoryStore::new(Faults::default());
    let mut zombie = store.log(feeds());
    ready(&mut zombie);
    let mut heir = store.log(feeds());
    ready(&mut heir);
    assert!(matches!(zombie.commit(Transaction::default()), Err(LogError::Fatal(_))));
    assert!(heir.commit(Transaction::default()).is_ok());
}

/// A daemon that copies its feeds to a topic, through whatever storm, and starts again when it crashed.
fn copied_through(faults: Faults) -> Vec<Option<String>> {
    let store = MemoryStore::new(faults);
    let mut client = store.client();
    let texts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    publish(&mut client, "a", &texts);
    publish(&mut client, "b", &texts);
    let mut log = store.log(feeds());
    for round in 0.. {
        if round == 2_000 {
            store.calm();
        }
        let records = match log.poll(16, Duration::ZERO) {
            Ok(Polled::Records(records)) if records.is_empty() => break,
            Ok(Polled::Records(records)) => records,
            Ok(Polled::Gained(_) | Polled::Lost(_)) => {
                conformance::restored(&mut log);
                continue;
            }
            Err(_) => panic!("the seeds only hit commits"),
        };
        let outputs =
            records.iter().map(|record| output(ALERTS, "", Some(std::str::from_utf8(&record.payload).expect("text"))));
        let transaction =
            Transaction { outputs: outputs.collect(), positions: positions(&records), ..Transaction::default() };
        match log.commit(transaction) {
            Ok(()) => {}
            Err(_) if log.crashed() => log = store.log(feeds()),
            Err(_) => drop(conformance::restored(&mut log)),
        }
    }
    values(&all(&mut client, ALERTS))
}

#[test]
fn through_a_storm_every_record_is_copied_as_often_as_it_was_sent() {
    let mut orders = Vec::new();
    for seed in 0..50 {
        let once = Faults { republish: 0, ..Faults::storm(seed) };
        let mut copied = copied_through(once.clone());
        assert_eq!(copied, copied_through(once), "the seed decides everything");
        orders.push(copied.clone());
        copied.sort();
        let mut sent: Vec<_> =
            (0..200).flat_map(|number| [Some(number.to_string()), Some(number.to_string())]).collect();
        sent.sort();
        assert_eq!(copied, sent);
        let again = copied_through(Faults::storm(seed));
        assert!(again.len() >= sent.len(), "what is sent twice comes twice, nothing goes missing");
    }
    orders.dedup();
    assert!(orders.len() > 40, "seeds differ in the order they make");
}
