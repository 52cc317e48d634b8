//! Silence is told from safety: a heartbeat names what each recipient's list should say, and a copy of the list that lost a
//! record does not say it.

use jiff::Timestamp;
use priorityd::audit::{self, SignedHead};
use priorityd::disclose::statement::Manifest;
use priorityd::pipeline::{AUDIT_TOPIC, HEADS_TOPIC};
use serde_json::json;

use crate::convergence::LIFE;
use crate::support::events::events;
use crate::support::hub::{Hub, Office, signed, text};

const RECIPIENT: &str = "high_harm_team";

fn minute(number: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + 60 * number).expect("in range")
}

#[test]
fn a_manifest_is_what_the_list_says_and_a_list_that_lost_a_tombstone_says_something_else() {
    let mut hub = Hub::new(Office::shipped());
    let repeat = [
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "i2 police.incident 2025-06-01 victim=sarah perpetrator=dean",
        "i3 police.incident 2025-03-01 victim=priya perpetrator=mark",
        "i4 police.incident 2025-06-01 victim=kelly perpetrator=mark",
    ];
    hub.send(&events(&repeat));
    let manifest = |hub: &Hub<'_>| {
        let heartbeat = hub.heartbeat(RECIPIENT);
        let data = &heartbeat["data"];
        assert_eq!(heartbeat["recipient"], RECIPIENT);
        assert_eq!(data["held"], json!(null));
        Manifest { entries: data["entries"].as_u64().expect("a count"), digest: text(&data["digest"]).to_owned() }
    };
    hub.beat(minute(1));
    let full = hub.revisions(RECIPIENT, usize::MAX);
    assert!(full.len() >= 2, "{full:?}");
    assert_eq!(manifest(&hub), Manifest::of(full.into_iter()));

    // Withdrawn, an entry ends: the last record of the list is its tombstone.
    hub.send(&events(&["x1 police.cancel 2025-06-02 supersedes=i2", "x2 police.cancel 2025-06-02 supersedes=i1"]));
    hub.beat(minute(2));
    let (all, expected) = (hub.topic(&format!("list.{}.v1", RECIPIENT.replace('_', "-"))).len(), manifest(&hub));
    assert_eq!(expected, Manifest::of(hub.revisions(RECIPIENT, all).into_iter()));
    let suppressed = hub.revisions(RECIPIENT, all - 1);
    assert_ne!(expected, Manifest::of(suppressed.into_iter()), "without its tombstone");
    assert_ne!(expected, Manifest::of(hub.revisions(RECIPIENT, all).into_iter().skip(1)), "without an entry");
}

#[test]
fn each_minute_in_which_the_audit_grew_a_head_is_signed_and_every_head_holds() {
    let mut hub = Hub::new(Office::shipped());
    for (number, portion) in (1..).zip(LIFE.chunks(5)) {
        hub.send(&events(portion));
        hub.beat(minute(number));
    }
    hub.beat(minute(50));
    let heads: Vec<SignedHead> =
        hub.topic(HEADS_TOPIC).iter().map(|record| serde_json::from_value(signed(record)).expect("a head")).collect();
    assert_eq!(heads.len(), LIFE.chunks(5).len(), "quiet minutes need none");
    let lines = || hub.topic(AUDIT_TOPIC).into_iter().map(|record| record.value.expect("a line"));
    let check = |lines: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut verifier = audit::ChainsVerifier::default();
        heads.iter().for_each(|head| verifier.expect(head));
        lines.for_each(|line| verifier.push(Some(0), &line));
        let faults = verifier.finish(&[].into()).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(check(&mut lines()), [""; 0]);
    // Cut off, the signed heads tell, with nothing else kept elsewhere.
    let last = heads.last().expect("heads").seq;
    let cut = check(&mut lines().take(7));
    assert_eq!(cut, [format!("partition 0: the end is cut off: records 8 to {last}")]);
    // Somebody who rewrites the whole chain makes a good one, and not the one that was signed.
    let scope = "portsmouth".parse().expect("a name");
    let mut forger = audit::Chain::resume(0, None).expect("a new chain");
    let mut forged = lines().map(|line| {
        let record = audit::AuditRecord::read(&line).expect("as written");
        let mut body = record.body;
        if record.seq == 3 {
            body["agency"] = json!("crc");
        }
        forger.append(1_767_225_600_000, record.kind, &scope, body, [9; 16]).json
    });
    let told = check(&mut forged);
    assert!(told.iter().all(|fault| fault.ends_with("is not the one that a signed head names")), "{told:?}");
    assert_eq!(told.len(), heads.len());
}
