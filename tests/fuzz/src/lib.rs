//! One synthetic deployment, made once per process from a seed, for all fuzz targets, and what they share.
//!
//! `tests/fuzz/run TARGET [SECONDS]` builds and runs one, `tests/fuzz/run all SECONDS` all of them in turn. Inputs that are
//! messages, audit lines or register rows are edits of genuine ones: what no key signed is refused at the door, and what lies
//! behind the door is looked at too.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::civil::{Date, date};
use priorityd::config::agreement::{Agreement, Package};
use priorityd::config::rules::Rules;
use priorityd::keys::KeyRing;
use priorityd::keys::recipient::RecipientPrivateKey;
use priorityd::keys::signing::SignerKeys;
use priorityd::link::LinkageModel;
use priorityd::log::{FeedRecord, Transaction};
use priorityd::model::ids::PartyId;
use priorityd::pipeline::{Engine, Now, Setup};
use priorityd::simulate::City;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

/// The recipient whose messages are opened.
pub const READER: &str = "high_harm_team";

/// The day on which everything happens.
const TODAY: Date = date(2025, 12, 31);

/// The agreement that ships.
pub fn package() -> Package {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/agreement.toml");
    Package::read(&file).expect("the shipped files are there")
}

/// A deployment.
pub struct House {
    /// What its engines work with.
    pub setup: Arc<Setup>,
    /// Its feeds.
    pub feeds: Vec<PartyId>,
    /// The reader's private key.
    pub key: RecipientPrivateKey,
    /// Who signs.
    pub signers: SignerKeys,
    /// What a small city's events made of it: one transaction for each batch, all laid over one another.
    pub register: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What they said, by topic and in order.
    pub outputs: Vec<(String, Vec<u8>)>,
}

/// The deployment of this process.
pub static HOUSE: LazyLock<House> = LazyLock::new(House::new);

/// The moment at which everything happens.
pub fn now() -> Now {
    Now { as_of: TODAY, at: "2026-01-01T00:00:00Z".parse().expect("a time") }
}

/// A record as the log would hand it over.
pub fn record(feed: &PartyId, offset: i64, headers: Vec<(String, Vec<u8>)>, payload: &[u8]) -> FeedRecord {
    let appended_ms = now().at.as_millisecond();
    let payload = Zeroizing::new(payload.to_vec());
    FeedRecord { feed: feed.clone(), partition: 0, partitions: 1, offset, appended_ms, headers, payload }
}

impl House {
    fn new() -> Self {
        let agreement = Agreement::check(&package()).expect("the shipped agreement is in order").signed("fuzz#test");
        let scope = agreement.scopes.first().expect("a scope").clone();
        let parties: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
        let feeds: Vec<_> = agreement.feeds.iter().map(|feed| feed.party.clone()).collect();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (ring, services) = (dir.path().join("keys"), dir.path().join("services"));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let ring =
            KeyRing::create(&ring, &services, &scope, &parties, Timestamp::UNIX_EPOCH, &mut rng).expect("a ring");
        let key = RecipientPrivateKey::read(&services.join(format!("{READER}.jwk.json"))).expect("a private key");
        let signers = SignerKeys::parse(Path::new("signing.jwks.json"), ring.signing_jwks()).expect("public keys");
        let model = Arc::new(LinkageModel::compiled_in());
        let setup = Arc::new(Setup::new(agreement, Rules::default(), Arc::new(ring), model, 1 << 20));
        let mut house = Self { setup, feeds, key, signers, register: BTreeMap::new(), outputs: Vec::new() };
        house.play(&mut rng);
        house
    }

    fn play(&mut self, rng: &mut ChaCha20Rng) {
        let mut engine = Engine::new(Arc::clone(&self.setup), 0);
        let lines = City::new(3, 150, 4).play().feeds;
        let records = (0..).zip(&lines).map(|(offset, (feed, line))| record(feed, offset, Vec::new(), line.as_bytes()));
        let records: Vec<_> = records.collect();
        for batch in records.chunks(40) {
            self.keep(engine.process(batch, now(), rng).0);
        }
        assert!(self.register.len() > 100 && self.outputs.len() > 100, "a city that says something");
    }

    fn keep(&mut self, transaction: Transaction) {
        for row in transaction.register {
            match row.value {
                Some(value) => drop(self.register.insert(row.key, value)),
                None => drop(self.register.remove(&row.key)),
            }
        }
        let said = transaction.outputs.into_iter().filter_map(|output| Some((output.topic, output.value?)));
        self.outputs.extend(said);
    }

    /// What was said on one topic.
    pub fn said<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.outputs.iter().filter(move |(said_on, _)| said_on == topic).map(|(_, value)| value.as_slice())
    }
}

/// Edits bytes as an input says, four of it at a time: where, and how. Says whether it came out otherwise.
pub fn edit(bytes: &mut Vec<u8>, edits: &[u8]) -> bool {
    let before = bytes.clone();
    for edit in edits.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]]));
        if bytes.is_empty() {
            bytes.push(edit[3]);
            continue;
        }
        let at = at % bytes.len();
        match edit[2] % 6 {
            0 => bytes[at] ^= edit[3],
            1 => bytes[at] = edit[3],
            2 => bytes.insert(at, edit[3]),
            3 => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            _ => {
                let end = bytes.len().min(at + usize::from(edit[3]));
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    *bytes != before
}
