//! The daemon's work on the log in memory, without a daemon: poll, process, commit, restore after a fault. And the
//! services that read with their own keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use priorityd::assess::Assessed;
use priorityd::config::agreement::{Agreement, Package};
use priorityd::config::rules::Rules;
use priorityd::disclose::open::{OpenError, Opener};
use priorityd::disclose::statement::{self, Statement};
use priorityd::keys::meta::{Purpose, Slot};
use priorityd::keys::recipient::RecipientPrivateKey;
use priorityd::keys::rotate::rotate;
use priorityd::keys::signing::SignerKeys;
use priorityd::keys::source::SourceKeys;
use priorityd::keys::{KeyRing, NewKeys};
use priorityd::link::LinkageModel;
use priorityd::log::memory::Faults;
use priorityd::log::{FeedRecord, LogError, Polled, StoredRecord, topic_name};
use priorityd::model::frequencies::PublishedFrequencies;
use priorityd::model::ids::{ClusterId, EventId, PartyId, RecordId, ScopeId};
use priorityd::model::outcome::OutcomeCounts;
use priorityd::pipeline::source::Source;
use priorityd::pipeline::{AUDIT_TOPIC, Engine, Now, Person, REVIEW_TOPIC, ReadBatch, Setup};
use priorityd::pseudonymise::Pseudonymiser;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use zeroize::Zeroizing;

use super::events::{Sent, true_name};
use super::seam::{Daemon, Store};

/// The agreement that ships, with its policies.
pub(crate) static AGREEMENT: LazyLock<Package> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/agreement.toml");
    Package::read(&file).expect("the shipped files are there")
});

/// The agreement that ships with one text in place of another, in the TOML file or in a policy.
pub(crate) fn amended(from: &str, to: &str) -> Package {
    amended_all(&[(from, to)])
}

/// As `amended`, several times.
pub(crate) fn amended_all(changes: &[(&str, &str)]) -> Package {
    let mut package = AGREEMENT.clone();
    for (from, to) in changes {
        let policies = package.policies.iter_mut().map(|(_, text)| text);
        let mut texts = std::iter::once(&mut package.agreement).chain(policies);
        let text = texts.find(|text| text.contains(from)).unwrap_or_else(|| panic!("no file has {from}"));
        *text = text.replacen(from, to, 1);
    }
    package
}

/// The day on which everything is assessed unless a test moves it.
pub(crate) const TODAY: Date = date(2025, 12, 31);

/// The moment at which everything is sent unless a test moves it.
static STARTED: LazyLock<Timestamp> = LazyLock::new(|| "2026-01-01T00:00:00Z".parse().expect("a time"));

/// One agreement, its keys, and the services' private ones. Everybody's keys come from one seed: offices differ in their
/// agreement only.
pub(crate) struct Office {
    pub(crate) agreement: Agreement,
    /// As it was read, where it was.
    pub(crate) package: Package,
    setup: Arc<Setup>,
    scope: ScopeId,
    pseudonymiser: Pseudonymiser,
    private: BTreeMap<PartyId, Arc<RecipientPrivateKey>>,
    signers: SignerKeys,
}

static SHIPPED: LazyLock<Office> = LazyLock::new(|| Office::with(&AGREEMENT));

impl Office {
    /// With the agreement that ships.
    pub(crate) fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// With another one, signed.
    pub(crate) fn with(package: &Package) -> Self {
        let agreement = Agreement::check(package).expect("the agreement is in order");
        Self { package: package.clone(), ..Self::under(agreement.signed("ig_lead#test")) }
    }

    /// With another one, checked.
    pub(crate) fn under(agreement: Agreement) -> Self {
        Self::build(agreement, Ring::Whole).0
    }

    /// With the agreement that ships, after keys of these purposes were rotated; of recipients, the High Harm team's.
    pub(crate) fn rotated(purposes: &'static [Purpose]) -> Self {
        Self::with_rotated(&AGREEMENT, purposes)
    }

    /// The same with another agreement.
    pub(crate) fn with_rotated(package: &Package, purposes: &'static [Purpose]) -> Self {
        let agreement = Agreement::check(package).expect("the agreement is in order");
        Self::build(agreement.signed("ig_lead#test"), Ring::Rotated(purposes)).0
    }

    /// The shipped one, with places that are kept out of everything.
    pub(crate) fn hiding(places: &[&str]) -> Self {
        let mut office = Self::with(&AGREEMENT);
        let refuges = places.iter().map(|place| office.pseudonymiser.refuge(place).expect("a place")).collect();
        office.setup = Arc::new(Arc::into_inner(office.setup).expect("nobody else has it").with_refuges(&refuges));
        office
    }

    /// The token of a place.
    pub(crate) fn place(&self, place: &str) -> [u8; 8] {
        self.pseudonymiser.refuge(place).expect("a place").0.to_be_bytes()
    }

    /// The same agreement with the keys of another office: rings differ in their recipients.
    pub(crate) fn with_keys_of(mut self, other: &Self) -> Self {
        self.setup = Arc::new(other.setup.under(self.agreement.clone()));
        self.private = other.private.clone();
        self
    }

    /// The same keys and agreement, but every agency hashes at the source and the hub has no key that could.
    pub(crate) fn at_source() -> (Self, BTreeMap<PartyId, Source>) {
        let agreement = Agreement::check(&AGREEMENT).expect("the shipped agreement is in order");
        Self::build(agreement.signed("ig_lead#test"), Ring::WithoutHashing)
    }

    fn build(agreement: Agreement, kind: Ring) -> (Self, BTreeMap<PartyId, Source>) {
        let scope = agreement.scopes.first().expect("a scope").clone();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (ring, services) = (dir.path().join("keys"), dir.path().join("services"));
        let parties: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let whole =
            KeyRing::create(&ring, &services, &scope, &parties, Timestamp::UNIX_EPOCH, &mut rng).expect("a ring");
        let pseudonymiser = Pseudonymiser::new(whole.linkage(&scope).expect("a linkage key"));
        let mut sources = BTreeMap::new();
        if let Ring::Rotated(purposes) = kind {
            for purpose in purposes {
                let of = |has: bool, name: &str| has.then(|| name.to_owned());
                let slot = Slot {
                    purpose: *purpose,
                    scope: of(purpose.has_scope(), scope.as_str()).map(|name| name.parse().expect("a name")),
                    party: of(purpose.has_party(), "high_harm_team").map(|name| name.parse().expect("a name")),
                };
                let keys = NewKeys::new(&ring, Timestamp::UNIX_EPOCH, None, &mut rng);
                rotate(keys, &slot, Some(&services), None).expect("rotated");
            }
        }
        if matches!(kind, Ring::WithoutHashing) {
            for feed in agreement.feeds.iter().map(|feed| &feed.party) {
                let agency = dir.path().join(feed.as_str());
                let slot = Slot::for_party(Purpose::Intake, feed);
                NewKeys::new(&ring, Timestamp::UNIX_EPOCH, None, &mut rng).make(&slot, Some(&agency)).expect("a key");
                for file in HASHING {
                    std::fs::copy(ring.join(file), agency.join(file)).expect("copied");
                }
                let keys = SourceKeys::load(&agency, &scope, feed).expect("an agency's keys");
                let source = Source::new(&agreement, feed, &scope, keys, 1 << 20).expect("a feed");
                sources.insert(feed.clone(), source);
            }
            HASHING.iter().for_each(|file| std::fs::remove_file(ring.join(file)).expect("removed"));
        }
        let ring = Arc::new(KeyRing::load(&ring).expect("a ring"));
        let private = |party: PartyId| {
            let latest = services.join(format!("{party}.2.jwk.json"));
            let path = if latest.exists() { latest } else { services.join(format!("{party}.jwk.json")) };
            let key = RecipientPrivateKey::read(&path);
            (party, Arc::new(key.expect("a private key")))
        };
        let signers = SignerKeys::parse(Path::new("signing.jwks.json"), ring.signing_jwks()).expect("keys");
        let private = parties.into_iter().map(private).collect();
        let model = Arc::new(LinkageModel::compiled_in());
        let mut setup = Setup::new(agreement.clone(), Rules::default(), ring, model, 1 << 20);
        if let Some(source) = sources.values().next() {
            setup = setup.tokens_only([through_a_file(&source.frequencies())]);
        }
        (
            Self {
                agreement,
                package: AGREEMENT.clone(),
                setup: Arc::new(setup),
                scope,
                pseudonymiser,
                private,
                signers,
            },
            sources,
        )
    }

    /// The register's name of an event.
    pub(crate) fn event_id(&self, feed: &str, id: &str) -> EventId {
        self.pseudonymiser.event_id(&format!("urn:priorityd:{feed}"), id)
    }

    fn feeds(&self) -> Vec<PartyId> {
        self.agreement.feeds.iter().map(|feed| feed.party.clone()).collect()
    }
}

/// What an office's ring is like.
#[derive(Clone, Copy)]
enum Ring {
    /// As made.
    Whole,
    /// Without the keys that hash: the agencies have them.
    WithoutHashing,
    /// With successors of these purposes' keys.
    Rotated(&'static [Purpose]),
}

/// Files of the keys that hash.
const HASHING: [&str; 2] = ["linkage.portsmouth.1.jwk.json", "identifier.portsmouth.1.jwk.json"];

/// As the hub gets it from an agency.
fn through_a_file(table: &PublishedFrequencies) -> PublishedFrequencies {
    let text = serde_json::to_vec(table).expect("written");
    serde_json::from_slice(&text).expect("read back")
}

/// A record's key, and the event in it if it is no tombstone.
pub(crate) type Message = (String, Option<Value>);

/// What one service has read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Desk {
    /// Alerts and corrections as they came: whole events.
    pub(crate) inbox: Vec<Value>,
    /// The list as it stands: data by entry.
    pub(crate) list: BTreeMap<String, Value>,
}

impl Desk {
    /// Alerts that no correction took back, by id.
    pub(crate) fn live(&self) -> BTreeMap<String, Value> {
        let mut live = BTreeMap::new();
        for event in &self.inbox {
            let data = &event["data"];
            match event["type"].as_str() {
                Some("uk.priorityd.alert.v1") => {
                    let id = data["alert_id"].as_str().expect("an alert has an id").to_owned();
                    assert!(live.insert(id, data.clone()).is_none(), "an alert came twice");
                }
                Some("uk.priorityd.correction.v1") => {
                    let corrects = data["corrects"].as_str().expect("a correction names an alert");
                    assert!(live.remove(corrects).is_some(), "a correction of something never said");
                }
                other => panic!("{other:?} has no business among the alerts"),
            }
        }
        live
    }

    /// Kinds of the live alerts, sorted.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<_> = self.live().values().map(|data| text(&data["kind"]).to_owned()).collect();
        kinds.sort();
        kinds
    }

    /// Reasons of the corrections, in order.
    pub(crate) fn corrections(&self) -> Vec<&str> {
        let corrections = self.inbox.iter().filter(|event| event["type"] == "uk.priorityd.correction.v1");
        corrections.map(|event| text(&event["data"]["reason"])).collect()
    }

    /// Everything it was ever told, as one text.
    pub(crate) fn everything(&self) -> String {
        let list: Vec<_> = self.list.values().map(Value::to_string).collect();
        let inbox: Vec<_> = self.inbox.iter().map(Value::to_string).collect();
        inbox.concat() + &list.concat()
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// One deployment in memory.
pub(crate) struct Hub<'a> {
    office: &'a Office,
    store: Store,
    log: Daemon,
    engine: Option<Engine>,
    /// Polled and read, and taken in by the next turn.
    ahead: Option<(Vec<FeedRecord>, ReadBatch)>,
    now: Now,
    batch: usize,
    rng: ChaCha20Rng,
    pub(crate) held: BTreeMap<&'static str, u64>,
    published: u64,
    /// In so many turns of a hundred a minute is over.
    beats: u32,
    /// Of each recipient, what its heartbeats said, each with how many records its list had then.
    heartbeats: BTreeMap<PartyId, Vec<(usize, Value)>>,
    /// The lists as somebody has them who never stopped reading, also of what was swept since.
    followed: BTreeMap<PartyId, Vec<StoredRecord>>,
}

impl<'a> Hub<'a> {
    /// A hub where nothing goes wrong.
    pub(crate) fn new(office: &'a Office) -> Self {
        Self::on(office, Faults::default(), 500)
    }

    /// A hub in a storm, with so many records in one transaction at most.
    pub(crate) fn on(office: &'a Office, faults: Faults, batch: usize) -> Self {
        Self::at(office, Store::memory(faults), batch)
    }

    /// A hub on whatever store, with so many records in one transaction at most.
    pub(crate) fn at(office: &'a Office, store: Store, batch: usize) -> Self {
        let now = Now { as_of: TODAY, at: *STARTED };
        store.set_clock(now.at.as_millisecond());
        let log = store.log(office.feeds());
        let (engine, ahead, rng, held) = (None, None, ChaCha20Rng::seed_from_u64(7), BTreeMap::new());
        let (heartbeats, followed) = (BTreeMap::new(), BTreeMap::new());
        Self { office, store, log, engine, ahead, now, batch, rng, held, published: 0, beats: 0, heartbeats, followed }
    }

    /// In so many turns of a hundred a minute is over, whatever else there is to do.
    pub(crate) fn beating(self, beats: u32) -> Self {
        Self { beats, ..self }
    }

    /// Plays lines in one batch, as of the usual day.
    pub(crate) fn played(office: &'a Office, events: &[Sent]) -> Self {
        let mut hub = Self::new(office);
        hub.send(events);
        hub
    }

    /// Another day comes.
    pub(crate) fn wake_on(&mut self, as_of: Date) {
        self.set_day(as_of);
        self.work();
    }

    /// The clock shows another day; nothing is done about it before the next turn.
    pub(crate) fn set_day(&mut self, as_of: Date) {
        let at = as_of.to_zoned(TimeZone::UTC).expect("a day of our time").timestamp();
        self.now = Now { as_of, at };
        // The machine's clock, too; but nothing was sent before all began.
        self.store.set_clock(at.max(*STARTED).as_millisecond());
    }

    /// The daemon goes away, and one with another agreement takes its place.
    pub(crate) fn under(mut self, office: &'a Office) -> Self {
        self.office = office;
        self.restart();
        self.work();
        self
    }

    /// Other keys come into use while it works; nothing is done about it before the next turn.
    pub(crate) fn follow(&mut self, office: &'a Office) {
        self.office = office;
        self.engine.as_mut().expect("it has worked").adopt(Arc::clone(&office.setup));
    }

    /// Is somebody still to be looked at as of the day?
    pub(crate) fn is_due(&self) -> bool {
        self.engine().is_due(self.now)
    }

    /// One turn of the daemon; says whether there was anything to do.
    pub(crate) fn step(&mut self) -> bool {
        self.turn().expect("nothing goes wrong")
    }

    /// The daemon goes away, and another takes its place.
    pub(crate) fn restart(&mut self) {
        self.log.end();
        self.log = self.store.log(self.office.feeds());
        (self.engine, self.ahead) = (None, None);
    }

    /// Another agreement or other keys come, to the daemon that runs or to one that takes its place.
    pub(crate) fn change(&mut self, office: &'a Office, at_restart: bool) {
        if at_restart || self.engine.is_none() {
            self.office = office;
            self.restart();
        } else {
            self.follow(office);
        }
    }

    /// Another agreement comes while the daemon runs.
    pub(crate) fn adopt(&mut self, office: &'a Office) {
        self.follow(office);
        self.work();
    }

    pub(crate) fn publish(&mut self, events: &[Sent]) {
        let mut client = self.store.client();
        self.published += events.len() as u64;
        for (feed, line) in events {
            let line = vec![Zeroizing::new(line.as_bytes().to_vec())];
            client.publish(feed, &self.office.scope, line).expect("memory takes it");
        }
    }

    /// Publishes and works.
    pub(crate) fn send(&mut self, events: &[Sent]) {
        self.publish(events);
        self.work();
    }

    /// Works until everything that was published is committed, through whatever goes wrong.
    pub(crate) fn work(&mut self) {
        self.work_for(usize::MAX);
    }

    /// Works for so many turns, or until there is nothing to do.
    pub(crate) fn work_for(&mut self, turns: usize) {
        for turn in 0..turns {
            if turn == 3_000 {
                self.store.calm();
            }
            match self.turn() {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) if self.log.crashed() => self.restart(),
                Err(LogError::Aborted(_)) => self.restore(),
                Err(error) => panic!("{error}"),
            }
        }
        self.follow_lists();
    }

    fn turn(&mut self) -> Result<bool, LogError> {
        let records = match self.log.poll(self.batch)? {
            Polled::Gained(_) => {
                self.restore();
                return Ok(true);
            }
            Polled::Lost(_) => panic!("memory never takes a partition away"),
            Polled::Records(records) => records,
        };
        if self.beats > 0 && self.rng.random_range(0..100) < self.beats {
            self.beat_now()?;
        }
        let engine = self.engine.as_mut().expect("restored when the partition was gained");
        // As the daemon does where there is a backlog: it is taken in a turn later, whatever has changed by then.
        let fresh = (!records.is_empty()).then(|| {
            let read = engine.reader().read(&records, &mut self.rng);
            (records, read)
        });
        let is_due = engine.is_due(self.now);
        if let Some((transaction, report)) = engine.advance(self.now, &mut self.rng) {
            self.log.commit(transaction)?;
            hold(&mut self.held, report.held);
        }
        let has_more = engine.is_due(self.now);
        if is_due && !has_more && engine.awaits_redaction() {
            let lines = self.store.client().read(AUDIT_TOPIC, 0, 0, usize::MAX, Duration::ZERO)?;
            let lines = lines.into_iter().filter_map(|line| engine.redact(line).expect("as written"));
            let lines = lines.collect();
            self.log.commit(engine.redacted(lines, true, self.now, &mut self.rng))?;
        }
        let rekeyed = match engine.rekey(self.now, &mut self.rng) {
            Some((transaction, _)) => {
                self.log.commit(transaction)?;
                true
            }
            None => false,
        };
        let Some((records, read)) = std::mem::replace(&mut self.ahead, fresh) else {
            return Ok(rekeyed || has_more || self.ahead.is_some());
        };
        let (transaction, report) = engine.take(&records, read, self.now, &mut self.rng);
        self.log.commit(transaction)?;
        hold(&mut self.held, report.held);
        Ok(true)
    }

    fn restore(&mut self) {
        let mut engine = Engine::new(Arc::clone(&self.office.setup), 0);
        let mut row = |key: &[u8], value: &[u8]| engine.restore_row(key, value).expect("a row of its own");
        self.log.restore(&mut row).expect("memory restores");
        engine.finish_restore().expect("rows of its own");
        (self.engine, self.ahead) = (Some(engine), None);
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it has worked")
    }

    /// Counters of all feeds together.
    pub(crate) fn outcomes(&self) -> OutcomeCounts {
        let mut sum = OutcomeCounts::default();
        for counts in self.engine().counters().values() {
            assert_eq!(counts.read, counts.accepted + counts.rejected + counts.duplicate + counts.superseded);
            sum.read += counts.read;
            sum.accepted += counts.accepted;
            sum.rejected += counts.rejected;
            sum.duplicate += counts.duplicate;
            sum.superseded += counts.superseded;
        }
        sum
    }

    /// Everybody, as of the hub's day.
    pub(crate) fn people(&self) -> Vec<Assessed> {
        self.people_on(self.now.as_of)
    }

    /// Everybody, as of any day.
    pub(crate) fn people_on(&self, as_of: Date) -> Vec<Assessed> {
        self.engine().assess_everybody(as_of).into_values().flatten().collect()
    }

    /// How many records all feeds have, those included that an agency sent again.
    pub(crate) fn fed(&self) -> u64 {
        match &self.store {
            Store::Memory(store) => store.fed(),
            Store::File(_) => self.published,
        }
    }

    /// Everybody who is linked, with their records.
    pub(crate) fn linked(&self) -> Vec<(ClusterId, Vec<RecordId>)> {
        let people = self.people().into_iter().map(|person| person.cluster).collect::<BTreeSet<_>>();
        let held = |person: ClusterId| Some((person, self.held_of(person)?.records.into_iter().collect()));
        people.into_iter().filter_map(held).collect()
    }

    /// What is held about a linked person.
    pub(crate) fn held_of(&self, person: ClusterId) -> Option<Person> {
        self.engine().person(&self.office.scope, person)
    }

    /// Of each recipient, what was ever said: alerts, then the list; ids with the events, tombstones with none.
    pub(crate) fn said(&self) -> BTreeMap<PartyId, [Vec<Message>; 2]> {
        let said = |(party, list): (&PartyId, &Vec<StoredRecord>)| {
            (party.clone(), [self.open(party, "alerts"), self.open_all(party, "list", list.clone())])
        };
        self.followed.iter().map(said).collect()
    }

    /// The linked person of each participant of an event.
    pub(crate) fn participants(&self, feed: &str, id: &str) -> Option<Vec<ClusterId>> {
        let source = format!("urn:priorityd:{feed}");
        let participants = self.engine().participants(&self.office.scope, &source, id)?;
        Some(participants.into_iter().map(|(_, cluster)| cluster).collect())
    }

    /// What is held about a participant of an event.
    pub(crate) fn person(&self, feed: &str, id: &str, at: usize) -> Person {
        let cluster = self.participants(feed, id).expect("in force")[at];
        self.engine().person(&self.office.scope, cluster).expect("a linked person")
    }

    /// A minute passes, and everybody hears that the hub is there.
    pub(crate) fn beat(&mut self, at: Timestamp) {
        self.now.at = at;
        self.store.set_clock(at.as_millisecond());
        self.beat_now().expect("memory takes it");
    }

    fn beat_now(&mut self) -> Result<(), LogError> {
        let engine = self.engine.as_mut().expect("it has worked");
        let transaction = engine.beat(self.now, &mut self.rng).expect("the signing key lives");
        self.log.commit(transaction)?;
        self.follow_lists();
        let mut client = self.store.client();
        for (recipient, list) in &self.followed {
            let read = client.read(&topic_name("status", recipient), 0, 0, usize::MAX, Duration::ZERO);
            let said = signed(read.expect("memory reads").last().expect("a heartbeat"))["data"].take();
            self.heartbeats.entry(recipient.clone()).or_default().push((list.len(), said));
        }
        Ok(())
    }

    /// What each recipient's heartbeats said, each with how many records its list had then.
    pub(crate) fn heartbeats(&self) -> &BTreeMap<PartyId, Vec<(usize, Value)>> {
        &self.heartbeats
    }

    /// The lists as somebody has them who never stopped reading.
    pub(crate) fn followed(&self) -> &BTreeMap<PartyId, Vec<StoredRecord>> {
        &self.followed
    }

    /// Those who follow read what is new. Between two of the clock's steps nothing is swept that they have not seen.
    fn follow_lists(&mut self) {
        let mut client = self.store.client();
        for recipient in self.office.agreement.recipients.iter().map(|recipient| &recipient.party) {
            let list = self.followed.entry(recipient.clone()).or_default();
            let from = list.last().map_or(0, |record| record.offset + 1);
            let more = client.read(&topic_name("list", recipient), 0, from, usize::MAX, Duration::ZERO);
            list.extend(more.expect("memory reads"));
        }
    }

    /// The last heartbeat that a service had: the event that was signed, its signature verified.
    pub(crate) fn heartbeat(&self, recipient: &str) -> Value {
        let topic = topic_name("status", &super::events::party(recipient));
        let record = self.topic(&topic).pop().expect("a heartbeat");
        let value = record.value.as_deref().expect("signed");
        let said = statement::read(Statement::Heartbeat, value, &self.office.signers, Some(self.now.at));
        let said = json(&said.expect("signed by us"));
        assert_eq!(said, signed(&record));
        said
    }

    /// Of each entry on a service's list as it stands, the revision; `after` as many records as that.
    pub(crate) fn revisions(&self, recipient: &str, after: usize) -> Vec<String> {
        let list = self.open(&super::events::party(recipient), "list");
        standing_revisions(list.iter().take(after))
    }

    /// The register, as a daemon that starts now would find it.
    pub(crate) fn register(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut rows = BTreeMap::new();
        let mut row = |key: &[u8], value: &[u8]| drop(rows.insert(key.to_vec(), value.to_vec()));
        self.store.client().register(0, &mut row).expect("memory reads");
        rows
    }

    /// Everything on a topic.
    pub(crate) fn topic(&self, topic: &str) -> Vec<StoredRecord> {
        let records = self.store.client().read(topic, 0, 0, usize::MAX, Duration::ZERO);
        records.expect("memory reads")
    }

    /// Rejections of one feed.
    pub(crate) fn rejections(&self, feed: &str) -> Vec<Value> {
        let records = self.topic(&topic_name("rejections", &super::events::party(feed)));
        records.iter().map(|record| json(record.value.as_deref().expect("a rejection has a value"))).collect()
    }

    /// What awaits a human: the latest value of each key.
    pub(crate) fn reviews(&self) -> BTreeMap<String, Value> {
        let mut reviews = BTreeMap::new();
        for record in self.topic(REVIEW_TOPIC) {
            let key = String::from_utf8(record.key).expect("a text");
            match record.value {
                Some(value) => drop(reviews.insert(key, json(&value))),
                None => drop(reviews.remove(&key)),
            }
        }
        reviews
    }

    /// What a service reads, opened with its key.
    pub(crate) fn desk(&self, recipient: &str) -> Desk {
        let recipient = super::events::party(recipient);
        let inbox: Vec<_> = self.open(&recipient, "alerts").into_iter().map(|(_, event)| event).collect();
        let inbox: Vec<_> = inbox.into_iter().map(|event| event.expect("an alert is never a tombstone")).collect();
        let ids: BTreeSet<_> = inbox.iter().map(|event| text(&event["id"])).collect();
        assert_eq!(ids.len(), inbox.len(), "{recipient}: each alert id once");
        let mut list = BTreeMap::new();
        for (entry, event) in self.open(&recipient, "list") {
            match event {
                Some(mut event) => drop(list.insert(entry, event["data"].take())),
                None => drop(list.remove(&entry).expect("a tombstone ends an entry")),
            }
        }
        Desk { inbox, list }
    }

    /// One topic of a service, opened with its key: each record's key, and its event if it is no tombstone. Alerts are read
    /// as they come, and lists as they stand today: of each entry the last record alone.
    fn open(&self, recipient: &PartyId, topic: &str) -> Vec<Message> {
        self.open_all(recipient, topic, self.topic(&topic_name(topic, recipient)))
    }

    fn open_all(&self, recipient: &PartyId, topic: &str, records: Vec<StoredRecord>) -> Vec<Message> {
        let key = self.office.private.get(recipient).expect("a recipient of the agreement");
        let mut opener = Opener::new(std::slice::from_ref(key), &self.office.signers, recipient);
        let last: BTreeMap<_, _> = records.iter().map(|record| (record.key.clone(), record.offset)).collect();
        let mut open = |record: StoredRecord| {
            let today = topic == "list" && last[&record.key] == record.offset;
            let key = String::from_utf8(record.key).expect("a text");
            let Some(value) = record.value else { return (key, None) };
            let message = std::str::from_utf8(&value).expect("a compact message");
            let at = if today { self.now.at } else { *STARTED };
            let opened = opener.open(message, at).unwrap_or_else(|error| panic!("{recipient}: {error}"));
            let event = json(opened.event());
            assert_eq!(text(&event["id"]), key);
            (key, Some(event))
        };
        records.into_iter().map(&mut open).collect()
    }

    /// What of a topic opens with the recipient's key of today, and was not sealed to an earlier one: keys and data.
    pub(crate) fn opened(&self, recipient: &str, topic: &str) -> Vec<(String, Value)> {
        let recipient = super::events::party(recipient);
        let key = self.office.private.get(&recipient).expect("a recipient of the agreement");
        let mut opener = Opener::new(std::slice::from_ref(key), &self.office.signers, &recipient);
        let open = |record: StoredRecord| {
            let value = record.value?;
            let message = std::str::from_utf8(&value).expect("a compact message");
            match opener.open(message, *STARTED) {
                Ok(opened) => {
                    Some((String::from_utf8(record.key).expect("a text"), json(opened.event())["data"].take()))
                }
                Err(OpenError::WrongKey) => None,
                Err(error) => panic!("{recipient}: {error}"),
            }
        };
        self.topic(&topic_name(topic, &recipient)).into_iter().filter_map(open).collect()
    }

    /// Every event that any recipient was ever sent.
    pub(crate) fn messages(&self) -> BTreeMap<PartyId, Vec<Value>> {
        let recipients = self.office.agreement.recipients.iter().map(|recipient| &recipient.party);
        let all = |party: &PartyId| ["alerts", "list"].map(|topic| self.open(party, topic)).into_iter().flatten();
        recipients.map(|party| (party.clone(), all(party).filter_map(|(_, event)| event).collect())).collect()
    }

    /// All desks.
    pub(crate) fn desks(&self) -> BTreeMap<PartyId, Desk> {
        let recipients = self.office.agreement.recipients.iter().map(|recipient| recipient.party.clone());
        recipients.map(|party| (party.clone(), self.desk(party.as_str()))).collect()
    }

    /// Findings as `person kind event`, sorted; reports themselves (`new_report`) are left out. Every person must be one
    /// linked person and every linked person one person.
    pub(crate) fn findings(&self, lines: &[&str]) -> Vec<String> {
        self.findings_on(self.now.as_of, lines)
    }

    /// The same as of any day.
    pub(crate) fn findings_on(&self, as_of: Date, lines: &[&str]) -> Vec<String> {
        let (mut names, mut ids) = (BTreeMap::new(), BTreeMap::new());
        for line in lines {
            let words: Vec<_> = line.split_whitespace().collect();
            let feed = words[1].split('.').next().expect("feed.event");
            ids.insert(self.office.event_id(feed, words[0]), words[0]);
            let roles = ["victim", "perpetrator", "child", "witness"];
            let people = words.iter().filter_map(|word| word.split_once('=')).filter(|(role, _)| roles.contains(role));
            let people = people.map(|(_, who)| true_name(who.split('@').next().expect("a name")));
            for (cluster, name) in self.participants(feed, words[0]).into_iter().flatten().zip(people) {
                let before = names.insert(cluster, name).unwrap_or(name);
                assert_eq!(before, name, "two people were linked");
            }
        }
        let people: BTreeSet<_> = names.values().collect();
        assert_eq!(people.len(), names.len(), "one person is two: {:?}", names.values().collect::<Vec<_>>());
        let mut found: Vec<_> = (self.people_on(as_of).iter())
            .flat_map(|person| person.findings.iter().map(|finding| (person.cluster, finding)))
            .filter(|(_, finding)| finding.kind.as_str() != "new_report")
            .map(|(cluster, finding)| format!("{} {} {}", names[&cluster], finding.kind, ids[&finding.trigger]))
            .collect();
        found.sort();
        found
    }
}

/// Of each entry that stands after these records of a list, the revision.
pub(crate) fn standing_revisions<'a>(list: impl IntoIterator<Item = &'a Message>) -> Vec<String> {
    let mut standing = BTreeMap::new();
    for (entry, event) in list {
        match event {
            Some(event) => drop(standing.insert(entry, text(&event["revision"]).to_owned())),
            None => drop(standing.remove(entry)),
        }
    }
    standing.into_values().collect()
}

fn hold(all: &mut BTreeMap<&'static str, u64>, more: BTreeMap<&'static str, u64>) {
    for (reason, count) in more {
        *all.entry(reason).or_insert(0) += count;
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// What a compact JWS says, unverified.
pub(crate) fn signed(record: &StoredRecord) -> Value {
    use base64::Engine as _;
    let text = std::str::from_utf8(record.value.as_deref().expect("signed")).expect("a compact JWS");
    let said = text.split('.').nth(1).expect("three parts");
    json(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(said).expect("base64url"))
}
