//! The data-sharing agreement: who may feed, who receives which field of which view, by which clause, until when.
//!
//! The TOML file names the parties, the gateways and the terms; the Cedar policies beside it say who may have what; both
//! are signed together. Deny by default (I5): what no policy permits does not leave, and nothing leaves under an
//! agreement that is not signed or not in force.

mod diff;
mod package;
mod policies;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::reader::{Problem, Problems, Reader, parse_toml};
use crate::model::event::Regime;
use crate::model::feed::FeedKind;
use crate::model::finding::FindingKind;
use crate::model::ids::{PartyId, ScopeId};

pub use diff::{Change, Effect, diff};
pub use package::{Package, signature_file};
pub use policies::{Decided, Policies, Verdict, Ways};
pub use view::{CHANNELS, Channel, Field, Grant, Kinds, NAMED_BY, NamedBy, ROLES, View, word};

/// The agreement, checked.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// Named in every message.
    pub version: String,
    /// Rises with every change: an agreement is never followed by one of a lower serial.
    pub serial: u32,
    /// The partnerships that it covers; nothing is linked across them.
    pub scopes: Vec<ScopeId>,
    /// First day.
    pub valid_from: Date,
    /// Last day; afterwards everything is held.
    pub expires_on: Date,
    /// Who feeds.
    pub feeds: Vec<Feed>,
    /// Who receives.
    pub recipients: Vec<Recipient>,
    /// Who may have what.
    pub policies: Arc<Policies>,
    /// Keep people who appear in both roles off the lists until a human has looked.
    pub hold_both_roles: bool,
    /// Findings that are withdrawn, and counted nowhere, so many days after the event that triggered them.
    pub finding_days: BTreeMap<FindingKind, u32>,
    /// What is signed: the SHA-256 of each file.
    pub manifest: String,
    /// The id of the key that signed it; without one everything is held.
    pub signed_by: Option<String>,
}

/// One party that feeds.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Topic `feeds.<party>.v1`.
    pub party: PartyId,
    /// What it may send.
    pub kind: FeedKind,
    /// Under which law it collects, when an event does not say.
    pub regime: Regime,
    /// The legal gateway of the flow.
    pub gateway: String,
    /// CloudEvents `source` values it may speak for.
    pub sources: Vec<String>,
    /// Its events are erased so many days after what they tell of.
    pub retention_days: u32,
}

/// One recipient.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Topics `alerts.<party>.v1` and `list.<party>.v1`.
    pub party: PartyId,
    /// How people call it.
    pub name: String,
    /// The legal gateway (a charity is not covered by Crime and Disorder Act 1998 s115 by itself).
    pub gateway: String,
    /// What for.
    pub purpose: String,
    /// Last day for this recipient, if sooner than the agreement's.
    pub expires_on: Option<Date>,
    /// A message may be opened for so many days.
    pub message_days: u32,
    /// The ids of the keys that may be sealed to; empty is whichever key of this recipient the ring has.
    pub keys: Vec<String>,
    /// The feed whose open entries are people who work here: what concerns one of them does not come to this inbox.
    pub staff: Option<PartyId>,
    /// The recipient to whom alerts go that would come to somebody whom they concern; without one they are held.
    pub conflicts_to: Option<PartyId>,
}

const FEED_KINDS: &[(&str, FeedKind)] = &[
    ("police", FeedKind::Police),
    ("crc", FeedKind::Crc),
    ("local_authority", FeedKind::LocalAuthority),
    ("service", FeedKind::Service),
    ("review", FeedKind::Review),
];
const REGIMES: &[(&str, Regime)] = &[("law-enforcement", Regime::LawEnforcement), ("general", Regime::General)];
/// A message may be opened for so many days unless the agreement says otherwise.
const MESSAGE_DAYS: u32 = 31;
/// Six years: the least that the police's Management of Police Information guidance reviews after.
const RETENTION_DAYS: u32 = 2192;
/// A hundred years: the longest that the guidance knows.
const MOST_DAYS: u64 = 36_525;
const NAME_FORM: &str = "use 1-32 lower-case letters, digits, _ and -, starting with a letter";

impl Agreement {
    /// Reads and checks an agreement file and its policies. Whether it is signed is for whoever has the keys to say.
    ///
    /// # Errors
    /// Every problem of the files, each with its key and what would be right.
    pub fn load(file: &Path) -> Result<Self, Vec<Problem>> {
        Self::check(&Package::read(file)?)
    }

    /// Checks an agreement already read.
    ///
    /// # Errors
    /// As `load`.
    pub fn check(package: &Package) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::of(&package.file);
        let table = parse_toml(&package.agreement, &mut problems).unwrap_or_default();
        let is_toml = problems.is_empty();
        let mut root = Reader::new(&table, "");
        let mut terms = is_toml.then(|| read_terms(&mut root, &mut problems));
        root.finish(&mut problems);
        // From the file as it stands: a recipient with a mistake in it is known to the policies all the same.
        let named = table.get("recipient").and_then(toml::Value::as_array).into_iter().flatten();
        let named = named.filter_map(|recipient| recipient.get("party")?.as_str()?.parse().ok());
        let parties: BTreeSet<PartyId> = named.collect();
        let policies = Policies::check(&package.policies, &parties, &mut problems).map(Arc::new);
        let terms = terms.take().flatten();
        let agreement = terms.zip(policies).map(|(terms, policies)| Self {
            version: terms.version,
            serial: terms.serial,
            scopes: terms.scopes,
            valid_from: terms.valid_from,
            expires_on: terms.expires_on,
            feeds: terms.feeds,
            recipients: terms.recipients,
            policies,
            hold_both_roles: terms.hold_both_roles,
            finding_days: terms.finding_days,
            manifest: package.manifest(),
            signed_by: None,
        });
        problems.or(agreement)
    }

    /// The same, signed: whoever calls this has verified the signature.
    #[must_use]
    pub fn signed(self, key_id: impl Into<String>) -> Self {
        Self { signed_by: Some(key_id.into()), ..self }
    }

    /// Why everything is held on that day; `None` when the agreement is signed and in force.
    #[must_use]
    pub fn held(&self, on: Date) -> Option<&'static str> {
        if self.signed_by.is_none() {
            Some("agreement_not_signed")
        } else if (self.valid_from..=self.expires_on).contains(&on) {
            None
        } else {
            Some("agreement_not_in_force")
        }
    }

    /// Which agreement it is, to the byte.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.manifest).into()
    }

    /// The feed of a party.
    #[must_use]
    pub fn feed(&self, party: &PartyId) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.party == *party)
    }
}

impl Recipient {
    /// Somebody who was a recipient once: nothing is granted to them, and they are told that what they were told is over.
    #[must_use]
    pub fn former(party: PartyId) -> Self {
        let (name, gateway, purpose) = (party.to_string(), String::new(), String::new());
        Self {
            party,
            name,
            gateway,
            purpose,
            expires_on: None,
            message_days: MESSAGE_DAYS,
            keys: Vec::new(),
            staff: None,
            conflicts_to: None,
        }
    }

    /// May this recipient receive anything on that day, given that the agreement is in force?
    #[must_use]
    pub fn in_force(&self, on: Date) -> bool {
        self.expires_on.is_none_or(|until| on <= until)
    }

    /// May this key be sealed to? Where the agreement names none, the ring is trusted with the choice.
    #[must_use]
    pub fn pins(&self, key_id: &str) -> bool {
        self.keys.is_empty() || self.keys.iter().any(|pinned| pinned == key_id)
    }
}

/// The TOML part.
struct Terms {
    version: String,
    serial: u32,
    scopes: Vec<ScopeId>,
    valid_from: Date,
    expires_on: Date,
    feeds: Vec<Feed>,
    recipients: Vec<Recipient>,
    hold_both_roles: bool,
    finding_days: BTreeMap<FindingKind, u32>,
}

fn read_terms(root: &mut Reader<'_>, problems: &mut Problems) -> Option<Terms> {
    let version = root.required("version", problems).map(str::to_owned);
    if root.value("serial").is_none() {
        problems.add("serial", "it is missing", "write a whole number that rises with every change of the agreement");
    }
    let serial = root.number("serial", 1, (1, u64::from(u32::MAX)), problems);
    let scopes = read_scopes(root, problems);
    let valid_from = required_date(root, "valid_from", problems);
    let expires_on = required_date(root, "expires_on", problems);
    if valid_from.zip(expires_on).is_some_and(|(from, until)| from > until) {
        problems.add("expires_on", "it is before valid_from", "let the agreement end after it starts");
    }
    let hold_both_roles = root.flag("hold_both_roles", true, problems);
    let finding_days = read_finding_days(root, problems);
    let feeds: Vec<Feed> = read_all(root, "feed", read_feed, problems);
    let recipients: Vec<Recipient> = read_all(root, "recipient", read_recipient, problems);
    report_doubles("feed", feeds.iter().map(|feed| feed.party.as_str()), problems);
    report_doubles("recipient", recipients.iter().map(|recipient| recipient.party.as_str()), problems);
    report_lookalikes(feeds.iter().map(|feed| &feed.party), recipients.iter().map(|one| &one.party), problems);
    check_conflicts(&feeds, &recipients, problems);
    Some(Terms {
        version: version?,
        serial: u32::try_from(serial).unwrap_or(u32::MAX),
        scopes,
        valid_from: valid_from?,
        expires_on: expires_on?,
        feeds,
        recipients,
        hold_both_roles,
        finding_days,
    })
}

/// `[finding_days]`: days by kind of finding.
fn read_finding_days(root: &mut Reader<'_>, problems: &mut Problems) -> BTreeMap<FindingKind, u32> {
    let Some(mut from) = root.table("finding_days", problems) else { return BTreeMap::new() };
    let mut by_kind = BTreeMap::new();
    for kind in FindingKind::ALL {
        if from.value(kind.as_str()).is_some() {
            by_kind.insert(*kind, days(&mut from, kind.as_str(), RETENTION_DAYS, MOST_DAYS, problems));
        }
    }
    from.finish(problems);
    by_kind
}

fn read_scopes(root: &mut Reader<'_>, problems: &mut Problems) -> Vec<ScopeId> {
    let texts = root.texts("scopes", problems);
    if texts.is_empty() {
        problems.add("scopes", "there is none", "name the partnerships, e.g. scopes = [\"portsmouth\"]");
    }
    let mut scopes = Vec::new();
    for (at, text) in texts.into_iter().enumerate() {
        match text.parse() {
            Ok(scope) => scopes.push(scope),
            Err(_) => problems.add(format!("scopes[{}]", at + 1), "it has the wrong form", NAME_FORM),
        }
    }
    scopes
}

fn read_all<'a, T>(
    root: &mut Reader<'a>,
    key: &'static str,
    read: impl Fn(Reader<'a>, &mut Problems) -> Option<T>,
    problems: &mut Problems,
) -> Vec<T> {
    if root.value(key).is_none() {
        problems.add(root.key(key), "there is none", format!("add at least one [[{}]]", root.key(key)));
    }
    root.tables(key, problems).into_iter().filter_map(|table| read(table, problems)).collect()
}

fn read_feed(mut from: Reader<'_>, problems: &mut Problems) -> Option<Feed> {
    let party = from.parsed("party", NAME_FORM, problems);
    let kind = from.one_of("kind", FEED_KINDS, problems);
    let regime = from.one_of("regime", REGIMES, problems);
    let gateway = from.required("gateway", problems).map(str::to_owned);
    let sources: Vec<_> = from.texts("sources", problems).into_iter().map(str::to_owned).collect();
    if sources.is_empty() {
        problems.add(from.key("sources"), "there is none", "name the CloudEvents sources it may speak for");
    }
    let retention_days = days(&mut from, "retention_days", RETENTION_DAYS, MOST_DAYS, problems);
    from.finish(problems);
    Some(Feed { party: party?, kind: kind?, regime: regime?, gateway: gateway?, sources, retention_days })
}

fn read_recipient(mut from: Reader<'_>, problems: &mut Problems) -> Option<Recipient> {
    let party: Option<PartyId> = from.parsed("party", NAME_FORM, problems);
    if party.as_ref().is_some_and(|party| party.as_str() == "review") {
        problems.add(from.key("party"), "the register uses this name for the reviewers", "choose another name");
    }
    let name = from.required("name", problems).map(str::to_owned);
    let gateway = from.required("gateway", problems).map(str::to_owned);
    let purpose = from.required("purpose", problems).map(str::to_owned);
    let expires_on = from.date("expires_on", problems);
    let message_days = days(&mut from, "message_days", MESSAGE_DAYS, 366, problems);
    let keys: Vec<_> = from.texts("keys", problems).into_iter().map(str::to_owned).collect();
    let mut party_named = |key| from.value(key).and_then(|_| from.parsed(key, NAME_FORM, problems));
    let (staff, conflicts_to) = (party_named("staff"), party_named("conflicts_to"));
    for (at, _) in keys.iter().enumerate().filter(|(_, key)| !is_key_of(key, party.as_ref())) {
        let fix = "write the ids that `priorityd keys list` shows for this party";
        problems.add(format!("{}[{}]", from.key("keys"), at + 1), "it is no key id of this recipient", fix);
    }
    from.finish(problems);
    Some(Recipient {
        party: party?,
        name: name?,
        gateway: gateway?,
        purpose: purpose?,
        expires_on,
        message_days,
        keys,
        staff,
        conflicts_to,
    })
}

/// A register of staff is a feed of its own, and who stands in for a recipient stands in for it alone.
fn check_conflicts(feeds: &[Feed], recipients: &[Recipient], problems: &mut Problems) {
    let mut stand_ins = BTreeSet::new();
    for (at, recipient) in recipients.iter().enumerate() {
        let key = |name: &str| format!("recipient[{}].{name}", at + 1);
        if let Some(staff) = &recipient.staff {
            let is_feed = feeds.iter().any(|feed| feed.party == *staff && feed.kind == FeedKind::Service);
            if !is_feed || recipients.iter().any(|other| other.party == *staff) {
                let fix = "name a feed of kind service, of a party that receives nothing";
                problems.add(key("staff"), "it is no register of staff", fix);
            }
        }
        if let Some(stand_in) = &recipient.conflicts_to {
            let is_other = *stand_in != recipient.party && recipients.iter().any(|other| other.party == *stand_in);
            if recipient.staff.is_none() || !is_other {
                let fix = "name another recipient, and the register of staff as well";
                problems.add(key("conflicts_to"), "there is nobody to stand in, or nothing to stand in for", fix);
            }
            if !stand_ins.insert(stand_in) {
                problems.add(key("conflicts_to"), "it stands in for another recipient already", "name one for each");
            }
        }
    }
}

fn is_key_of(key: &str, party: Option<&PartyId>) -> bool {
    let of = key.split_once('#').filter(|(_, thumbprint)| thumbprint.len() == 43).map(|(owner, _)| owner);
    party.is_none_or(|party| of == Some(party.as_str()))
}

fn days(from: &mut Reader<'_>, key: &'static str, default: u32, most: u64, problems: &mut Problems) -> u32 {
    u32::try_from(from.number(key, u64::from(default), (1, most), problems)).unwrap_or(default)
}

fn required_date(from: &mut Reader<'_>, key: &'static str, problems: &mut Problems) -> Option<Date> {
    if from.value(key).is_none() {
        problems.add(from.key(key), "it is missing", "add a date as YYYY-MM-DD");
    }
    from.date(key, problems)
}

/// Topics spell `_` as `-`, so two parties that differ in nothing else would share theirs.
fn report_lookalikes<'a>(
    feeds: impl Iterator<Item = &'a PartyId>,
    recipients: impl Iterator<Item = &'a PartyId>,
    problems: &mut Problems,
) {
    let mut spelled: BTreeMap<String, &PartyId> = BTreeMap::new();
    let feeds = feeds.enumerate().map(|(at, party)| ("feed", at, party));
    let recipients = recipients.enumerate().map(|(at, party)| ("recipient", at, party));
    for (key, at, party) in feeds.chain(recipients) {
        if *spelled.entry(party.as_str().replace('_', "-")).or_insert(party) != party {
            let found = "its name differs from another party's in _ and - only, so they would share topics";
            problems.add(format!("{key}[{}].party", at + 1), found, "choose another name, or spell it the same");
        }
    }
}

fn report_doubles<'a>(key: &str, names: impl Iterator<Item = &'a str>, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (at, name) in names.enumerate() {
        if !seen.insert(name) {
            problems.add(format!("{key}[{}]", at + 1), "its name was used before", "give each a name of its own");
        }
    }
}
