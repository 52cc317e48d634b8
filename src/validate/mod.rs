//! The front door: bytes of a feed become an event whose form and sense are checked, or a rejection.
//!
//! Owns the published schemas (`schemas/events/`) and the types of clear identity. Never sees keys, the register or a
//! clock. What is wrong with a record is told as a code, a path of names of our schemas, a rule and help: never a
//! value, never the name of a property that we do not know, never a library's error text.
//!
//! The order of the checks, and so of what is told first: size, UTF-8, JSON; the CloudEvents envelope, the type, the
//! feed's rights; the schema of the type; dates; scope; persons; what the event replaces.

pub mod event;
pub mod feed;
pub mod identity;
pub mod rows;
pub mod types;

mod document;
mod doubts;
mod envelope;
mod instance;
mod problem;
mod read;
mod rules;
mod schema;
mod source;
mod take;
mod unknown;

use rustc_hash::FxHashMap;

use self::event::Validated;
use self::feed::FeedContext;
use self::problem::{Check, Path, Problem, in_order};
use self::schema::Schemas;
use crate::model::ids::PartyId;
use crate::model::outcome::{RejectCode, Rejection};

/// Limit on one record where nothing else is said: 1 MiB, as brokers have it.
pub const DEFAULT_MAX_RECORD_BYTES: usize = 1 << 20;

/// Checks records of the configured feeds. Made once; every thread may use it.
pub struct Validator {
    schemas: Schemas,
    feeds: FxHashMap<PartyId, FeedContext>,
    max_record_bytes: usize,
    refuses_unknown_fields: bool,
    tokens_only: bool,
}

impl Validator {
    /// Compiles the schemas for these feeds. Unknown fields are ignored and counted.
    #[must_use]
    pub fn new(feeds: impl IntoIterator<Item = FeedContext>) -> Self {
        Self {
            schemas: Schemas::compile(),
            feeds: feeds.into_iter().map(|feed| (feed.party.clone(), feed)).collect(),
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            refuses_unknown_fields: false,
            tokens_only: false,
        }
    }

    /// With another limit on the bytes of one record, headers included.
    #[must_use]
    pub fn with_max_record_bytes(self, max_record_bytes: usize) -> Self {
        Self { max_record_bytes, ..self }
    }

    /// Minds unknown fields too: for the producer's door, `priorityd check`.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { refuses_unknown_fields: true, ..self }
    }

    /// Refuses identity in clear: for a hub that hashes nothing itself.
    #[must_use]
    pub fn tokens_only(self) -> Self {
        Self { tokens_only: true, ..self }
    }

    /// Checks one record: the event, or the first thing that is wrong. `appended_ms` is when the log took the record,
    /// in milliseconds since 1970; no event may have been recorded later.
    pub fn validate(
        &self,
        feed: &PartyId,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
        appended_ms: i64,
    ) -> Result<Validated, Rejection> {
        self.examine(feed, headers, payload, appended_ms).map_err(|problems| match problems.into_iter().next() {
            Some(first) => first.into_rejection(),
            None => unexplained().into_rejection(),
        })
    }

    /// Everything that is wrong with one record, in the same order; nothing if it is good.
    #[must_use]
    pub fn problems(
        &self,
        feed: &PartyId,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
        appended_ms: i64,
    ) -> Vec<Rejection> {
        let problems = self.examine(feed, headers, payload, appended_ms).err().unwrap_or_default();
        problems.into_iter().map(Problem::into_rejection).collect()
    }

    /// The id of a record for its rejection, if it can be read and is a UUID: any other id may say who somebody is.
    #[must_use]
    pub fn event_uuid(&self, headers: &[(String, Vec<u8>)], payload: &[u8]) -> Option<String> {
        self.check_size(headers, payload).ok()?;
        let document = envelope::assemble(headers, payload, &self.schemas.known).ok()?;
        let id = document.get("id")?.as_str()?;
        is_uuid(id).then(|| id.to_owned())
    }

    fn check_size(&self, headers: &[(String, Vec<u8>)], payload: &[u8]) -> Result<(), Problem> {
        let headers = headers.iter().fold(0_usize, |sum, (name, value)| sum.saturating_add(name.len() + value.len()));
        if payload.len().saturating_add(headers) <= self.max_record_bytes {
            return Ok(());
        }
        let rule = format!("a record has at most {} bytes", self.max_record_bytes);
        let help = "send one event a record, and only the fields of its schema";
        Err(Problem::new(Check::Reading, RejectCode::TooLarge, Path::default(), rule, help))
    }

    /// The one way through all checks. On failure the problems are in order, and there is at least one.
    fn examine(
        &self,
        feed: &PartyId,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
        appended_ms: i64,
    ) -> Result<Validated, Vec<Problem>> {
        let one = |problem| vec![problem];
        let feed = self.feeds.get(feed).ok_or_else(|| one(unknown_feed()))?;
        self.check_size(headers, payload).map_err(one)?;
        let document = {
            let _stage = tracing::trace_span!(target: "stage", "parse").entered();
            envelope::assemble(headers, payload, &self.schemas.known).map_err(one)?
        };

        let _stage = tracing::trace_span!(target: "stage", "validate").entered();
        let mut problems = Vec::new();
        let Some(kind) = envelope::check(&document, feed, &mut problems) else { return Err(in_order(problems)) };
        rules::check(&document, feed, appended_ms, &mut problems);
        source::check(&document, feed.kind, self.tokens_only, &mut problems);
        if self.refuses_unknown_fields {
            unknown::check(&document, kind, &self.schemas, &mut problems);
            doubts::check(&document, &mut problems);
        }
        // The compiled schema answers yes or no quickly; what exactly is wrong is asked only then.
        let accepted = self.schemas.accepts(kind, &document);
        if accepted && problems.is_empty() {
            return take::take(document, kind, &feed.party, &self.schemas, payload.len())
                .ok_or_else(|| one(unexplained()));
        }
        if !accepted {
            self.schemas.check(kind, &document, &mut problems);
        }
        Err(in_order(without_echoes(problems)))
    }
}

/// The envelope's check and the schema both mind the required attributes: the first to tell is enough.
fn without_echoes(mut problems: Vec<Problem>) -> Vec<Problem> {
    let told = |problem: &Problem| problem.check == Check::Envelope;
    let places: Vec<_> = problems.iter().filter(|problem| told(problem)).map(|problem| problem.path.clone()).collect();
    problems.retain(|problem| told(problem) || !places.contains(&problem.path));
    problems
}

fn unknown_feed() -> Problem {
    let help = "name the party in the configuration, or publish to another feed";
    Problem::new(Check::Envelope, RejectCode::SourceNotOfFeed, Path::default(), "the feed is configured", help)
}

/// A schema and the types of this program disagree: a bug, but the record still gets its outcome.
fn unexplained() -> Problem {
    let help = "tell the operators: the schema accepts what the program cannot read";
    Problem::new(Check::Schema, RejectCode::Schema, Path::default(), "the schema of the type", help)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
