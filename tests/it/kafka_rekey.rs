//! A new linkage key on a real broker: the register is hashed anew in steps, each a transaction, by a daemon that dies in the
//! midst of them and another that goes on.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use priorityd::model::ids::PartyId;
use priorityd::simulate::City;
use serde_json::Value;

use crate::broker::Broker;
use crate::daemon::distinct;
use crate::support::deployed::{Deployed, PATIENCE};

/// How often the daemon may be too quick for us.
const TRIES: u32 = 12;

/// The epochs of the linkage key that rows of the register stand under.
fn epochs(house: &Deployed) -> BTreeSet<u32> {
    let mut epochs = BTreeSet::new();
    let mut note = |key: &[u8], _: &[u8]| {
        let text = String::from_utf8_lossy(key);
        let epoch =
            text.split('\0').next().and_then(|scope| scope.split_once('@')).map(|(_, epoch)| epoch.parse::<u32>());
        epochs.extend(epoch.map(|epoch| epoch.expect("a number")));
    };
    house.client().register(0, &mut note).expect("the broker answers");
    epochs
}

/// Whether a linkage key was destroyed.
fn has_ended(house: &Deployed, epoch: u32) -> bool {
    let text = fs::read(house.path(&format!("keys/linkage.portsmouth.{epoch}.jwk.json"))).expect("read");
    // While it is replaced there may be nothing to see.
    serde_json::from_slice::<Value>(&text).is_ok_and(|key| key["priorityd"]["state"] == "retired")
}

#[test]
fn a_register_on_a_broker_is_hashed_anew_though_the_daemon_dies_in_the_midst_of_it() {
    let city = City { bad_share: 0.0, ..City::new(11, 1_700, 10) }.play();
    let (first, rest) = city.feeds.split_at(city.feeds.len() / 2);
    let mut seen = BTreeSet::new();
    let halves = [distinct(first, &mut seen), distinct(rest, &mut seen)];
    let lists = |house: &Deployed| -> Vec<(PartyId, _)> {
        house.desks().into_iter().map(|(party, desk)| (party, desk.list)).collect()
    };

    let calm = Deployed::new();
    calm.publish_all(&city.feeds);
    let mut daemon = calm.start();
    calm.wait_for(&mut daemon, halves[0] + halves[1]);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", calm.log());

    let broker = Broker::shared();
    let house = Deployed::on_kafka(&broker, 1);
    house.publish_all(first);
    let mut daemon = house.start();
    house.wait_for(&mut daemon, halves[0]);
    let mut epoch = 1;
    loop {
        let rotated = house.keys(&["rotate", "linkage", "--scope", "portsmouth"]);
        assert_eq!((rotated.code, rotated.err.as_str()), (0, ""));
        epoch += 1;
        daemon.hangup();
        let deadline = Instant::now() + PATIENCE;
        while !epochs(&house).contains(&epoch) {
            assert!(daemon.is_alive() && Instant::now() < deadline, "{}", house.log());
        }
        daemon.kill();
        let is_between = epochs(&house).len() > 1;
        daemon = house.start();
        let deadline = Instant::now() + PATIENCE;
        while !has_ended(&house, epoch - 1) {
            assert!(daemon.is_alive() && Instant::now() < deadline, "{}", house.log());
            std::thread::yield_now();
        }
        assert_eq!(epochs(&house), BTreeSet::from([epoch]));
        if is_between {
            break;
        }
        assert!(epoch < TRIES, "it was never caught between two keys");
    }
    house.publish_all(rest);
    house.wait_for(&mut daemon, halves[0] + halves[1]);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    assert_eq!(lists(&house), lists(&calm));
}
