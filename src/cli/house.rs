//! A deployment from the shipped files in a directory of its own, with keys that protect nobody: for the demonstration and
//! for measuring. On a cluster its topics have names that nobody else's have.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::deployment::Deployment;
use super::failure::{Failure, Kind};
use super::shipped;
use crate::config::agreement::Agreement;
use crate::keys::KeyRing;
use crate::link::LinkageModel;
use crate::log::kafka::KafkaAdmin;
use crate::log::kafka::topics::{Layout, Topic, wanted};
use crate::model::ids::hex;
use crate::simulate::City;

/// What kind of house is wanted.
pub(super) struct Wish {
    /// What it is for, in the names of temporary directories and topics.
    pub(super) name: &'static str,
    /// Kept, with the topics; a temporary one otherwise.
    pub(super) dir: Option<PathBuf>,
    /// A cluster's address; an embedded log otherwise.
    pub(super) kafka: Option<String>,
    /// Of every topic on a cluster.
    pub(super) partitions: i32,
    /// Of the keys.
    pub(super) seed: u64,
}

/// A deployment in a directory.
pub(super) struct House {
    pub(super) deployment: Deployment,
    /// Every recipient's private key.
    pub(super) private_keys: PathBuf,
    /// What was made on a cluster.
    topics: Vec<Topic>,
    /// The directory, if it is kept.
    pub(super) kept: Option<PathBuf>,
    temporary: Option<PathBuf>,
}

impl Wish {
    /// Builds it.
    pub(super) fn build(&self) -> Result<House, Failure> {
        let dir = self
            .dir
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("priorityd-{}-{}", self.name, std::process::id())));
        if dir.join("data/priorityd.sqlite").exists() {
            let line = format!("{}: there is a log in it already; name a new directory", dir.display());
            return Err(Failure::new(Kind::Configuration, line));
        }
        let cannot = |error: std::io::Error| Failure::unwritable(Kind::Configuration, &dir, &error);
        fs::create_dir_all(&dir).map_err(cannot)?;
        let temporary = self.dir.is_none().then(|| dir.clone());
        shipped::write_agreement(&dir)?;
        let config = shipped::CONFIG.replace("# as_of = 2025-12-31", &format!("as_of = {}", City::new(0, 1, 1).end));
        let config = match &self.kafka {
            None => config,
            Some(bootstrap) => on_kafka(&config, self.name, bootstrap),
        };
        fs::write(dir.join("priorityd.toml"), config).map_err(cannot)?;
        let agreement = Agreement::load(&dir.join("agreement.toml"))?;
        let private_keys = dir.join("services");
        let scope = agreement.scopes.first().expect("the shipped agreement names a scope");
        let parties: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
        // From the seed, so that the same seed gives the same list byte for byte. These keys protect nobody.
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        KeyRing::create(&dir.join("keys"), &private_keys, scope, &parties, Timestamp::UNIX_EPOCH, &mut rng)?;
        shipped::sign_agreement(&dir, &mut rng)?;
        let mut deployment = Deployment::load(&dir.join("priorityd.toml"))?;
        deployment.settings.listen = None;
        let mut house = House { deployment, private_keys, topics: Vec::new(), kept: self.dir.clone(), temporary };
        if let Some(settings) = house.deployment.kafka() {
            let agreement = &house.deployment.agreement;
            let feeds: Vec<_> = agreement.feeds.iter().map(|feed| feed.party.clone()).collect();
            let recipients: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
            let layout = Layout { partitions: self.partitions, replicas: 1, in_sync_replicas: 1, ..Layout::default() };
            house.topics = wanted(&layout, &feeds, &recipients);
            let admin = KafkaAdmin::open(settings)?;
            admin.apply(&admin.plan(&house.topics)?)?;
        }
        Ok(house)
    }
}

impl House {
    /// Sets how many people agencies may come to know, as the configuration of a place of that size says.
    pub(super) fn known_people(&mut self, people: u32) {
        self.deployment.model = Arc::new(LinkageModel::clone(&self.deployment.model).with_population(people));
    }

    /// Removes what was made on a cluster, unless all is kept.
    pub(super) fn clear_away(mut self) -> Result<(), Failure> {
        let topics = std::mem::take(&mut self.topics);
        match self.deployment.kafka().filter(|_| self.kept.is_none()) {
            Some(settings) => Ok(KafkaAdmin::open(settings)?.remove(&topics)?),
            None => Ok(()),
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(settings) = self.deployment.kafka().filter(|_| self.kept.is_none() && !self.topics.is_empty()) {
            // What went wrong is said by whoever failed; a cluster that is out of reach keeps its topics.
            KafkaAdmin::open(settings).and_then(|admin| admin.remove(&self.topics)).ok();
        }
        if let Some(dir) = &self.temporary {
            // Whatever cannot be removed lies in the system's own folder for temporary files.
            fs::remove_dir_all(dir).ok();
        }
    }
}

/// The configuration with Kafka for a log. Nobody else's topics or group have the names of this house's.
fn on_kafka(config: &str, name: &str, bootstrap: &str) -> String {
    let mut random = [0; 6];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    let name = format!("priorityd-{name}-{}", hex(&random));
    let kafka = toml::toml! {
        [kafka]
        bootstrap = bootstrap
        group = (name.clone())
        topic_prefix = (format!("{name}."))
    };
    format!("{}\n{kafka}", config.replace("log = \"embedded\"", "log = \"kafka\""))
}
