//! Starts a real Apache Kafka for the tests and ends it with them. Whatever is missing for that is a failure.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

/// A running broker; tests that overlap share one.
pub(crate) struct Broker {
    process: Mutex<Option<Child>>,
    ports: Ports,
    folder: TempDir,
}

/// A port per way in.
struct Ports {
    clear: u16,
    scram: u16,
    mutual: u16,
    via: u16,
    proxy: u16,
}

/// The password of every SCRAM user.
pub(crate) const PASSWORD: &str = "correct horse";

/// SCRAM users. `daemon` may do everything, `stranger` nothing, the others what the access lists say.
const USERS: [&str; 5] = ["daemon", "stranger", "hub", "police", "idva"];

/// A topic to create.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) settings: &'static [(&'static str, &'static str)],
}

static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());

/// How long a broker may take to start on a busy machine.
const START: Duration = Duration::from_secs(90);

impl Broker {
    /// The broker of this test run, started if none runs.
    pub(crate) fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let broker = Arc::new(Self::start());
            *shared = Arc::downgrade(&broker);
            broker
        })
    }

    /// A broker of one test's own, which may kill it.
    pub(crate) fn own() -> Arc<Self> {
        Arc::new(Self::start())
    }

    /// Kills it where it stands.
    pub(crate) fn kill(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut process) = process.take() {
            drop(process.stdin.take());
            if let Err(error) = process.wait() {
                assert!(std::thread::panicking(), "the broker does not end: {error}");
            }
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = fs::read_to_string(self.file("pid")).expect("it was started");
        let sent = Command::new("kill").args([name, id.trim()]).status().expect("kill runs");
        assert!(sent.success(), "the broker is gone");
    }

    /// Starts it, for the first time or again after [`Broker::kill`], and waits until it answers.
    pub(crate) fn launch(&self) {
        let log_file = self.file("broker.log");
        let log = File::options().create(true).append(true).open(&log_file).expect("opens the log");
        // The broker ends with its parent's end of the pipe, so even a killed test run leaves none behind.
        let broker = java(&["kafka.Kafka"], &self.file("server.properties"));
        let mut shell = Command::new("sh");
        let script = r#""$@" & broker=$!; echo $broker >"$PID_FILE"; cat >/dev/null; kill -9 $broker; wait $broker"#;
        shell.arg("-c").arg(script).arg("sh").env("PID_FILE", self.file("pid"));
        shell.arg(broker.get_program()).args(broker.get_args()).env_remove("COLUMNS");
        shell.stdin(Stdio::piped()).stdout(log.try_clone().expect("shares the log")).stderr(log);
        let process = shell.spawn().expect("a shell starts");
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        self.wait_until_it_answers(&log_file);
    }

    /// Where clients find it.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.clear)
    }

    /// Where clients find it that come with TLS and SCRAM.
    pub(crate) fn scram_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.scram)
    }

    /// Where clients find it that come with a certificate of their own.
    pub(crate) fn mutual_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.mutual)
    }

    /// Where it listens for what a proxy passes on, and where it tells those clients to come: the proxy's port.
    pub(crate) fn via(&self) -> (u16, u16) {
        (self.ports.via, self.ports.proxy)
    }

    /// A file of the broker's folder: `ca.pem`, `other-ca.pem`, `daemon.crt` and `daemon.key`, `password`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates topics and waits until they are known.
    pub(crate) fn create(&self, topics: &[Topic]) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        let admin: AdminClient<DefaultClientContext> = config.create().expect("an admin client");
        let new: Vec<_> = topics
            .iter()
            .map(|topic| {
                let new = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(1));
                topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let created = runtime.block_on(admin.create_topics(&new, &AdminOptions::new())).expect("creates topics");
        assert!(created.iter().all(Result::is_ok), "{created:?}");
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        certify(folder.path());
        let [clear, scram, mutual, via, proxy, controller] = free_ports();
        let settings = include_str!("../kafka/server.properties")
            .replace("@PORT@", &clear.to_string())
            .replace("@SCRAM_PORT@", &scram.to_string())
            .replace("@MUTUAL_PORT@", &mutual.to_string())
            .replace("@VIA_PORT@", &via.to_string())
            .replace("@PROXY_PORT@", &proxy.to_string())
            .replace("@CONTROLLER_PORT@", &controller.to_string())
            .replace("@FOLDER@", &folder.path().to_string_lossy());
        let settings_file = folder.path().join("server.properties");
        fs::write(&settings_file, settings).expect("writes the settings");
        let id = "cHJpb3JpdHlkLXRlc3RzMQ";
        let user = |name: &&str| format!("SCRAM-SHA-512=[name={name},password={PASSWORD}]");
        let mut users: Vec<String> = USERS.iter().map(user).collect();
        users.push(format!("SCRAM-SHA-256=[name=daemon,password={PASSWORD}]"));
        let users: Vec<&str> = users.iter().flat_map(|user| ["--add-scram", user.as_str()]).collect();
        let format = [&["kafka.tools.StorageTool", "format", "--standalone", "-g", "-t", id], &users[..], &["-c"]];
        let formatted = java(&format.concat(), &settings_file).output().expect("java runs: the tests need Java 17");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let broker = Self { process: Mutex::new(None), ports: Ports { clear, scram, mutual, via, proxy }, folder };
        broker.launch();
        broker
    }

    fn wait_until_it_answers(&self, log_file: &Path) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap()).set("reconnect.backoff.max.ms", "250");
        config.set("log_level", "0");
        let probe: BaseConsumer = config.create().expect("a client");
        let deadline = Instant::now() + START;
        while probe.fetch_metadata(None, Duration::from_millis(500)).is_err() {
            let said = || fs::read_to_string(log_file).unwrap_or_default();
            assert!(Instant::now() < deadline, "the broker does not answer: {}", said());
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A Java program of the broker's, with the settings' file as its last argument.
fn java(arguments: &[&str], settings_file: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn").arg("-cp").arg(libraries().join("*"));
    // The tools lay out their help by it, and fail on some values.
    command.args(arguments).arg(settings_file).env_remove("COLUMNS");
    command
}

/// Fetches the broker from Maven Central once per target directory.
fn libraries() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let folder = target.join("tests/kafka");
    fs::create_dir_all(&folder).expect("creates the cache");
    let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/pom.xml");
    let wanted = fs::read_to_string(&pom).expect("reads the pom");
    let lock = File::create(folder.join("lock")).expect("creates the lock");
    lock.lock().expect("other test runs wait");
    let (libraries, complete) = (folder.join("libs"), folder.join("complete"));
    if fs::read_to_string(&complete).is_ok_and(|fetched| fetched == wanted) {
        return libraries;
    }
    if libraries.exists() {
        fs::remove_dir_all(&libraries).expect("removes another version");
    }
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-f"])
        .arg(&pom)
        .arg(format!("-DoutputDirectory={}", libraries.display()))
        .output()
        .expect("mvn runs: the tests fetch their broker with Maven");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stdout));
    fs::write(&complete, wanted).expect("notes what was fetched");
    libraries
}

/// Ports that were free a moment ago, all different.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}

/// Makes two authorities, and certificates of the first for the broker and the daemon.
fn certify(folder: &Path) {
    let openssl = |arguments: &str| {
        let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
        let made = made.expect("openssl runs: the tests make their certificates with it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for authority in ["ca", "other-ca"] {
        openssl(&format!("req -x509 {key} -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"));
    }
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost").expect("writes");
    for name in ["broker", "daemon"] {
        openssl(&format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        let authority = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names";
        openssl(&format!("x509 -req -in {name}.csr {authority} -out {name}.crt"));
    }
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("reads");
    fs::write(folder.join("broker.pem"), [read("broker.key"), read("broker.crt")].concat()).expect("writes");
    fs::write(folder.join("password"), format!("{PASSWORD}\n")).expect("writes");
    fs::write(folder.join("wrong-password"), "battery staple\n").expect("writes");
}
