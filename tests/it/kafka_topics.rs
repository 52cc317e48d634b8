//! Topics as the plan wants them, made on a real broker.

use priorityd::log::LogError;
use priorityd::log::kafka::topics::{Layout, TopicChange, wanted};
use priorityd::log::kafka::{KafkaAdmin, KafkaSettings};

use crate::broker::{Broker, Topic};
use crate::conformance::{feeds, party};

#[test]
fn applying_a_plan_leaves_nothing_to_plan() {
    let broker = Broker::shared();
    let mut settings = KafkaSettings::new(&broker.bootstrap(), "group", "admin");
    settings.topic_prefix = "planned.".into();
    let admin = KafkaAdmin::open(settings).expect("opens");
    let layout = Layout { partitions: 2, replicas: 1, in_sync_replicas: 1, ..Layout::default() };
    // One of them is there already, not as wanted, and with a setting that is no business of ours.
    let theirs = &[("retention.ms", "5"), ("segment.ms", "123456")];
    broker.create(&[Topic { name: "planned.audit-heads.v1".into(), partitions: 2, settings: theirs }]);
    let topics = wanted(&layout, &feeds(), &[party("up2u")]);
    let plan = admin.plan(&topics).expect("plans");
    let created = plan.iter().filter(|change| matches!(change, TopicChange::Create(_))).count();
    assert_eq!(created, topics.len() - 1);
    let lines: Vec<String> = plan.iter().map(ToString::to_string).collect();
    assert!(lines.contains(&"audit-heads.v1: retention.ms from 5 to -1".to_owned()), "{lines:?}");
    admin.apply(&plan).expect("applies");
    assert_eq!(admin.plan(&topics).expect("plans"), []);
    // What was not ours is as it was.
    let mut as_set = topics.clone();
    as_set.retain(|topic| topic.name == "audit-heads.v1");
    as_set[0].settings.insert("segment.ms", "123456".into());
    assert_eq!(admin.plan(&as_set).expect("plans"), []);
    // Another number of partitions is told, and nothing of such a plan is done.
    let more = wanted(&Layout { partitions: 4, ..layout }, &feeds(), &[party("up2u"), party("other")]);
    let plan = admin.plan(&more).expect("plans");
    assert!(matches!(admin.apply(&plan), Err(LogError::Fatal(why)) if why.contains("cannot be changed")));
    assert_eq!(admin.plan(&topics).expect("plans"), []);
    assert!(admin.plan(&more).expect("plans").iter().any(|change| matches!(change, TopicChange::Create(_))));
}
