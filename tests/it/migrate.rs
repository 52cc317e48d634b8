//! From the embedded log to Kafka, on a real broker: everything, once, and nothing where something is already.

use std::collections::BTreeMap;

use priorityd::simulate::City;
use serde_json::Value;

use crate::broker::Broker;
use crate::support::deployed::Deployed;
use crate::support::events::events;
use crate::support::hub::Desk;

/// What everybody has been told, but for the moment at which it was: each list, and the ids of the messages in the inbox.
fn told(house: &Deployed) -> BTreeMap<String, (BTreeMap<String, Value>, Vec<String>)> {
    let of = |desk: Desk| {
        let mut ids: Vec<_> = desk.inbox.iter().map(|event| event["id"].to_string()).collect();
        ids.sort();
        (desk.list, ids)
    };
    house.desks().into_iter().map(|(party, desk)| (party.to_string(), of(desk))).collect()
}

/// The chain's heads, as `audit verify` finds them after going through every record.
fn verified(house: &Deployed) -> String {
    let ran = house.run(&["audit", "verify"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    ran.out
}

#[test]
fn everything_moves_to_a_broker_once() {
    let broker = Broker::shared();
    let before = Deployed::with(&[("log_format", "log_format = \"text\"")]);
    let city = City { bad_share: 0.05, ..City::new(11, 250, 3) }.play().feeds;
    let mut daemon = before.start();
    before.publish_all(&city);
    before.wait_for(&mut daemon, city.len() * 9 / 10);
    let mut after = Deployed::on_kafka(&broker, 1);
    let file = before.path("data/priorityd.sqlite").display().to_string();
    let migrate = ["migrate", "--from", &file];

    // Partitions are what was not made: six, unless it is said otherwise.
    let ran = after.run(&migrate);
    assert_eq!((ran.code, ran.err.contains("kafka.partitions")), (78, true), "{ran:?}");
    after.set_variable("PRIORITYD__KAFKA__PARTITIONS", "1".to_owned());
    let ran = after.run(&migrate);
    assert_eq!((ran.code, ran.err.contains("another daemon runs on")), (69, true), "{ran:?}");
    assert_eq!(daemon.terminate().code(), Some(0));
    let ran = after.run(&["migrate", "--from", "nowhere.sqlite"]);
    assert_eq!((ran.code, ran.err.contains("nowhere.sqlite: there is no such file")), (65, true), "{ran:?}");
    assert_eq!(before.run(&migrate).code, 78, "an embedded log is no place to move to");
    assert!(after.values("audit.v1").is_empty(), "whatever was refused has left nothing behind");

    // While nobody works, more comes in, which the daemon on the other side shall process.
    let late = events(&[
        "late1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "late2 police.crime 2025-04-01 victim=sarah perpetrator=dean",
    ]);
    before.publish_all(&late);
    let (lists, head) = (told(&before), verified(&before));
    assert!(lists.values().any(|(list, _)| !list.is_empty()) && lists.values().any(|(_, inbox)| !inbox.is_empty()));
    let ran = after.run(&migrate);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("rows of the register and 2 events that wait"), "{}", ran.out);
    assert_eq!(told(&after), lists);
    assert_eq!(verified(&after), head);
    for topic in ["review.v1", "audit-heads.v1", "rejections.police.v1"] {
        let pairs = |house: &Deployed| -> Vec<_> {
            house.topic(topic).into_iter().map(|record| (record.key, record.value)).collect()
        };
        assert!(!pairs(&before).is_empty() && pairs(&after) == pairs(&before), "{topic}");
    }

    // A second time there is something already, and it stays as it is.
    let again = after.run(&migrate);
    assert_eq!((again.code, again.err.contains("holds records already")), (77, true), "{again:?}");
    assert_eq!(verified(&after), head);

    // Both go on, each on its side of the move, and come to the same.
    let (mut here, mut there) = (before.start(), after.start());
    let records =
        |house: &Deployed| house.values("audit.v1").iter().filter(|line| line["kind"] == "collection").count();
    let collected = records(&before);
    for (house, daemon) in [(&before, &mut here), (&after, &mut there)] {
        let (mut patience, all) = (600, collected + late.len());
        while records(house) < all {
            patience -= 1;
            assert!(patience > 0 && daemon.is_alive(), "{}", house.log());
            house.client().read("nothing.v1", 0, 0, 1, std::time::Duration::from_millis(100)).ok();
        }
    }
    for daemon in [here, there] {
        assert_eq!(daemon.terminate().code(), Some(0));
    }
    assert_eq!(told(&after), told(&before));
    assert_ne!(told(&after), lists, "the events that waited were told");
    verified(&after);
}
