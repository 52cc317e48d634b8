//! What it takes to reach a cluster, and how that is said to librdkafka.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use zeroize::Zeroizing;

use crate::config::files::{LARGEST_FILE, Unreadable, read_text};
use crate::log::{LogError, MAX_RECORD_BYTES};
use crate::model::ids::PartyId;

/// Called when a call to the broker outlasted every limit: the process has to end, for the call cannot be ended.
pub type OnStuck = Arc<dyn Fn() + Send + Sync>;

/// Called while a partition is restored, with how much of its changelog is read: from 0 to 1.
pub type OnRestore = Arc<dyn Fn(i32, f64) + Send + Sync>;

/// How to reach a cluster and who we are there.
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    /// The consumer group; instances of one group share the partitions.
    pub group: String,
    /// Name of this instance, unique within the group and the same after a restart: whoever takes it fences the one
    /// before. Part of the transactional id.
    pub instance: String,
    /// Put before every topic's name; empty where the cluster is ours.
    pub topic_prefix: String,
    /// TLS, unless the network is trusted (tests).
    pub tls: Option<Tls>,
    /// SASL/SCRAM.
    pub scram: Option<Scram>,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// How long a transaction may take; a dead instance's transaction holds readers back for that long.
    pub transaction_timeout: Duration,
    /// After how long without a sign of life an instance counts as dead.
    pub session_timeout: Duration,
    /// What ends the process when a call ignores its timeout.
    pub on_stuck: OnStuck,
    /// Hears how restoring goes on.
    pub on_restore: OnRestore,
}

impl KafkaSettings {
    /// Settings for a cluster without TLS and SASL, with the usual limits.
    #[must_use]
    pub fn new(bootstrap: &str, group: &str, instance: &str) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            group: group.into(),
            instance: instance.into(),
            topic_prefix: String::new(),
            tls: None,
            scram: None,
            call_timeout: Duration::from_secs(30),
            transaction_timeout: Duration::from_secs(30),
            session_timeout: Duration::from_secs(10),
            on_stuck: Arc::new(|| std::process::exit(EXIT_UNREACHABLE)),
            on_restore: Arc::new(|_, _| {}),
        }
    }

    /// The name that the cluster knows a topic by.
    pub(super) fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    /// What the brokers' own logs and quotas call us.
    pub(super) fn client_id(&self) -> String {
        format!("priorityd-{}", self.instance)
    }

    /// What every client of ours is told.
    fn common(&self) -> Result<ClientConfig, LogError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("client.id", self.client_id());
        // Nobody hammers a broker that is away or that refuses us.
        config.set("reconnect.backoff.ms", "200").set("reconnect.backoff.max.ms", "10000");
        let protocol = match (&self.tls, &self.scram) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            tls.apply(&mut config)?;
        }
        if let Some(scram) = &self.scram {
            scram.apply(&mut config)?;
        }
        Ok(config)
    }

    /// For whoever reads records that were committed.
    pub(super) fn reader(&self) -> Result<ClientConfig, LogError> {
        let mut config = self.common()?;
        config.set("group.id", &self.group);
        config.set("isolation.level", "read_committed");
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config.set("allow.auto.create.topics", "false");
        config.set("check.crcs", "true");
        // Bounds memory; a single larger record still comes.
        config.set("queued.max.messages.kbytes", "65536").set("queued.min.messages", "20000");
        config.set("fetch.wait.max.ms", "100");
        // A partition without records yet answers an error once; asking again soon keeps a first record from waiting.
        config.set("fetch.error.backoff.ms", "100").set("fetch.queue.backoff.ms", "50");
        Ok(config)
    }

    /// For the daemon's group.
    pub(super) fn group_member(&self) -> Result<ClientConfig, LogError> {
        let mut config = self.reader()?;
        // The same partition of every feed goes to the same instance.
        config.set("partition.assignment.strategy", "range");
        config.set("session.timeout.ms", self.session_timeout.as_millis().to_string());
        config.set("heartbeat.interval.ms", (self.session_timeout.as_millis() / 4).to_string());
        // Hears each second where the feeds end and whether a broker is there.
        config.set("statistics.interval.ms", "1000");
        // Restoring happens between two polls.
        config.set("max.poll.interval.ms", "900000");
        // Positions are always given; one that is gone means records were deleted before they were read.
        config.set("auto.offset.reset", "error");
        Ok(config)
    }

    /// For the administrator's client.
    pub(super) fn administrator(&self) -> Result<ClientConfig, LogError> {
        self.common()
    }

    /// For a transactional producer.
    pub(super) fn producer(&self, transactional_id: &str) -> Result<ClientConfig, LogError> {
        let mut config = self.feeder()?;
        config.set("transactional.id", transactional_id);
        config.set("transaction.timeout.ms", self.transaction_timeout.as_millis().to_string());
        Ok(config)
    }

    /// For a producer without transactions.
    pub(super) fn feeder(&self) -> Result<ClientConfig, LogError> {
        let mut config = self.common()?;
        config.set("enable.idempotence", "true");
        config.set("message.max.bytes", (MAX_RECORD_BYTES + RECORD_OVERHEAD_BYTES).to_string());
        // As Java clients do it, so that a scope's records meet in one partition whoever sends them.
        config.set("partitioner", "murmur2");
        config.set("linger.ms", "1");
        // That a record was delivered is seen by there being none on its way.
        config.set("delivery.report.only.error", "true");
        config.set("queue.buffering.max.kbytes", "131072").set("queue.buffering.max.messages", "100000");
        // A topic that is not there is an answer, not something to wait for.
        config.set("topic.metadata.propagation.max.ms", "5000");
        Ok(config)
    }
}

/// How the names of a party's transactional ids and consumer groups begin. A party's name has no dot, so no party's
/// prefix begins another's.
pub(super) fn party_prefix(group: &str, party: &PartyId) -> String {
    format!("{group}.{party}.")
}

/// How the transactional ids of a group's daemons begin; no party's begin so.
pub(super) fn daemon_prefix(group: &str) -> String {
    format!("{group}-")
}

/// Exit code for a broker that is out of reach.
const EXIT_UNREACHABLE: i32 = 69;

/// Room for what Kafka adds to a record.
const RECORD_OVERHEAD_BYTES: usize = 64 << 10;

/// TLS to the brokers; their names are always checked.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Certificates (PEM) of whom we trust; the system's where there is none.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, where the cluster asks for one.
    pub client: Option<ClientCertificate>,
}

/// A client certificate for mutual TLS.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// Certificate chain (PEM).
    pub certificate_file: PathBuf,
    /// Private key (PEM).
    pub key_file: PathBuf,
    /// Holds the private key's password, where it has one.
    pub key_password_file: Option<PathBuf>,
}

impl Tls {
    fn apply(&self, config: &mut ClientConfig) -> Result<(), LogError> {
        let mut file = |key: &str, path: &Path| -> Result<(), LogError> {
            // Looked at now: librdkafka's own message would come late and say less.
            std::fs::metadata(path).map_err(|error| unreadable(path, Unreadable::from(&error)))?;
            config.set(key, path.to_string_lossy());
            Ok(())
        };
        if let Some(path) = &self.ca_file {
            file("ssl.ca.location", path)?;
        }
        if let Some(client) = &self.client {
            file("ssl.certificate.location", &client.certificate_file)?;
            file("ssl.key.location", &client.key_file)?;
            if let Some(path) = &client.key_password_file {
                config.set("ssl.key.password", secret(path)?.as_str());
            }
        }
        Ok(())
    }
}

/// Which SCRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramMechanism {
    /// Its registered name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }
}

/// SASL/SCRAM credentials.
#[derive(Debug, Clone)]
pub struct Scram {
    /// Which SCRAM.
    pub mechanism: ScramMechanism,
    /// Whom we claim to be.
    pub username: String,
    /// Holds the password, on one line.
    pub password_file: PathBuf,
}

impl Scram {
    fn apply(&self, config: &mut ClientConfig) -> Result<(), LogError> {
        config.set("sasl.mechanism", self.mechanism.name()).set("sasl.username", &self.username);
        config.set("sasl.password", secret(&self.password_file)?.as_str());
        Ok(())
    }
}

/// A secret's file without its line end.
pub(super) fn secret(path: &Path) -> Result<Zeroizing<String>, LogError> {
    let text = Zeroizing::new(read_text(path, LARGEST_FILE).map_err(|why| unreadable(path, why))?);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn unreadable(path: &Path, why: Unreadable) -> LogError {
    LogError::Fatal(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_settings_reach_librdkafka_and_secrets_come_from_files() {
        let folder = std::env::temp_dir().join(format!("priorityd-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("creates");
        let (ca, password) = (folder.join("ca.pem"), folder.join("password"));
        std::fs::write(&ca, "x").expect("writes");
        std::fs::write(&password, "p w\n").expect("writes");
        let mut settings = KafkaSettings::new("host:1", "g", "i");
        assert_eq!(settings.common().expect("plain").get("security.protocol"), Some("plaintext"));
        settings.tls = Some(Tls { ca_file: Some(ca), client: None });
        let username = "us".into();
        settings.scram = Some(Scram { mechanism: ScramMechanism::Sha512, username, password_file: password });
        let config = settings.producer("t").expect("both");
        let expected =
            [("security.protocol", "sasl_ssl"), ("sasl.password", "p w"), ("sasl.mechanism", "SCRAM-SHA-512")];
        assert!(expected.into_iter().all(|(key, value)| config.get(key) == Some(value)));
        settings.tls = Some(Tls { ca_file: Some(folder.join("none.pem")), client: None });
        assert!(matches!(settings.common(), Err(LogError::Fatal(why)) if why.contains("none.pem")));
        std::fs::remove_dir_all(&folder).expect("removes");
    }
}
