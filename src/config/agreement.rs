//! The data-sharing agreement: who may feed, who receives which finding in which view, by which clause, until when.
//!
//! Deny by default (I5): what no clause grants does not leave.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;

use super::reader::{Problem, Problems, Reader, read_toml};
use crate::model::event::{Regime, Role};
use crate::model::feed::FeedKind;
use crate::model::finding::FindingKind;
use crate::model::ids::{PartyId, ScopeId};

/// The agreement, checked.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// Named in every message.
    pub version: String,
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
    /// Keep people who appear in both roles off the lists until a human has looked.
    pub hold_both_roles: bool,
    /// Findings that are withdrawn, and counted nowhere, so many days after the event that triggered them.
    pub finding_days: BTreeMap<FindingKind, u32>,
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
    /// What it gets, in the order of precedence: the first clause that fits decides.
    pub clauses: Vec<Clause>,
}

/// One grant.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Named in every message that rests on it.
    pub id: String,
    /// Alerts or list.
    pub channel: Channel,
    /// The person is spoken of in this role.
    pub about: Role,
    /// Alerts: these kinds. List: at least one of these kinds within the window; empty is every person in the role.
    pub findings: BTreeSet<FindingKind>,
    /// How the person is named.
    pub identity: IdentityMode,
    /// Which fields.
    pub fields: BTreeSet<Field>,
}

/// Where a clause applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// `alerts.<recipient>.v1`.
    Alerts,
    /// `list.<recipient>.v1`.
    List,
}

/// How a person is named to a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityMode {
    /// By a pseudonym of this recipient alone.
    None,
    /// By the recipient's own reference, and only if the person is in its open caseload.
    OwnReference,
    /// By name and date of birth, inside the sealed message.
    Sealed,
}

/// Declares the fields once: variant and name.
macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A field that a clause may grant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[$doc])* $variant),+
        }

        impl Field {
            /// The fields and their names in agreement and messages.
            pub const NAMES: &[(&str, Self)] = &[$(($name, Self::$variant)),+];
        }
    };
}

fields! {
    /// ISO week of the event, or of the first and last reports.
    Week = "week",
    /// The day itself.
    Date = "date",
    /// Family of the offence.
    OffenceFamily = "offence_family",
    /// Risk grade, or grades before and after.
    Risk = "risk",
    /// Agencies that know the person.
    Agencies = "agencies",
    /// How many reports.
    Reports = "reports",
    /// How many distinct counterparties.
    Counterparts = "counterparts",
    /// Is the counterparty new?
    NewCounterparty = "new_counterparty",
    /// Orders and their states.
    Order = "order",
    /// Programmes.
    Programme = "programme",
    /// Single, repeat or serial.
    Tier = "tier",
    /// Allegation, charge or conviction.
    Standing = "standing",
    /// Findings by kind.
    Findings = "findings",
    /// How sure the link is.
    Confidence = "confidence",
    /// When the entry lapses.
    DropsOff = "drops_off",
    /// Name and date of birth of the perpetrator across from the recipient's own client.
    PerpetratorIdentity = "perpetrator_identity",
}

const FEED_KINDS: &[(&str, FeedKind)] = &[
    ("police", FeedKind::Police),
    ("crc", FeedKind::Crc),
    ("local_authority", FeedKind::LocalAuthority),
    ("service", FeedKind::Service),
    ("review", FeedKind::Review),
];
const ROLES: &[(&str, Role)] = &[("victim", Role::Victim), ("perpetrator", Role::Perpetrator)];
const REGIMES: &[(&str, Regime)] = &[("law-enforcement", Regime::LawEnforcement), ("general", Regime::General)];
const CHANNELS: &[(&str, Channel)] = &[("alerts", Channel::Alerts), ("list", Channel::List)];
const IDENTITY_MODES: &[(&str, IdentityMode)] =
    &[("none", IdentityMode::None), ("own-reference", IdentityMode::OwnReference), ("sealed", IdentityMode::Sealed)];
/// Six years: the least that the police's Management of Police Information guidance reviews after.
const RETENTION_DAYS: u64 = 2192;
/// A hundred years: the longest that the guidance knows.
const MOST_DAYS: u64 = 36_525;
const NAME_FORM: &str = "use 1-32 lower-case letters, digits, _ and -, starting with a letter";

impl Agreement {
    /// Reads and checks an agreement file.
    ///
    /// # Errors
    /// Every problem of the file, each with its key and what would be right.
    pub fn load(file: &Path) -> Result<Self, Vec<Problem>> {
        Self::check(&read_toml(file)?, file)
    }

    /// Checks an agreement already read as TOML; `file` is for the report.
    ///
    /// # Errors
    /// As `load`.
    pub fn check(table: &toml::Table, file: &Path) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::of(file);
        let mut root = Reader::new(table, "");
        let version = root.required("version", &mut problems).map(str::to_owned);
        let scopes = read_scopes(&mut root, &mut problems);
        let valid_from = required_date(&mut root, "valid_from", &mut problems);
        let expires_on = required_date(&mut root, "expires_on", &mut problems);
        if valid_from.zip(expires_on).is_some_and(|(from, until)| from > until) {
            problems.add("expires_on", "it is before valid_from", "let the agreement end after it starts");
        }
        let hold_both_roles = root.flag("hold_both_roles", true, &mut problems);
        let finding_days = read_finding_days(&mut root, &mut problems);
        let feeds: Vec<Feed> = read_all(&mut root, "feed", read_feed, &mut problems);
        let recipients: Vec<Recipient> = read_all(&mut root, "recipient", read_recipient, &mut problems);
        root.finish(&mut problems);
        report_doubles("feed", feeds.iter().map(|feed| feed.party.as_str()), &mut problems);
        report_doubles("recipient", recipients.iter().map(|recipient| recipient.party.as_str()), &mut problems);
        report_lookalikes(feeds.iter().map(|feed| &feed.party), recipients.iter().map(|one| &one.party), &mut problems);
        let clauses = recipients.iter().flat_map(|recipient| &recipient.clauses);
        report_doubles("recipient.clause", clauses.map(|clause| clause.id.as_str()), &mut problems);
        let agreement = version.zip(valid_from.zip(expires_on)).map(|(version, (valid_from, expires_on))| Self {
            version,
            scopes,
            valid_from,
            expires_on,
            feeds,
            recipients,
            hold_both_roles,
            finding_days,
        });
        problems.or(agreement)
    }

    /// Is the agreement in force on that day? Outside its term everything is held.
    #[must_use]
    pub fn in_force(&self, on: Date) -> bool {
        (self.valid_from..=self.expires_on).contains(&on)
    }

    /// The feed of a party.
    #[must_use]
    pub fn feed(&self, party: &PartyId) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.party == *party)
    }
}

impl Recipient {
    /// May this recipient receive anything on that day, given that the agreement is in force?
    #[must_use]
    pub fn in_force(&self, on: Date) -> bool {
        self.expires_on.is_none_or(|until| on <= until)
    }
}

/// `[finding_days]`: days by kind of finding.
fn read_finding_days(root: &mut Reader<'_>, problems: &mut Problems) -> BTreeMap<FindingKind, u32> {
    let Some(mut from) = root.table("finding_days", problems) else { return BTreeMap::new() };
    let mut days = BTreeMap::new();
    for kind in FindingKind::ALL {
        if from.value(kind.as_str()).is_some() {
            let number = from.number(kind.as_str(), RETENTION_DAYS, (1, MOST_DAYS), problems);
            days.insert(*kind, u32::try_from(number).unwrap_or(u32::MAX));
        }
    }
    from.finish(problems);
    days
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
    let retention_days = from.number("retention_days", RETENTION_DAYS, (1, MOST_DAYS), problems);
    let retention_days = u32::try_from(retention_days).unwrap_or(u32::MAX);
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
    let message_days = u32::try_from(from.number("message_days", 31, (1, 366), problems)).unwrap_or(31);
    let clauses = read_all(&mut from, "clause", read_clause, problems);
    from.finish(problems);
    Some(Recipient {
        party: party?,
        name: name?,
        gateway: gateway?,
        purpose: purpose?,
        expires_on,
        message_days,
        clauses,
    })
}

fn read_clause(mut from: Reader<'_>, problems: &mut Problems) -> Option<Clause> {
    let kinds: Vec<_> = FindingKind::ALL.iter().map(|kind| (kind.as_str(), *kind)).collect();
    let id = from.required("id", problems).map(str::to_owned);
    let channel = from.one_of("channel", CHANNELS, problems);
    let about = from.one_of("about", ROLES, problems);
    let findings: BTreeSet<_> = from.many_of("findings", &kinds, problems).into_iter().collect();
    let identity = from.one_of("identity", IDENTITY_MODES, problems);
    let fields: BTreeSet<_> = from.many_of("fields", Field::NAMES, problems).into_iter().collect();
    if channel == Some(Channel::Alerts) && findings.is_empty() {
        problems.add(from.key("findings"), "there is none", "name the findings that this clause alerts about");
    }
    if about == Some(Role::Victim) && identity == Some(IdentityMode::Sealed) {
        let fix = "use own-reference: a victim is named to nobody who does not already support them";
        problems.add(from.key("identity"), "it would name victims", fix);
    }
    if about == Some(Role::Perpetrator) && fields.contains(&Field::PerpetratorIdentity) {
        let fix = "leave it out, or use identity = \"sealed\"";
        problems.add(from.key("fields"), "perpetrator_identity is for clauses about victims", fix);
    }
    from.finish(problems);
    Some(Clause { id: id?, channel: channel?, about: about?, findings, identity: identity?, fields })
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
