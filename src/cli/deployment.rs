//! A deployment put together: settings, agreement, keys and model from their files, every problem reported at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use clap::Args;
use getrandom::SysRng;
use jiff::Timestamp;
use rand::Rng;
use rand::rand_core::UnwrapErr;
use zeroize::Zeroizing;

use super::failure::{Failure, Kind};
use super::refuges;
use super::rotation::{KeyWatch, RingInUse, current};
use crate::config::Problem;
use crate::config::agreement::{Agreement, Package};
use crate::config::files::{self, LARGEST_FILE, LARGEST_FREQUENCIES};
use crate::config::settings::{KafkaSettings, LogSettings, Settings};
use crate::keys::KeyRing;
use crate::keys::agreement::{self as signature, NotSigned};
use crate::keys::meta::{KeyState, Purpose};
use crate::keys::vault::VaultKey;
use crate::link::LinkageModel;
use crate::log::embedded::{EmbeddedClient, EmbeddedLog, EmbeddedSettings};
use crate::log::kafka::{ClientCertificate, KafkaClient, KafkaLog, OnRestore, Scram, ScramMechanism, Tls};
use crate::log::{self, AtRest, Client, Log, SealedRegister};
use crate::model::event::day;
use crate::model::frequencies::PublishedFrequencies;
use crate::model::ids::PartyId;
use crate::model::sealed::Sealed;
use crate::model::tokens::Token;
use crate::pipeline::Setup;

/// Where the configuration is.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = "priorityd.toml", global = true)]
    pub config: PathBuf,
}

/// Settings, agreement, keys and model, checked.
pub(super) struct Deployment {
    pub settings: Settings,
    pub agreement: Agreement,
    /// Why the agreement's signature does not count, if it does not: everything is held.
    pub not_signed: Option<NotSigned>,
    pub keys: Arc<KeyRing>,
    /// The same, or the ring that took its place since.
    pub ring: RingInUse,
    pub model: Arc<LinkageModel>,
    /// Addresses that are kept out of everything.
    pub refuges: BTreeSet<Token>,
    /// Tables of frequencies, where only what was pseudonymised at the source is taken.
    pub published: Option<Vec<PublishedFrequencies>>,
}

impl Deployment {
    /// Reads and checks everything.
    pub(super) fn load(config: &Path) -> Result<Self, Failure> {
        let settings = match Settings::load(config) {
            Ok(settings) => settings,
            Err(problems) => return Err(with_problems_beyond(config, &problems)),
        };
        let mut lines = Vec::new();
        let agreement = load_agreement(&settings).map_err(|problems| lines.extend(problems));
        let keys = KeyRing::load(&settings.keys).map_err(|problems| lines.extend(texts(&problems)));
        let model = match &settings.linkage_model {
            None => Ok(LinkageModel::compiled_in()),
            Some(file) => load_model(file).map_err(|problem| lines.push(problem)),
        };
        let refuges = settings.refuge_addresses.as_deref().map(refuges::read).transpose();
        let refuges = refuges.map_err(|problem| lines.push(problem)).ok().flatten().unwrap_or_default();
        let published = settings.tokens_only.as_ref().map(|files| {
            let tables = files.iter().map(|file| load_frequencies(file).map_err(|problem| lines.push(problem)));
            tables.collect::<Vec<_>>().into_iter().flatten().collect::<Vec<_>>()
        });
        let (Ok((agreement, not_signed)), Ok(keys), Ok(model)) = (agreement, keys, model) else {
            return Err(Failure::all(Kind::Configuration, lines));
        };
        if let Some(tables) = &published {
            lines.extend(beyond_tokens_only(&settings, &agreement, &keys, tables));
        }
        if !lines.is_empty() {
            return Err(Failure::all(Kind::Configuration, lines));
        }
        let model = match settings.linkage_population {
            Some(people) => model.with_population(people),
            None => model,
        };
        let without_key: Vec<_> = agreement
            .scopes
            .iter()
            .filter(|scope| published.is_none() && keys.linkage(scope).is_none())
            .map(|scope| {
                let ring = settings.keys.display();
                format!("{ring}: there is no active linkage key for the scope {scope}; make one with `priorityd keys new linkage --scope {scope}`")
            })
            .collect();
        if !without_key.is_empty() {
            return Err(Failure::all(Kind::Configuration, without_key));
        }
        let strangers = principals_of_strangers(config, &settings.log, &agreement);
        if !strangers.is_empty() {
            return Err(Failure::all(Kind::Configuration, strangers));
        }
        let keys = Arc::new(keys);
        let ring = Arc::new(RwLock::new(Arc::clone(&keys)));
        let model = Arc::new(model);
        Ok(Self { settings, agreement, not_signed, keys, ring, model, refuges, published })
    }

    /// Watches the ring for a worker; `asked` has it looked at at once.
    pub(super) fn key_watch(&self, asked: Arc<AtomicBool>) -> KeyWatch {
        KeyWatch::new(self.settings.keys.clone(), Arc::clone(&self.ring), asked)
    }

    /// Recipients of the agreement whose public key the ring does not have: everything for them is held.
    pub(super) fn recipients_without_key(&self) -> Vec<&PartyId> {
        let parties = self.agreement.recipients.iter().map(|recipient| &recipient.party);
        parties.filter(|party| self.keys.recipient(party).is_none()).collect()
    }

    /// Why nothing is disclosed, if nothing is: the agreement is not signed, or not in force today.
    pub(super) fn held(&self) -> Option<String> {
        let today = self.settings.as_of.unwrap_or_else(|| day(Timestamp::now()));
        let why = match (self.agreement.held(today)?, self.not_signed) {
            (_, Some(why)) => format!("{why}; sign it with `priorityd agreement sign`"),
            (_, None) => "it is not in force today; agree on its next version".to_owned(),
        };
        Some(format!("{}: everything is held: {why}", self.settings.agreement.display()))
    }

    /// What the engine needs.
    pub(super) fn setup(&self) -> Setup {
        let (agreement, rules) = (self.agreement.clone(), self.settings.rules.clone());
        let (keys, model) = (Arc::clone(&self.keys), Arc::clone(&self.model));
        let setup = Setup::new(agreement, rules, keys, model, self.settings.record_bytes).with_refuges(&self.refuges);
        match &self.published {
            Some(tables) => setup.tokens_only(tables.iter().cloned()),
            None => setup,
        }
    }

    /// How to reach Kafka, if that is the log.
    pub(super) fn kafka(&self) -> Option<log::kafka::KafkaSettings> {
        match &self.settings.log {
            LogSettings::Embedded { .. } => None,
            LogSettings::Kafka(settings) => Some(kafka(settings)),
        }
    }

    /// The daemon's side of the log.
    pub(super) fn log(&self) -> Result<Box<dyn Log>, Failure> {
        self.watched_log(Arc::new(|_, _| {}))
    }

    /// The same, for who wants to hear how restoring goes on.
    pub(super) fn watched_log(&self, on_restore: OnRestore) -> Result<Box<dyn Log>, Failure> {
        self.log_of(&self.settings.log, on_restore)
    }

    /// The same to read the whole register and commit nothing. On Kafka it is a group of its own, which takes no partition
    /// from a daemon.
    pub(super) fn log_to_read(&self) -> Result<Box<dyn Log>, Failure> {
        let unwatched: OnRestore = Arc::new(|_, _| {});
        match &self.settings.log {
            LogSettings::Kafka(settings) => {
                let group = format!("{}-train", settings.group);
                let reading = LogSettings::Kafka(Box::new(KafkaSettings { group, ..KafkaSettings::clone(settings) }));
                self.log_of(&reading, unwatched)
            }
            embedded @ LogSettings::Embedded { .. } => self.log_of(embedded, unwatched),
        }
    }

    fn log_of(&self, log: &LogSettings, on_restore: OnRestore) -> Result<Box<dyn Log>, Failure> {
        let feeds = self.agreement.feeds.iter().map(|feed| feed.party.clone()).collect();
        match log {
            LogSettings::Embedded { path, feed_hours } => {
                make_folder(path)?;
                let feed_retention = Duration::from_secs(feed_hours * 60 * 60);
                let settings = EmbeddedSettings { feed_retention, ..EmbeddedSettings::default() };
                self.sealing(EmbeddedLog::open_with(path, feeds, self.feeds_at_rest(), settings)?)
            }
            LogSettings::Kafka(settings) => {
                let settings = log::kafka::KafkaSettings { on_restore, ..kafka(settings) };
                self.sealing(KafkaLog::open(settings, feeds)?)
            }
        }
    }

    /// The register that this log keeps is sealed.
    fn sealing(&self, log: impl Log + 'static) -> Result<Box<dyn Log>, Failure> {
        Ok(Box::new(SealedRegister::new(log, self.at_rest(REGISTER))))
    }

    /// The side of agencies: they need the vault key, since the embedded log keeps feeds sealed.
    pub(super) fn publisher(&self) -> Result<Box<dyn Client>, Failure> {
        let client = open_client(&self.settings.log, self.feeds_at_rest())?;
        Ok(Box::new(SealedRegister::new(client, self.at_rest(REGISTER))))
    }

    /// What feed records lie sealed by on the embedded log.
    pub(super) fn feeds_at_rest(&self) -> Arc<dyn AtRest> {
        self.at_rest(FEED)
    }

    fn at_rest(&self, which: KeyAtRest) -> Arc<dyn AtRest> {
        Arc::new(RingAtRest { ring: Arc::clone(&self.ring), which, nonces: Mutex::default() })
    }
}

/// Reads and checks the agreement, and who signed it. One that nobody signed is good enough to take events in.
///
/// # Errors
/// Every mistake in the agreement, its policies and the signers' keys.
pub(super) fn load_agreement(settings: &Settings) -> Result<(Agreement, Option<NotSigned>), Vec<String>> {
    let mut lines = Vec::new();
    let package = Package::read(&settings.agreement).map_err(|problems| lines.extend(texts(&problems))).ok();
    let checked = package.as_ref().map(Agreement::check);
    let agreement = checked.and_then(|checked| checked.map_err(|problems| lines.extend(texts(&problems))).ok());
    let signers = signature::read_signers(&settings.agreement_signers);
    let signers = signers.map_err(|problems| lines.extend(texts(&problems))).ok();
    let (Some(package), Some(agreement), Some(signers)) = (package, agreement, signers) else { return Err(lines) };
    match signature::verify(package.signature.as_deref(), &agreement.manifest, &signers, Timestamp::now()) {
        Ok(signer) => Ok((agreement.signed(signer), None)),
        Err(why) => Ok((agreement, Some(why))),
    }
}

/// What a hub must not have, or lacks, that takes only what was pseudonymised at the source.
fn beyond_tokens_only(
    settings: &Settings,
    agreement: &Agreement,
    keys: &KeyRing,
    tables: &[PublishedFrequencies],
) -> Vec<String> {
    let ring = settings.keys.display();
    let hashing = keys.listing().iter().filter(|key| {
        matches!(key.meta.purpose, Purpose::Linkage | Purpose::Identifier) && key.meta.state != KeyState::Retired
    });
    let hashing = hashing.map(|key| {
        format!(
            "{ring}: there is a key, {}, that hashes identity; intake is tokens-only: leave it to the agencies",
            key.kid
        )
    });
    let without_table = agreement.scopes.iter().filter(|scope| tables.iter().all(|table| table.scope != **scope));
    let without_table = without_table.map(|scope| {
        format!("frequencies: there is none of the scope {scope}; an agency writes it with `priorityd pseudonymise --frequencies`")
    });
    hashing.chain(without_table).collect()
}

fn load_frequencies(file: &Path) -> Result<PublishedFrequencies, String> {
    let text = files::read(file, LARGEST_FREQUENCIES).map_err(|why| format!("{}: {why}", file.display()))?;
    serde_json::from_slice(&text).map_err(|_| {
        format!("{}: it is no table of frequencies; take it as `priorityd pseudonymise` wrote it", file.display())
    })
}

/// The side of services: topics only, so it needs no key of ours.
pub(super) fn subscriber(log: &LogSettings) -> Result<Box<dyn Client>, Failure> {
    open_client(log, Arc::new(NoFeeds))
}

/// Principals of parties that the agreement does not have: a slip of the pen that would leave the real one without.
fn principals_of_strangers(config: &Path, log: &LogSettings, agreement: &Agreement) -> Vec<String> {
    let LogSettings::Kafka(settings) = log else { return Vec::new() };
    let is_known = |party: &&PartyId| {
        agreement.feed(party).is_some() || agreement.recipients.iter().any(|recipient| recipient.party == **party)
    };
    let strangers = settings.principals.keys().filter(|party| !is_known(party));
    let line = |party| {
        format!("{}: kafka.principals.{party}: the agreement has no such party; use its names", config.display())
    };
    strangers.map(line).collect()
}

/// The settings are wrong; what they name is looked at all the same, so that one report names everything.
fn with_problems_beyond(config: &Path, problems: &[Problem]) -> Failure {
    let mut lines: Vec<String> = texts(problems).collect();
    let text = files::read_text(config, LARGEST_FILE).unwrap_or_default();
    // A file that is no TOML is among the problems already, and names nothing.
    let table: toml::Table = text.parse().unwrap_or_default();
    let named = |key: &str| {
        let overlaid = std::env::var(format!("PRIORITYD__{}", key.to_uppercase())).ok();
        let path = overlaid.or_else(|| table.get(key)?.as_str().map(str::to_owned))?;
        Some(config.parent().unwrap_or(Path::new("")).join(path))
    };
    if let Some(Err(problems)) = named("agreement").map(|file| Agreement::load(&file)) {
        lines.extend(texts(&problems));
    }
    if let Some(Err(problems)) = named("keys").map(|ring| KeyRing::load(&ring)) {
        lines.extend(texts(&problems));
    }
    if let Some(Err(problem)) = named("linkage_model").map(|file| load_model(&file)) {
        lines.push(problem);
    }
    Failure::all(Kind::Configuration, lines)
}

fn load_model(file: &Path) -> Result<LinkageModel, String> {
    let text = files::read_text(file, LARGEST_FILE).map_err(|why| format!("{}: {why}", file.display()))?;
    let model = LinkageModel::parse(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let problem = if !model.is_as_trained() {
        "it was changed after it was trained; give it another `version` and leave `weights_sha256` empty"
    } else if !model.is_whole() {
        "it lets two persons be one: `numbers_apart`, `average_linkage` and `twins_apart` must be true here"
    } else {
        return Ok(model);
    };
    Err(format!("{}: {problem}", file.display()))
}

fn open_client(log: &LogSettings, at_rest: Arc<dyn AtRest>) -> Result<Box<dyn Client>, Failure> {
    match log {
        LogSettings::Embedded { path, .. } => {
            make_folder(path)?;
            Ok(Box::new(EmbeddedClient::open(path, at_rest)?))
        }
        LogSettings::Kafka(settings) => Ok(Box::new(KafkaClient::new(kafka(settings)))),
    }
}

fn make_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| {
        let line = format!("{}: the folder cannot be made ({})", folder.display(), error.kind());
        Failure::new(Kind::Configuration, line)
    })
}

/// The checked settings in the log's own terms.
fn kafka(settings: &KafkaSettings) -> log::kafka::KafkaSettings {
    let client = settings.certificate_file.clone().zip(settings.key_file.clone());
    let client = client.map(|(certificate_file, key_file)| ClientCertificate {
        certificate_file,
        key_file,
        key_password_file: None,
    });
    // A password is never sent in the clear, nor anything that it is to protect.
    let is_tls = settings.ca_file.is_some() || client.is_some() || settings.user.is_some();
    let scram = settings.user.clone().zip(settings.password_file.clone());
    log::kafka::KafkaSettings {
        topic_prefix: settings.topic_prefix.clone(),
        tls: is_tls.then(|| Tls { ca_file: settings.ca_file.clone(), client }),
        scram: scram.map(|(username, password_file)| Scram {
            mechanism: if settings.scram_sha_256 { ScramMechanism::Sha256 } else { ScramMechanism::Sha512 },
            username,
            password_file,
        }),
        session_timeout: Duration::from_millis(settings.session_ms),
        transaction_timeout: Duration::from_millis(settings.transaction_ms),
        ..log::kafka::KafkaSettings::new(&settings.bootstrap, &settings.group, &settings.instance)
    }
}

fn texts(problems: &[impl ToString]) -> impl Iterator<Item = String> {
    problems.iter().map(ToString::to_string)
}

/// Which key of the ring seals what the log keeps, and for what.
#[derive(Clone, Copy)]
struct KeyAtRest {
    purpose: &'static str,
    active: fn(&KeyRing) -> &VaultKey,
    of_epoch: fn(&KeyRing, u32) -> Option<&VaultKey>,
}

const FEED: KeyAtRest = KeyAtRest { purpose: "feed", active: KeyRing::vault, of_epoch: KeyRing::vault_of };
const REGISTER: KeyAtRest =
    KeyAtRest { purpose: "register", active: KeyRing::register, of_epoch: KeyRing::register_of };

/// A key of the ring as the log's protection at rest: `epoch (4 bytes) || nonce || ciphertext || tag`.
struct RingAtRest {
    ring: RingInUse,
    which: KeyAtRest,
    /// From the operating system, some at a time: to ask it for each row's would take as long as to seal the row. Never many,
    /// so that two copies of one machine's memory soon have others.
    nonces: Mutex<Vec<[u8; 12]>>,
}

/// Nonces asked for at once.
const NONCES: usize = 256;

impl AtRest for RingAtRest {
    fn seal(&self, context: &[u8], clear: &[u8]) -> Vec<u8> {
        let nonce = {
            // Each is taken out before it is used, whatever panics.
            let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
            if nonces.is_empty() {
                nonces.resize(NONCES, [0; 12]);
                UnwrapErr(SysRng).fill_bytes(nonces.as_flattened_mut());
            }
            nonces.pop().expect("some were just drawn")
        };
        let ring = current(&self.ring);
        let sealed = (self.which.active)(&ring).seal(self.which.purpose, &[context], nonce, clear);
        [sealed.epoch.to_be_bytes().as_slice(), &sealed.bytes].concat()
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (epoch, bytes) = sealed.split_first_chunk::<4>()?;
        let epoch = u32::from_be_bytes(*epoch);
        let sealed = Sealed { epoch, bytes: bytes.into() };
        let ring = current(&self.ring);
        (self.which.of_epoch)(&ring, epoch)?.open(self.which.purpose, &[context], &sealed)
    }
}

/// A subscriber reads no feed and writes none.
struct NoFeeds;

impl AtRest for NoFeeds {
    fn seal(&self, _: &[u8], _: &[u8]) -> Vec<u8> {
        unreachable!("a subscriber publishes nothing")
    }

    fn open(&self, _: &[u8], _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        None
    }
}
