//! Access lists on a real broker, from the agreement to the refusal: who may do what, made by our own command.

use std::sync::Arc;
use std::time::{Duration, Instant};

use priorityd::log::kafka::acls::{Acl, AclChange, FoundAcl, Kind, Operation};
use priorityd::log::kafka::{KafkaAccess, KafkaSettings};

use crate::broker::Broker;
use crate::support::deployed::{Deployed, PATIENCE, Ran};
use crate::support::events::{event, events};

/// A deployment on a broker of its own, seen by each of its users.
struct Hub {
    broker: Arc<Broker>,
}

impl Hub {
    fn new() -> Self {
        Self { broker: Broker::own() }
    }

    /// The same deployment with one user's credentials.
    fn seen_by(&self, user: &str) -> Deployed {
        self.with(user, &self.broker.scram_bootstrap(), "ca.pem", "password")
    }

    fn with(&self, user: &str, bootstrap: &str, authority: &str, password: &str) -> Deployed {
        let file = |name: &str| self.broker.file(name).display().to_string();
        let (authority, password) = (file(authority), file(password));
        let section = format!(
            r#"[kafka]
bootstrap = "{bootstrap}"
ca_file = "{authority}"
user = "{user}"
password_file = "{password}"
partitions = 1
replicas = 1
principal = "User:hub"

[kafka.principals]
police = "User:police"
idva = "User:idva"
"#
        );
        Deployed::with(&[("log = ", "log = \"kafka\""), ("# [kafka]", &section)])
    }

    /// The access lists, by way of who may do everything.
    fn lists(&self) -> KafkaAccess {
        KafkaAccess::open(&KafkaSettings::new(&self.broker.bootstrap(), "priorityd", "1")).expect("opens")
    }

    /// Changes an entry by hand and waits until the broker goes by it.
    fn change(&self, change: AclChange) {
        let mut lists = self.lists();
        lists.apply(std::slice::from_ref(&change)).expect("applies");
        let (acl, wanted) = match change {
            AclChange::Grant(acl) => (acl, true),
            AclChange::Revoke(acl) | AclChange::Wider(acl) | AclChange::Denied(acl) => (acl, false),
        };
        let (acl, deadline) = (FoundAcl::Allow(acl), Instant::now() + PATIENCE);
        while lists.describe().expect("they are shown").contains(&acl) != wanted {
            assert!(Instant::now() < deadline, "the broker does not take it in");
        }
    }
}

fn acl(principal: &str, operation: Operation, kind: Kind, name: &str, prefixed: bool) -> Acl {
    Acl { principal: format!("User:{principal}"), host: "*".into(), operation, kind, name: name.into(), prefixed }
}

fn well(ran: Ran) -> String {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

#[track_caller]
fn refused(ran: &Ran, code: i32, expected: &str) {
    assert!(ran.code == code && ran.err.contains(expected), "{ran:?}, but: {code} {expected}");
}

#[test]
fn each_party_may_do_its_own_and_nothing_else() {
    let hub = Hub::new();
    let admin = hub.seen_by("daemon");
    // Before: all that is missing is told, and nothing else.
    let ran = admin.run(&["check", "--live"]);
    refused(&ran, 1, "topics: not yet done: create feeds.police.v1");
    refused(&ran, 1, "access lists: not yet done: grant User:police Write on topic feeds.police.v1");
    assert!(ran.out.contains("lets us in over TLS as daemon"), "{ran:?}");
    let plan = well(admin.run(&["topics", "plan"]));
    assert!(plan.contains("note: kafka.principals does not name crc: it may do nothing\n"), "{plan}");
    let applied = well(admin.run(&["topics", "apply"]));
    assert_eq!(applied.replace(" changes made", " changes"), plan);
    let again = well(admin.run(&["topics", "plan"]));
    assert!(again.ends_with("\n0 changes\n") && !again.contains("grant"), "{again}");

    // What somebody else was given is taken away where it is ours, told where it is wider, and left where it is theirs.
    let theirs = acl("else", Operation::READ, Kind::TOPIC, "orders.v1", false);
    let (old, wide) = (
        acl("gone", Operation::READ, Kind::TOPIC, "list.idva.v1", false),
        acl("else", Operation::READ, Kind::TOPIC, "alerts.", true),
    );
    for given in [&theirs, &old, &wide] {
        hub.change(AclChange::Grant(given.clone()));
    }
    let plan = well(admin.run(&["topics", "apply"]));
    assert!(plan.contains("revoke User:gone Read on topic list.idva.v1\n"), "{plan}");
    assert!(plan.contains("left alone: User:else Read on topic alerts.* lets in more"), "{plan}");
    assert!(plan.ends_with("\n1 changes made\n"), "{plan}");
    refused(&admin.run(&["check", "--live"]), 1, "access lists: left alone: User:else Read on topic alerts.*");
    let left = hub.lists().describe().expect("they are shown");
    assert!(!left.contains(&FoundAcl::Allow(old)) && left.contains(&FoundAcl::Allow(theirs)));
    hub.change(AclChange::Revoke(wide));

    // The daemon's own principal can do its work, and see that it can.
    let hubs = hub.seen_by("hub");
    let live = well(hubs.run(&["check", "--live"]));
    assert!(live.contains("rights: we may do all that the daemon has to\n"), "{live}");
    let mut daemon = hubs.start();
    let (police, idva) = (hub.seen_by("police"), hub.seen_by("idva"));
    idva.publish_all(&events(&["k1 idva.caseload_entry 2024-01-02 victim=sarah"]));
    police.publish_all(&events(&["i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"]));
    let subscribe = |house: &Deployed, recipient: &str| {
        house.run(&["subscribe", "--recipient", recipient, "--key", &house.key(recipient)])
    };
    let deadline = Instant::now() + PATIENCE;
    // Until the first heartbeat came, its lack is told and is a failed check.
    while !subscribe(&idva, "idva").out.contains("new_report") {
        assert!(Instant::now() < deadline && daemon.is_alive(), "{}", hubs.log());
    }
    well(subscribe(&idva, "idva"));
    assert_eq!(daemon.terminate().code(), Some(0), "{}", hubs.log());

    // Everything else is denied, at once.
    let begun = Instant::now();
    refused(&subscribe(&idva, "up2u"), 77, "an ACL for a topic is missing");
    refused(&subscribe(&police, "idva"), 77, "an ACL for a topic is missing");
    let ran = police.run(&["publish", "--feed", "crc", &police.path("agreement.toml").display().to_string()]);
    refused(&ran, 77, "the ACL for the transactional id is missing");
    refused(&police.run(&["topics", "plan"]), 77, "an ACL for the cluster is missing");
    refused(&idva.run(&["check", "--live"]), 77, "rights: we may not Write the topic audit.v1");
    assert!(begun.elapsed() < Duration::from_secs(60), "it was tried again and again");
}

#[test]
fn the_daemon_says_which_right_it_lacks() {
    let hub = Hub::new();
    well(hub.seen_by("daemon").run(&["topics", "apply"]));
    hub.seen_by("police").publish_all(&events(&["i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"]));
    let cases = [
        (acl("hub", Operation::WRITE, Kind::TRANSACTIONAL_ID, "priorityd-", true), "the ACL for the transactional id"),
        (acl("hub", Operation::READ, Kind::GROUP, "priorityd", false), "the ACL for the group"),
        (acl("hub", Operation::READ, Kind::TOPIC, "feeds.police.v1", false), "an ACL for a topic"),
        (acl("hub", Operation::WRITE, Kind::TOPIC, "audit.v1", false), "an ACL for a topic"),
    ];
    let hubs = hub.seen_by("hub");
    for (lacking, expected) in cases {
        hub.change(AclChange::Revoke(lacking.clone()));
        let begun = Instant::now();
        refused(&hubs.run(&["run"]), 77, &format!("{expected} is missing"));
        assert!(begun.elapsed() < Duration::from_secs(30), "it was tried again and again: {expected}");
        refused(&hubs.run(&["check", "--live"]), 77, &format!("access lists: not yet done: grant {lacking}"));
        hub.change(AclChange::Grant(lacking));
    }
    well(hubs.run(&["check", "--live"]));
}

#[test]
fn an_agency_without_a_right_to_its_topic_is_told_at_once() {
    let hub = Hub::new();
    well(hub.seen_by("daemon").run(&["topics", "apply"]));
    hub.change(AclChange::Revoke(acl("police", Operation::WRITE, Kind::TOPIC, "feeds.police.v1", false)));
    let police = hub.seen_by("police");
    let (_, line) = event("i1 police.incident 2025-03-01 victim=sarah perpetrator=dean");
    std::fs::write(police.path("today.ndjson"), line).expect("written");
    let begun = Instant::now();
    refused(&police.run(&["publish", "--feed", "police", "today.ndjson"]), 77, "an ACL for a topic is missing");
    assert!(begun.elapsed() < Duration::from_secs(30), "it was tried again and again");
}

/// Mutual TLS, with no password at all.
#[test]
fn a_certificate_lets_every_command_in_and_its_lack_is_said() {
    let hub = Hub::new();
    let file = |name: &str| hub.broker.file(name).display().to_string();
    let with = |more: &str| {
        let (bootstrap, authority) = (hub.broker.mutual_bootstrap(), file("ca.pem"));
        let section = format!(
            "[kafka]\nbootstrap = \"{bootstrap}\"\nca_file = \"{authority}\"\npartitions = 1\nreplicas = 1\n{more}"
        );
        Deployed::with(&[("log = ", "log = \"kafka\""), ("# [kafka]", &section)])
    };
    let pair = format!("certificate_file = \"{}\"\nkey_file = \"{}\"\n", file("daemon.crt"), file("daemon.key"));
    let house = with(&pair);
    well(house.run(&["topics", "apply"]));
    assert!(well(house.run(&["check", "--live"])).contains("over TLS"));
    let lines = ["k1 idva.caseload_entry 2024-01-02 victim=sarah", "i1 police.incident 2025-03-01 victim=sarah"];
    for (feed, line) in events(&lines) {
        std::fs::write(house.path("today.ndjson"), line).expect("written");
        well(house.run(&["publish", "--feed", feed.as_str(), "today.ndjson"]));
    }
    let mut daemon = house.start();
    let deadline = Instant::now() + PATIENCE;
    // Until the first heartbeat came, its lack is told and is a failed check.
    let subscribe = || house.run(&["subscribe", "--recipient", "idva", "--key", &house.key("idva")]);
    while !subscribe().out.contains("new_report") {
        assert!(Instant::now() < deadline && daemon.is_alive(), "{}", house.log());
    }
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    refused(&with("").run(&["check", "--live"]), 69, "TLS: 127.0.0.1:");
}

#[test]
fn every_hurdle_has_its_own_message_and_code() {
    let hub = Hub::new();
    well(hub.seen_by("daemon").run(&["topics", "apply"]));
    let there = hub.broker.scram_bootstrap();
    let cases = [
        (hub.with("hub", "127.0.0.1:1", "ca.pem", "password"), 69, "connection: 127.0.0.1:1: ", "no broker answers"),
        (hub.with("hub", &there, "other-ca.pem", "password"), 69, "TLS: 127.0.0.1:", "TLS failed"),
        (hub.with("hub", &there, "ca.pem", "wrong-password"), 77, "credentials: 127.0.0.1:", "refused our credentials"),
    ];
    for (house, code, at, what) in cases {
        let ran = house.run(&["check", "--live"]);
        refused(&ran, code, at);
        refused(&ran, code, what);
        let file = house.path("agreement.toml").display().to_string();
        let commands: [&[&str]; 4] = [
            &["publish", "--feed", "police", &file],
            &["subscribe", "--recipient", "idva", "--sealed"],
            &["topics", "plan"],
            &["run"],
        ];
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for command in commands {
                let house = &house;
                scope.spawn(move || refused(&house.run(command), code, what));
            }
        });
        // Out of reach is tried again for as long as a call may take; a refusal never.
        let limit = Duration::from_secs(if what == "no broker answers" { 90 } else { 25 });
        assert!(begun.elapsed() < limit, "it was tried again and again: {what}");
    }
    // Two brokers of which one is away: enough to work, and told.
    let ran = hub.with("hub", &format!("{there},127.0.0.1:1"), "ca.pem", "password").run(&["check", "--live"]);
    refused(&ran, 69, "connection: 127.0.0.1:1: ");
    assert!(ran.out.contains("access lists: ") && ran.err.lines().count() == 1, "{ran:?}");
}
