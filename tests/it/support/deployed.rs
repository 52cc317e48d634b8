//! A deployment in a temporary directory, made with our own commands from the files in `deploy/`, and its processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use priorityd::config::agreement::Agreement;
use priorityd::keys::KeyRing;
use priorityd::log::embedded::EmbeddedClient;
use priorityd::log::kafka::{KafkaClient, KafkaSettings};
use priorityd::log::{AtRest, Client, LogError, StoredRecord, TopicReader, topic_name};
use priorityd::model::ids::PartyId;
use priorityd::model::outcome::OutcomeCounts;
use priorityd::model::register::RowKind;
use priorityd::model::sealed::Sealed;
use priorityd::pipeline::AUDIT_TOPIC;
use serde_json::Value;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::events::{Sent, party};
use super::hub::{AGREEMENT, Desk};
use crate::broker::Broker;

const CONFIG: &str = include_str!("../../../deploy/priorityd.toml");

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Keys and a signed agreement are made once, with the commands, and copied: deployments of one key ring can be compared.
static KEYS: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let run = |words: &[&str]| {
        let ran = ran(Command::new(PRIORITYD).current_dir(dir.path()).args(words));
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    let make = |words: &[&str]| run(&[&["keys", "new"], words, &["--ring", "keys"]].concat());
    make(&["all", "--scope", "portsmouth"]);
    for recipient in agreement().recipients {
        make(&["recipient", "--party", recipient.party.as_str(), "--out", "services"]);
    }
    make(&["agreement", "--party", "ig_lead", "--out", "signers"]);
    fs::write(dir.path().join("agreement.toml"), &AGREEMENT.agreement).expect("written");
    fs::create_dir(dir.path().join("policies")).expect("made");
    for (name, text) in &AGREEMENT.policies {
        fs::write(dir.path().join(name), text).expect("written");
    }
    run(&["agreement", "sign", "--key", "signers/ig_lead.jwk.json"]);
    dir
});

const PRIORITYD: &str = env!("CARGO_BIN_EXE_priorityd");

fn agreement() -> Agreement {
    Agreement::check(&AGREEMENT).expect("the agreement is in order")
}

/// What a process came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs any of our commands to its end.
pub(crate) fn priorityd(words: &[&str]) -> Ran {
    ran(Command::new(PRIORITYD).args(words))
}

fn ran(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    finished(output)
}

fn finished(output: std::process::Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("we print UTF-8");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// One deployment.
pub(crate) struct Deployed {
    dir: TempDir,
    /// How its cluster is reached, if its log is Kafka.
    kafka: Option<KafkaSettings>,
    environment: Vec<(&'static str, String)>,
}

impl Deployed {
    /// The shipped files, as of the end of 2025 and without HTTP, since tests run side by side.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With other settings: pairs of a line's beginning and the line that takes its place.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["keys", "services", "signers", "policies", "agreement.toml", "agreement.toml.jws"] {
            let copied = Command::new("cp").arg("-a").arg(KEYS.path().join(name)).arg(dir.path()).status();
            assert!(copied.is_ok_and(|status| status.success()), "cp copies {name}");
        }
        let usual = [("# as_of", "as_of = 2025-12-31"), ("listen", ""), ("poll_ms", "poll_ms = 20")];
        let mut config: Vec<String> = CONFIG.lines().map(str::to_owned).collect();
        let usual = usual.iter().filter(|(beginning, _)| settings.iter().all(|(other, _)| other != beginning));
        for (beginning, line) in settings.iter().chain(usual) {
            let found = config.iter_mut().find(|line| line.starts_with(beginning));
            *found.unwrap_or_else(|| panic!("the shipped file has no {beginning}")) = (*line).to_owned();
        }
        fs::write(dir.path().join("priorityd.toml"), config.join("\n")).expect("written");
        Self { dir, environment: Vec::new(), kafka: None }
    }

    /// On a broker, on topics of its own with several partitions, made with our own command.
    pub(crate) fn on_kafka(broker: &Broker, partitions: u32) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (bootstrap, number) = (broker.bootstrap(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (group, prefix) = (format!("deployed-{number}"), format!("deployed-{number}."));
        let section = format!(
            "[kafka]\nbootstrap = \"{bootstrap}\"\ngroup = \"{group}\"\ntopic_prefix = \"{prefix}\"\nsession_ms = 2000"
        );
        let mut house = Self::with(&[("log = ", "log = \"kafka\""), ("# [kafka]", &section)]);
        house.kafka = Some(KafkaSettings { topic_prefix: prefix, ..KafkaSettings::new(&bootstrap, &group, "test") });
        let applied = house.run(&["topics", "apply", "--replicas", "1", "--partitions", &partitions.to_string()]);
        assert_eq!((applied.code, applied.err.as_str()), (0, ""), "{}", applied.out);
        house
    }

    /// What its topics' names begin with on the cluster.
    pub(crate) fn prefix(&self) -> &str {
        self.kafka.as_ref().map_or("", |settings| &settings.topic_prefix)
    }

    /// With a variable in the environment of every command.
    pub(crate) fn set_variable(&mut self, name: &'static str, value: String) {
        self.environment.push((name, value));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> String {
        self.path("priorityd.toml").display().to_string()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PRIORITYD);
        command.current_dir(self.dir.path()).args(words).args(["--config", &self.config()]).env("PRIORITYD_BY", "QA1");
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Runs `keys` on this deployment's ring.
    pub(crate) fn keys(&self, words: &[&str]) -> Ran {
        let mut command = Command::new(PRIORITYD);
        command.current_dir(self.dir.path()).arg("keys").args(words).args(["--ring", "keys"]);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        ran(&mut command)
    }

    /// Runs a command of this deployment to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        ran(&mut self.command(words))
    }

    /// Runs a command of this deployment as a user who owns nothing.
    pub(crate) fn run_as_nobody(&self, words: &[&str]) -> Ran {
        let ours = self.command(words);
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).current_dir(self.dir.path());
        ran(command.arg(ours.get_program()).args(ours.get_args()))
    }

    /// Starts a command of this deployment whose output is read as it comes.
    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts")
    }

    /// Publishes lines through standard input.
    pub(crate) fn publish(&self, feed: &str, lines: &[impl AsRef<[u8]>]) {
        let mut command = self.command(&["publish", "--feed", feed, "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("piped");
        for line in lines {
            input.write_all(line.as_ref()).and_then(|()| input.write_all(b"\n")).expect("it reads");
        }
        drop(input);
        let ran = finished(child.wait_with_output().expect("it ends"));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_eq!(ran.out, format!("published {} to feeds of {feed}\n", lines.len()));
    }

    /// Publishes events, each feed's in their order.
    pub(crate) fn publish_all(&self, events: &[Sent]) {
        let mut feeds: BTreeMap<&PartyId, Vec<&String>> = BTreeMap::new();
        for (feed, line) in events {
            feeds.entry(feed).or_default().push(line);
        }
        for (feed, lines) in feeds {
            self.publish(feed.as_str(), &lines);
        }
    }

    /// Starts the daemon.
    pub(crate) fn start(&self) -> Daemon {
        let log = File::options().create(true).append(true).open(self.path("daemon.log")).expect("opened");
        let mut command = self.command(&["run"]);
        Daemon { child: command.stdin(Stdio::null()).stderr(log).spawn().expect("it starts") }
    }

    /// Starts the daemon through a command that limits it first: `sh -c 'LIMIT; exec "$@"'`.
    pub(crate) fn start_limited(&self, limit: &str) -> Daemon {
        let log = File::options().create(true).append(true).open(self.path("daemon.log")).expect("opened");
        let ours = self.command(&["run"]);
        let mut command = Command::new("sh");
        command.current_dir(self.dir.path()).args(["-c", &format!("{limit}; exec \"$@\""), "sh"]);
        command.arg(ours.get_program()).args(ours.get_args());
        command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Daemon { child: command.stdin(Stdio::null()).stderr(log).spawn().expect("it starts") }
    }

    /// Waits until so many records are taken or rejected, replays not counted: as many audit lines say so.
    pub(crate) fn wait_for(&self, daemon: &mut Daemon, records: usize) {
        let (mut client, mut audit) = (self.client(), TopicReader::new(AUDIT_TOPIC));
        let (mut seen, deadline) = (0, Instant::now() + PATIENCE);
        while seen < records {
            let each = |record: StoredRecord| {
                seen += usize::from(settles_a_record(&record));
                Ok::<_, LogError>(())
            };
            audit.read(client.as_mut(), Duration::from_millis(100), each).expect("the log is there");
            assert!(Instant::now() < deadline && daemon.is_alive(), "{seen} of {records} records: {}", self.log());
        }
    }

    /// Waits until the daemon has logged a text.
    pub(crate) fn wait_for_log(&self, daemon: &mut Daemon, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut client = self.client();
        while !self.log().contains(text) {
            // A read that waits for what does not come, rather than a sleep.
            client.read("nothing.v1", 0, 0, 1, Duration::from_millis(50)).expect("the log is there");
            assert!(Instant::now() < deadline && daemon.is_alive(), "nothing of {text}: {}", self.log());
        }
    }

    /// Waits until an audit line contains a text.
    pub(crate) fn wait_for_audit(&self, daemon: &mut Daemon, text: &str) {
        let (mut client, mut offset, deadline) = (self.client(), 0, Instant::now() + PATIENCE);
        loop {
            let more = client.read(AUDIT_TOPIC, 0, offset, 500, Duration::from_millis(50)).expect("the log is there");
            offset = more.last().map_or(offset, |record| record.offset + 1);
            let mut lines = more.iter().filter_map(|record| std::str::from_utf8(record.value.as_deref()?).ok());
            if lines.any(|line| line.contains(text)) {
                return;
            }
            assert!(Instant::now() < deadline && daemon.is_alive(), "nothing of {text}: {}", self.log());
        }
    }

    /// What the daemons of this deployment logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).expect("text")
    }

    /// A service's private key.
    pub(crate) fn key(&self, recipient: &str) -> String {
        self.path("services").join(format!("{recipient}.jwk.json")).display().to_string()
    }

    /// What `subscribe` prints to a service, opened.
    pub(crate) fn subscribe(&self, recipient: &str) -> Desk {
        let ran = self.run(&["subscribe", "--recipient", recipient, "--key", &self.key(recipient)]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{recipient}");
        let mut desk = Desk::default();
        for line in ran.out.lines() {
            let mut event: Value = serde_json::from_str(line).expect("a JSON object a line");
            if let Some(entry) = event["tombstone"].as_str() {
                desk.list.remove(entry);
            } else if event["type"] == "uk.priorityd.list_entry.v1" {
                let entry = event["id"].as_str().expect("an id").to_owned();
                desk.list.insert(entry, event["data"].take());
            } else {
                desk.inbox.push(event);
            }
        }
        desk
    }

    /// Every recipient's desk.
    pub(crate) fn desks(&self) -> BTreeMap<PartyId, Desk> {
        let parties = agreement().recipients.into_iter().map(|recipient| recipient.party);
        parties.map(|party| (party.clone(), self.subscribe(party.as_str()))).collect()
    }

    /// A reader of topics, in this process.
    pub(crate) fn client(&self) -> Box<dyn Client> {
        if let Some(settings) = &self.kafka {
            return Box::new(KafkaClient::new(settings.clone()));
        }
        let path = self.path("data/priorityd.sqlite");
        Box::new(EmbeddedClient::open(&path, Arc::new(NoFeeds)).expect("the file opens"))
    }

    /// Everything on a topic.
    pub(crate) fn topic(&self, topic: &str) -> Vec<StoredRecord> {
        let mut records = Vec::new();
        let each = |record| {
            records.push(record);
            Ok::<_, LogError>(())
        };
        TopicReader::new(topic).read(self.client().as_mut(), Duration::ZERO, each).expect("the log is there");
        records
    }

    /// The values on a topic, each JSON.
    pub(crate) fn values(&self, topic: &str) -> Vec<Value> {
        let values = self.topic(topic).into_iter().filter_map(|record| record.value);
        values.map(|value| serde_json::from_slice(&value).expect("JSON")).collect()
    }

    /// Rejections of one feed.
    pub(crate) fn rejections(&self, feed: &str) -> Vec<Value> {
        self.values(&topic_name("rejections", &party(feed)))
    }

    /// The rows of the register as they lie in partition 0 of the log: sealed.
    pub(crate) fn register(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut rows = BTreeMap::new();
        let mut row = |key: &[u8], value: &[u8]| drop(rows.insert(key.to_vec(), value.to_vec()));
        self.client().register(0, &mut row).expect("the log is there");
        rows
    }

    /// The same, opened.
    pub(crate) fn opened_register(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let ring = KeyRing::load(&self.path("keys")).expect("the ring is in order");
        self.register().into_iter().map(|(key, sealed)| (key.clone(), opened_row(&ring, &key, &sealed))).collect()
    }

    /// The counters by feed as the register has them.
    pub(crate) fn counters(&self) -> BTreeMap<PartyId, OutcomeCounts> {
        let rows = self.opened_register().into_iter().filter(|(key, _)| key[0] == RowKind::Counters as u8);
        let counters = rows.map(|(key, value)| {
            let feed = std::str::from_utf8(&key[2..]).expect("a name");
            (party(feed), postcard::from_bytes(&value).expect("counters"))
        });
        counters.collect()
    }

    /// All counters together; each must sum.
    pub(crate) fn outcomes(&self) -> OutcomeCounts {
        let mut sum = OutcomeCounts::default();
        for counts in self.counters().values() {
            assert_eq!(counts.read, counts.accepted + counts.rejected + counts.duplicate + counts.superseded);
            sum.read += counts.read;
            sum.accepted += counts.accepted;
            sum.rejected += counts.rejected;
            sum.duplicate += counts.duplicate;
            sum.superseded += counts.superseded;
        }
        sum
    }
}

/// A row of the register as it lies in the log, opened.
pub(crate) fn opened_row(ring: &KeyRing, key: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (epoch, bytes) = sealed.split_first_chunk::<4>().expect("an epoch");
    let sealed = Sealed { epoch: u32::from_be_bytes(*epoch), bytes: bytes.into() };
    let register = ring.register_of(sealed.epoch).expect("the ring has its key");
    register.open("register", &[key], &sealed).expect("sealed for this row").to_vec()
}

fn settles_a_record(record: &StoredRecord) -> bool {
    let line: Value =
        record.value.as_deref().and_then(|value| serde_json::from_slice(value).ok()).expect("an audit line");
    // Our own commands look too, which nobody waits for.
    let is_theirs = line["body"]["decided_by"] != "QA1";
    matches!(line["kind"].as_str(), Some("collection" | "alteration" | "rejection"))
        || line["kind"] == "consultation" && is_theirs
        || line["body"]["authority"].is_string()
}

/// A running daemon; killed when it goes out of scope.
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends by itself, but not longer than that.
    pub(crate) fn end_within(mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        while self.is_alive() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::yield_now();
        }
        self.child.wait().expect("it ended")
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the daemon was gone already");
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the daemon was gone already");
        self.child.wait().expect("it ends")
    }

    /// SIGHUP: look at the files again.
    pub(crate) fn hangup(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the daemon was gone already");
    }

    /// SIGKILL.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A reader of topics reads no feed.
struct NoFeeds;

impl AtRest for NoFeeds {
    fn seal(&self, _: &[u8], _: &[u8]) -> Vec<u8> {
        unreachable!("nothing is published from here")
    }

    fn open(&self, _: &[u8], _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        None
    }
}
