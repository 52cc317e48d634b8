//! Messages between us and stock JOSE libraries: the kits of `deploy/clients` on Python's `jwcrypto` and Node's `jose`, and
//! Python's `joserfc`, Java's JDK alone and the `jose` command open what we seal and refuse what was changed, and we open
//! what `jwcrypto` sealed. Without them these tests fail: `.ci/run` and `tests/setup` install them.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use priorityd::disclose::open::{OpenError, open};
use priorityd::disclose::seal::Sealer;
use priorityd::keys::KeyRing;
use priorityd::keys::recipient::RecipientPrivateKey;
use priorityd::keys::signing::SignerKeys;
use priorityd::model::ids::PartyId;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// A ring, the services' private keys beside it, and messages from the one to the other.
struct World {
    dir: tempfile::TempDir,
    ring: KeyRing,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (ring, services) = (dir.path().join("ring"), dir.path().join("services"));
        let scope = "portsmouth".parse().expect("a name");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let ring = KeyRing::create(&ring, &services, &scope, &["up2u", "stop"].map(party), NOW, &mut rng);
        Self { dir, ring: ring.expect("made") }
    }

    /// Seals events to up2u, all under one key agreement.
    fn seal(&self, events: &[String]) -> Vec<String> {
        let (mut sealer, mut rng) = (Sealer::default(), ChaCha20Rng::seed_from_u64(2));
        let up2u = self.ring.recipient(&party("up2u")).expect("a key");
        let mut seal = |event: &String| sealer.seal(event.as_bytes(), up2u, self.ring.signing(), NOW, &mut rng);
        events.iter().map(|event| seal(event).expect("sealed")).collect()
    }

    fn private_key(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("services/{name}.jwk.json"))
    }

    /// What our own opener says, as up2u.
    fn refusal(&self, message: &str) -> Option<OpenError> {
        let key = RecipientPrivateKey::read(&self.private_key("up2u")).expect("a key");
        open(message, &key, self.ring.signers(), &party("up2u"), NOW).err()
    }

    /// What a client of another language makes of messages, with the private key of `name`.
    fn ask(&self, client: Client, name: &str, messages: &[String]) -> Vec<Value> {
        let key: Value = serde_json::from_slice(&fs::read(self.private_key(name)).expect("read")).expect("JSON");
        let signers: Value = serde_json::from_slice(self.ring.signing_jwks()).expect("JSON");
        let now = NOW.to_string();
        let task = json!({"key": key, "signers": signers, "recipient": "up2u", "now": now, "messages": messages});
        client.run(&task)
    }
}

/// A client of stock libraries, one per language and library.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Client {
    /// The kit in Python, with jwcrypto.
    Jwcrypto,
    /// Python with joserfc.
    Joserfc,
    /// The kit in Node, with jose.
    Node,
    /// Java with nothing but the JDK.
    Java,
    /// The `jose` command of Debian, in a shell script.
    Shell,
}

impl Client {
    /// Those that also speak Kafka.
    pub(crate) const KITS: [Self; 2] = [Self::Jwcrypto, Self::Node];
    pub(crate) const ALL: [Self; 5] = [Self::Jwcrypto, Self::Joserfc, Self::Node, Self::Java, Self::Shell];

    pub(crate) fn run(self, task: &Value) -> Vec<Value> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let clients = root.join("tests/clients");
        // Beside cargo's own directory for integration tests: target/tests.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").join("tests");
        let mut command = match self {
            Self::Jwcrypto | Self::Joserfc => {
                let mut command = Command::new(target.join("venv/bin/python"));
                command.env("PYTHONPATH", root.join("deploy/clients/python")).env("PYTHONDONTWRITEBYTECODE", "1");
                let script = if matches!(self, Self::Jwcrypto) { "drive.py" } else { "open_joserfc.py" };
                command.arg(clients.join(script));
                command
            }
            Self::Node => {
                let mut command = Command::new(target.join("venv/bin/node"));
                command.args(["--preserve-symlinks", "--preserve-symlinks-main"]);
                command.arg(target.join("node/drive.mjs"));
                command
            }
            Self::Java => {
                let mut command = Command::new("java");
                command.arg(root.join("deploy/clients/java/Open.java"));
                command
            }
            Self::Shell => return Self::one_by_one(&clients.join("open.sh"), task),
        };
        let output = self.fed(&mut command, &task.to_string());
        assert!(output.status.success(), "{self:?} failed, see above; was tests/setup run?");
        let mut results: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a JSON array");
        for opened in results.iter_mut().filter_map(|result| result.get_mut("opened")) {
            // The kits give the event itself, the others its text.
            if let Some(text) = opened.as_str() {
                *opened = serde_json::from_str(text).expect("a CloudEvent");
            }
        }
        results
    }

    /// The script opens one message, with keys from files.
    fn one_by_one(script: &Path, task: &Value) -> Vec<Value> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (key, signers) = (dir.path().join("key.jwk.json"), dir.path().join("signing.jwks.json"));
        fs::write(&key, task["key"].to_string()).expect("written");
        fs::write(&signers, task["signers"].to_string()).expect("written");
        let messages = task["messages"].as_array().expect("messages").iter();
        let open = |message: &Value| {
            let mut command = Command::new(script);
            command.arg(&key).arg(&signers);
            command.args([&task["recipient"], &task["now"]].map(|word| word.as_str().expect("a string")));
            let output = Self::Shell.fed(&mut command, message.as_str().expect("a string"));
            match output.status.code() {
                Some(0) => json!({"opened": serde_json::from_slice::<Value>(&output.stdout).expect("a CloudEvent")}),
                Some(1) => json!({"refused": "exit code 1"}),
                other => panic!("the script ended with {other:?}: is `jose` installed?"),
            }
        };
        messages.map(open).collect()
    }

    fn fed(self, command: &mut Command, input: &str) -> Output {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{self:?} cannot be started ({error}): run tests/setup"));
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads its task");
        child.wait_with_output().expect("it ends")
    }
}

fn party(name: &str) -> PartyId {
    name.parse().expect("a name")
}

fn event(recipient: &str, expires: &str, data: &str) -> String {
    json!({"specversion": "1.0", "id": "1", "source": "urn:priorityd", "type": "uk.priorityd.alert.v1",
        "recipient": recipient, "expirytime": expires, "data": data})
    .to_string()
}

fn events() -> Vec<String> {
    let data = ["repeat_victim".into(), "Zoë, \u{1F3E0}".into(), String::new(), "long ".repeat(20_000)];
    data.iter().map(|data| event("up2u", "2028-01-01T00:00:00Z", data)).collect()
}

/// The message with one of its five parts changed.
fn with_part(message: &str, part: usize, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut parts: Vec<String> = message.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).expect("base64url");
    change(&mut bytes);
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}

fn with_header(message: &str, member: &str, value: &str) -> String {
    with_part(message, 0, |bytes| {
        let mut header: Value = serde_json::from_slice(bytes).expect("JSON");
        header[member] = value.into();
        *bytes = header.to_string().into_bytes();
    })
}

#[test]
fn stock_libraries_open_what_we_seal() {
    let (world, events) = (World::new(), events());
    let messages = world.seal(&events);
    let parsed = |event: &String| -> Value { serde_json::from_str(event).expect("JSON") };
    let expected: Vec<Value> = events.iter().map(|event| json!({"opened": parsed(event)})).collect();
    for client in Client::ALL {
        assert!(world.ask(client, "up2u", &messages) == expected, "{client:?} opened something else");
    }
}

#[test]
fn everybody_refuses_what_was_changed() {
    let world = World::new();
    let message = world.seal(&events()[..1]).remove(0);
    let flip = |part, at| with_part(&message, part, |bytes| bytes[at] ^= 1);
    let changed = [
        (with_header(&message, "cty", "JOSF"), OpenError::NotSigned),
        (with_header(&message, "kid", "up2u#another"), OpenError::WrongKey),
        (with_header(&message, "alg", "ECDH-ES"), OpenError::KeyAlgorithmRefused),
        (with_header(&message, "alg", "ECDH-ES+A128KW"), OpenError::KeyAlgorithmRefused),
        (with_header(&message, "alg", "RSA-OAEP-256"), OpenError::KeyAlgorithmRefused),
        (with_header(&message, "alg", "dir"), OpenError::KeyAlgorithmRefused),
        (with_header(&message, "alg", "none"), OpenError::KeyAlgorithmRefused),
        (with_header(&message, "enc", "A128GCM"), OpenError::ContentEncryptionRefused),
        (with_header(&message, "enc", "A256CBC-HS512"), OpenError::ContentEncryptionRefused),
        (with_header(&message, "zip", "DEF"), OpenError::Compressed),
        (flip(1, 0), OpenError::ContentKeyRefused),
        (flip(2, 11), OpenError::Tampered),
        (flip(3, 40), OpenError::Tampered),
        (flip(4, 15), OpenError::Tampered),
    ];
    for (message, expected) in &changed {
        assert_eq!(world.refusal(message), Some(*expected));
    }
    let messages: Vec<String> = changed.into_iter().map(|(message, _)| message).collect();
    for client in Client::ALL {
        for (position, result) in world.ask(client, "up2u", &messages).iter().enumerate() {
            assert!(result["refused"].is_string(), "{client:?} opened changed message {position}");
        }
    }
}

#[test]
fn stock_libraries_refuse_with_another_key() {
    let world = World::new();
    let messages = world.seal(&events()[..1]);
    for client in Client::ALL {
        assert!(world.ask(client, "stop", &messages)[0]["refused"].is_string(), "{client:?}");
    }
}

#[test]
fn we_open_what_a_stock_library_sealed() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/jose.json")).expect("JSON");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("up2u.jwk.json");
    fs::write(&path, vectors["key"].to_string()).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
    let key = RecipientPrivateKey::read(&path).expect("a key");
    let signers = SignerKeys::parse(Path::new("jose.json"), vectors["signers"].to_string().as_bytes()).expect("keys");
    let now = vectors["now"].as_str().and_then(|now| now.parse().ok()).expect("a time");
    for vector in vectors["messages"].as_array().expect("an array") {
        let message = vector["message"].as_str().expect("a string");
        let opened = open(message, &key, &signers, &party("up2u"), now).expect("opened");
        assert_eq!(opened.event(), vector["event"].as_str().expect("a string").as_bytes());
    }
}

/// What is wrong inside the encryption: expired, or signed for somebody else and passed on by whoever opened it.
#[test]
fn stock_clients_mind_recipient_and_expiry() {
    let world = World::new();
    let good = event("up2u", "2028-01-01T00:00:00Z", "x");
    let messages = world.seal(&[good]);
    let key: Value = serde_json::from_slice(&fs::read(world.private_key("up2u")).expect("read")).expect("JSON");
    let signers: Value = serde_json::from_slice(world.ring.signing_jwks()).expect("JSON");
    for client in Client::ALL {
        for (recipient, now) in [("stop", NOW.to_string()), ("up2u", "2028-01-01T00:00:00Z".to_owned())] {
            let task =
                json!({"key": key, "signers": signers, "recipient": recipient, "now": now, "messages": messages});
            assert!(client.run(&task)[0]["refused"].is_string(), "{client:?} as {recipient} at {now}");
        }
    }
}
