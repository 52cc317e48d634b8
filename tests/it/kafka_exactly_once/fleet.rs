//! Instances of the daemon as processes, each on a machine of its own: an empty directory with the configuration, the
//! agreement and the keys, which is thrown away with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use priorityd::config::agreement::{Agreement, signature_file};
use priorityd::keys::agreement::{read_signer, sign};
use priorityd::keys::{KeyRing, NewKeys};
use priorityd::model::ids::ScopeId;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;

use crate::support::hub::amended;

const CONFIG: &str = include_str!("../../../deploy/priorityd.toml");

/// Where every instance gets its files from, and the instances that run.
pub(super) struct Fleet {
    home: TempDir,
    pub(super) agreement: Agreement,
    pub(super) running: BTreeMap<String, Instance>,
    /// How often an instance left by itself, by exit code.
    pub(super) left: BTreeMap<i32, u32>,
    /// A name is never given twice to the log files of two lives.
    lives: u32,
}

/// What every machine gets.
const PARTS: [&str; 6] = ["agreement.toml", "agreement.toml.jws", "keys", "policies", "priorityd.toml", "signers"];

/// One process on one machine.
pub(super) struct Instance {
    machine: TempDir,
    process: Child,
}

impl Fleet {
    /// Keys come from the seed, so that a seed gives the same lists.
    pub(super) fn new(seed: u64, scopes: &[ScopeId], bootstrap: &str, limits_ms: (u64, u64)) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let names: Vec<_> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
        let package = amended(r#"scopes = ["portsmouth"]"#, &format!("scopes = [{}]", names.join(", ")));
        let file = home.path().join("agreement.toml");
        fs::write(&file, &package.agreement).expect("written");
        fs::create_dir(home.path().join("policies")).expect("made");
        for (name, text) in &package.policies {
            fs::write(home.path().join(name), text).expect("written");
        }
        let agreement = Agreement::load(&file).expect("the agreement is in order");
        let parties: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
        let (keys, services) = (home.path().join("keys"), home.path().join("services"));
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let created = Timestamp::UNIX_EPOCH;
        KeyRing::create(&keys, &services, &scopes[0], &parties, created, &mut rng).expect("a ring");
        let signer = "ig_lead".parse().expect("a name");
        let signers = home.path().join("signers");
        let made = NewKeys::new(&keys, created, None, &mut rng).agreement(&signer, &signers).expect("a pair");
        let signer = read_signer(&made[0]).expect("the private half");
        fs::write(signature_file(&file), sign(&signer, &agreement.manifest)).expect("written");
        let agreement = agreement.signed(signer.kid());
        for scope in &scopes[1..] {
            NewKeys::new(&keys, created, None, &mut rng).source_missing(scope).expect("keys");
        }
        let (session_ms, transaction_ms) = limits_ms;
        let kafka = format!(
            "[kafka]\nbootstrap = \"{bootstrap}\"\nsession_ms = {session_ms}\ntransaction_ms = {transaction_ms}\n"
        );
        let config: Vec<&str> = CONFIG.lines().filter(|line| !line.starts_with("listen")).collect();
        let config = config.join("\n").replace("# as_of", "as_of").replace("log = \"embedded\"", "log = \"kafka\"");
        // Small batches, so that several are in hand whatever goes wrong.
        let small = config.replace("batch_records = 5_000", "batch_records = 20");
        assert_ne!(small, config, "the sample says how large batches are");
        let config = small;
        let config = config.replace("poll_ms = 200", "poll_ms = 50").replace("[rules]", &format!("{kafka}\n[rules]"));
        fs::write(home.path().join("priorityd.toml"), config).expect("written");
        Self { home, agreement, running: BTreeMap::new(), left: BTreeMap::new(), lives: 0 }
    }

    /// A file or folder that instances get a copy of, or the services' private keys.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Makes the topics with our own command.
    pub(super) fn apply_topics(&self, partitions: i32) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_priorityd"));
        command.args(["topics", "apply", "--replicas", "1", "--partitions", &partitions.to_string(), "--config"]);
        let ran = command.arg(self.path("priorityd.toml")).output().expect("it starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Starts an instance on a new machine. One of the same name must be gone.
    pub(super) fn start(&mut self, name: &str) {
        let instance = self.launch(name);
        assert!(self.running.insert(name.to_owned(), instance).is_none(), "{name} runs");
    }

    /// A process that the fleet does not look after.
    pub(super) fn launch(&mut self, name: &str) -> Instance {
        let machine = tempfile::tempdir().expect("a temporary directory");
        for part in PARTS {
            let copied = Command::new("cp").arg("-a").arg(self.path(part)).arg(machine.path()).status();
            assert!(copied.is_ok_and(|status| status.success()), "cp copies");
        }
        fs::create_dir(machine.path().join("tmp")).expect("made");
        self.lives += 1;
        let log = File::create(self.path(&format!("{:04}-{name}.log", self.lives))).expect("created");
        let mut command = Command::new(env!("CARGO_BIN_EXE_priorityd"));
        command.arg("run").current_dir(machine.path()).env("TMPDIR", machine.path().join("tmp"));
        command.env("PRIORITYD__KAFKA__INSTANCE", name).env("HOME", machine.path());
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        Instance { machine, process }
    }

    /// As an orchestrator does: whoever left by itself is started again, elsewhere.
    pub(super) fn tend(&mut self) {
        let ended: Vec<_> =
            (self.running.iter_mut()).filter_map(|(name, instance)| Some((name.clone(), instance.ended()?))).collect();
        for (name, code) in ended {
            *self.left.entry(code).or_default() += 1;
            self.running.remove(&name);
            self.start(&name);
        }
    }

    /// What the instances said last, for a failure's message.
    pub(super) fn words(&self) -> String {
        let mut logs: Vec<_> =
            fs::read_dir(self.home.path()).expect("read").flatten().map(|entry| entry.path()).collect();
        logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.sort();
        let tail = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            format!("{}\n{}\n", path.display(), lines[lines.len().saturating_sub(6)..].join("\n"))
        };
        logs.iter().rev().take(8).rev().map(tail).collect()
    }
}

impl Instance {
    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the instance was gone already");
    }

    /// The exit code, if it has ended; -1 for a signal.
    pub(super) fn ended(&mut self) -> Option<i32> {
        let status = self.process.try_wait().expect("it is ours to wait for")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Ends it where it stands, and its machine with it: on its disk is nothing that it was not given.
    pub(super) fn kill(mut self) {
        self.process.kill().expect("it is killed");
        self.process.wait().expect("it ends");
        self.has_kept_nothing();
    }

    /// SIGTERM; it commits what is taken in.
    pub(super) fn terminate(mut self) -> i32 {
        self.signal("-TERM");
        let code = self.process.wait().expect("it ends").code().unwrap_or(-1);
        self.has_kept_nothing();
        code
    }

    fn has_kept_nothing(&self) {
        let names = |folder: &Path| -> BTreeSet<String> {
            let entries = fs::read_dir(folder).expect("it can be read").flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        let given = PARTS.into_iter().chain(["tmp"]).map(str::to_owned);
        assert_eq!(names(self.machine.path()), given.collect());
        assert!(names(&self.machine.path().join("tmp")).is_empty());
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
