//! Looks at the cluster's topics and changes them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::errors::{sort, sort_code};
use super::events::Events;
use super::settings::KafkaSettings;
use super::topics::{FoundTopic, Topic, TopicChange, changes};
use super::wire::Wire;
use crate::log::LogError;

/// The administrator's side of a cluster.
pub struct KafkaAdmin {
    settings: KafkaSettings,
    client: AdminClient<Events>,
}

const LOOKING: &str = "looking at the topics";
const CHANGING: &str = "changing the topics";

impl KafkaAdmin {
    /// Connects.
    pub fn open(settings: KafkaSettings) -> Result<Self, LogError> {
        // librdkafka would try for as long as a call may take and then say less.
        Wire::connect(&settings)?;
        let client = AdminClient::from_config_and_context(&settings.administrator()?, Events::default())
            .map_err(|error| sort(LOOKING, &error))?;
        Ok(Self { settings, client })
    }

    /// What has to be changed so that the cluster has the topics as wanted.
    pub fn plan(&self, wanted: &[Topic]) -> Result<Vec<TopicChange>, LogError> {
        let metadata = self.client.inner().fetch_metadata(None, self.settings.call_timeout);
        let metadata = metadata.map_err(|error| sort(LOOKING, &error))?;
        let mut found = BTreeMap::new();
        for topic in wanted {
            let name = self.settings.topic(&topic.name);
            let Some(there) = metadata.topics().iter().find(|there| there.name() == name) else { continue };
            if let Some(code) = there.error() {
                return Err(sort_code(LOOKING, code.into()));
            }
            let partitions = i32::try_from(there.partitions().len()).unwrap_or(i32::MAX);
            let settings = self.describe(&[&name])?.into_iter().flat_map(|resource| resource.entries);
            let settings = settings.filter_map(|entry| Some((entry.name, entry.value?))).collect();
            found.insert(topic.name.clone(), FoundTopic { partitions, settings });
        }
        Ok(changes(wanted, &found))
    }

    /// Makes the changes, in order. Where one of them cannot be made, none is.
    pub fn apply(&self, changes: &[TopicChange]) -> Result<(), LogError> {
        if let Some(refused) = changes.iter().find(|change| matches!(change, TopicChange::Repartition { .. })) {
            return Err(LogError::Fatal(refused.to_string()));
        }
        let mut settings: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
        for change in changes {
            match change {
                TopicChange::Create(topic) => self.create(topic)?,
                TopicChange::Set { topic, setting, to, .. } => {
                    settings.entry(self.settings.topic(topic)).or_default().insert(setting, to);
                }
                TopicChange::Repartition { .. } => {}
            }
        }
        settings.iter().try_for_each(|(name, settings)| self.set(name, settings))
    }

    /// Removes topics with all that they hold, and the group that read them: for demonstrations.
    pub fn remove(&self, topics: &[Topic]) -> Result<(), LogError> {
        let names: Vec<_> = topics.iter().map(|topic| self.settings.topic(&topic.name)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let removed = wait_for(self.client.delete_topics(&names, &self.options()));
        each(removed.map_err(|error| sort(CHANGING, &error))?)?;
        let removed = wait_for(self.client.delete_groups(&[&self.settings.group], &self.options()));
        each(removed.map_err(|error| sort(CHANGING, &error))?)
    }

    fn create(&self, topic: &Topic) -> Result<(), LogError> {
        let name = self.settings.topic(&topic.name);
        let mut new = NewTopic::new(&name, topic.partitions, TopicReplication::Fixed(topic.replicas));
        for (setting, value) in &topic.settings {
            new = new.set(setting, value);
        }
        let made = wait_for(self.client.create_topics([&new], &self.options()));
        each(made.map_err(|error| sort(CHANGING, &error))?)
    }

    /// The call replaces all that is set on the topic itself, so what is not ours to set is sent along.
    fn set(&self, name: &str, ours: &BTreeMap<&str, &str>) -> Result<(), LogError> {
        let described = self.describe(&[name])?;
        let of_topic = described.iter().flat_map(|resource| &resource.entries);
        let kept = of_topic.filter(|entry| matches!(entry.source, ConfigSource::DynamicTopic));
        let mut all: BTreeMap<&str, &str> =
            kept.filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?))).collect();
        all.extend(ours);
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (setting, value) in all {
            change = change.set(setting, value);
        }
        let made = wait_for(self.client.alter_configs([&change], &self.options()));
        each(made.map_err(|error| sort(CHANGING, &error))?)
    }

    fn describe(&self, names: &[&str]) -> Result<Vec<ConfigResource>, LogError> {
        let topics: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let described = wait_for(self.client.describe_configs(&topics, &self.options()));
        let described = described.map_err(|error| sort(LOOKING, &error))?;
        described.into_iter().map(|one| one.map_err(|code| sort_code(LOOKING, code))).collect()
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.settings.call_timeout))
    }
}

fn each<T, U>(outcomes: Vec<Result<T, (U, RDKafkaErrorCode)>>) -> Result<(), LogError> {
    let failed = outcomes.into_iter().find_map(Result::err);
    failed.map_or(Ok(()), |(_, code)| Err(sort_code(CHANGING, code)))
}

/// Waits on this thread for what librdkafka does on its own.
fn wait_for<T>(future: impl Future<Output = Result<T, KafkaError>>) -> Result<T, KafkaError> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => std::thread::park(),
        }
    }
}
