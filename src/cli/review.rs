//! `priorityd review list|decide|undo`: what a person must decide. Questions and answers hold no identity: whoever
//! decides looks the records up with the agencies.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::consult::{WhoArgs, Why};
use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::format::Format;
use super::tokens;
use crate::config::agreement::{Agreement, Feed};
use crate::log::{Client, TopicReader};
use crate::model::event::Regime;
use crate::model::feed::FeedKind;
use crate::model::ids::{PartyId, ScopeId, hex};
use crate::pipeline::{REVIEW_TOPIC, feed_contexts};
use crate::validate::Validator;

/// Lists open questions and publishes decisions to the reviewers' feed.
#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: ReviewCommand,
}

#[derive(Debug, Subcommand)]
enum ReviewCommand {
    /// Print the open questions
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        who: WhoArgs,
    },
    /// Answer a question; the daemon lets the answer take effect
    Decide {
        /// Which question
        #[arg(value_name = "REVIEW_ID")]
        review_id: String,
        /// The answer: `same` or `different` for two records, `seen` for one person, `undecided` for either
        #[arg(value_enum)]
        answer: Answer,
        /// Why
        #[arg(long, value_enum, value_name = "CODE")]
        reason: Reason,
        /// Who decides: up to three initials and a number, e.g. JS2; never a name
        #[arg(long, value_name = "INITIALS")]
        by: String,
        /// The reviewers' feed, if the agreement has several
        #[arg(long, value_name = "PARTY")]
        feed: Option<PartyId>,
    },
    /// Make a token by which a reviewer signs in to the page /review
    Token {
        /// Whose: up to three initials and a number, e.g. JS2; an earlier token of theirs ends
        #[arg(long, value_name = "INITIALS")]
        by: String,
    },
    /// Take a decision back; what was before it counts again
    Undo {
        /// The event that `decide` published
        #[arg(value_name = "EVENT_ID")]
        event: String,
        /// The partnership of the decision [default: the agreement's first]
        #[arg(long)]
        scope: Option<ScopeId>,
        /// The reviewers' feed, if the agreement has several
        #[arg(long, value_name = "PARTY")]
        feed: Option<PartyId>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The two records are one person
    Same,
    /// The two records are two persons
    Different,
    /// Somebody looked; lists may name a person in both roles
    Seen,
    /// Somebody looked and cannot tell; the question stays open
    Undecided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(super) enum Reason {
    /// The agencies whose records they are confirmed it
    AgencyConfirmed,
    /// The agencies' own records were compared
    RecordsCompared,
    /// A number was checked with whoever issued it
    NumberChecked,
    /// Twins, parent and child, or others of one household
    Relatives,
    /// Abuse went both ways, as recorded
    BothDirections,
    /// A report is a counter-allegation, or resistance to abuse
    CounterAllegation,
    /// What is known does not suffice
    NotEnoughKnown,
    /// The victim was referred now, or the service was told otherwise
    Referred,
    /// The victim does not want it, or needs it no more
    NoReferralNeeded,
}

/// A question as it stands on the topic.
#[derive(Deserialize)]
pub(super) struct Question {
    pub(super) review_id: String,
    pub(super) kind: String,
    pub(super) scope: ScopeId,
    pub(super) records: Vec<String>,
    pub(super) finding: Option<String>,
    pub(super) bits: Option<f64>,
    #[serde(default)]
    pub(super) pattern: BTreeMap<String, String>,
    /// Why the two records' people can't be made one.
    #[serde(default)]
    pub(super) bars: Vec<String>,
}

/// Does what was asked.
pub(super) fn run(args: &ReviewArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        ReviewCommand::List { format, who } => {
            let deployment = who.consult(&args.config, "reviews", None, Why::Review)?;
            list(&open_questions(deployment.publisher()?.as_mut())?, *format, out)
        }
        ReviewCommand::Decide { review_id, answer, reason, by, feed } => {
            let deployment = Deployment::load(&args.config.config)?;
            let feed = reviewers(&deployment.agreement, feed.as_ref())?;
            let event = decide(&deployment, feed, review_id, (*answer, *reason), by)?;
            Ok(writeln!(out, "published {event}; take it back with: priorityd review undo {event}")?)
        }
        ReviewCommand::Token { by } => tokens::add(&args.config.config, by, out),
        ReviewCommand::Undo { event, scope, feed } => {
            let deployment = Deployment::load(&args.config.config)?;
            let feed = reviewers(&deployment.agreement, feed.as_ref())?;
            let scope = scope.as_ref().or_else(|| deployment.agreement.scopes.first());
            let scope = scope.ok_or_else(|| {
                Failure::new(Kind::Configuration, "agreement: it names no scope; name one in `scopes`")
            })?;
            let mut client = deployment.publisher()?;
            let own = json!({"supersedes": event, "reason": "entered_in_error"});
            let event = publish(&deployment, client.as_mut(), feed, scope, "cancel", own)?;
            Ok(writeln!(out, "published {event}")?)
        }
    }
}

/// Answers an open question; gives the id of the event that says so.
pub(super) fn decide(
    deployment: &Deployment,
    feed: &Feed,
    review_id: &str,
    (answer, reason): (Answer, Reason),
    by: &str,
) -> Result<String, Failure> {
    let mut client = deployment.publisher()?;
    let questions = open_questions(client.as_mut())?;
    let question = questions.get(review_id).ok_or_else(|| {
        Failure::new(Kind::BadData, "review.v1: there is no such open question; `priorityd review list` has them all")
    })?;
    let question = read(question)?;
    let mut own = json!({"decision": answer, "records": question.records, "reason": reason, "decided_by": by});
    match (question.finding, answer) {
        (None, Answer::Same) if !question.bars.is_empty() => return Err(barred(&question.bars)),
        (Some(finding), Answer::Seen | Answer::Undecided) => own["finding"] = json!(finding),
        (None, Answer::Same | Answer::Different | Answer::Undecided) => {}
        (Some(_), _) => {
            return Err(usage("this question is about one person: answer `seen` or `undecided`"));
        }
        (None, _) => {
            return Err(usage("this question is about two records: answer `same`, `different` or `undecided`"));
        }
    }
    publish(deployment, client.as_mut(), feed, &question.scope, "decision", own)
}

/// The open questions to be answered: the likeliest first, those about one person before all.
pub(super) fn in_order(questions: &BTreeMap<String, Value>) -> Result<Vec<Question>, Failure> {
    let mut read_all: Vec<Question> = questions.values().map(read).collect::<Result<_, _>>()?;
    read_all.sort_by(|one, other| {
        let bits = |question: &Question| question.bits.unwrap_or(f64::INFINITY);
        bits(other).total_cmp(&bits(one)).then_with(|| one.review_id.cmp(&other.review_id))
    });
    Ok(read_all)
}

/// The latest of each question, those that are settled left out.
pub(super) fn open_questions(client: &mut dyn Client) -> Result<BTreeMap<String, Value>, Failure> {
    let mut open = BTreeMap::new();
    TopicReader::new(REVIEW_TOPIC).read(client, Duration::ZERO, |record| {
        let key = String::from_utf8_lossy(&record.key).into_owned();
        match record.value {
            Some(value) => open.insert(key, serde_json::from_slice(&value).map_err(|_| unreadable())?),
            None => open.remove(&key),
        };
        Ok::<_, Failure>(())
    })?;
    Ok(open)
}

fn list(questions: &BTreeMap<String, Value>, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    if format == Format::Json {
        for question in questions.values() {
            writeln!(out, "{question}")?;
        }
        return Ok(());
    }
    let read_all = in_order(questions)?;
    for question in &read_all {
        let bits = question.bits.map(|bits| format!(", {bits:+.2} bits")).unwrap_or_default();
        writeln!(out, "{} {}{bits} ({})", question.review_id, question.kind.replace('_', " "), question.scope)?;
        writeln!(out, "    records {}", question.records.join(" "))?;
        if !question.bars.is_empty() {
            writeln!(out, "    can't be the same: {}", question.bars.join(", ").replace('_', " "))?;
        }
        if !question.pattern.is_empty() {
            let levels = question.pattern.iter().map(|(field, level)| format!("{field}: {level}").replace('_', " "));
            writeln!(out, "    {}", levels.collect::<Vec<_>>().join(" · "))?;
        }
    }
    let count = read_all.len();
    Ok(writeln!(out, "{count} open {}", if count == 1 { "question" } else { "questions" })?)
}

fn read(question: &Value) -> Result<Question, Failure> {
    Question::deserialize(question).map_err(|_| unreadable())
}

fn unreadable() -> Failure {
    Failure::new(
        Kind::BadData,
        "review.v1: a question has a form that this version cannot read; use the version of the daemon",
    )
}

/// Two numbers of one kind whose check letters hold, or two sides of one event: no decision overrides that.
fn barred(bars: &[String]) -> Failure {
    let why = bars.iter().map(|bar| match bar.as_str() {
        "different_numbers" => "they bear two different numbers of which one person has one",
        "parties_of_one_event" => "they are the two parties of one event",
        _ => "they are known to be two persons",
    });
    let why: Vec<&str> = why.collect();
    let fix = "answer `different`, or have the agency correct the record that is wrong";
    Failure::new(Kind::Denied, format!("`same` cannot be: with all their records, {}; {fix}", why.join(", and ")))
}

fn usage(line: &str) -> Failure {
    Failure::new(Kind::BadData, line)
}

pub(super) fn reviewers<'a>(agreement: &'a Agreement, party: Option<&PartyId>) -> Result<&'a Feed, Failure> {
    let mut feeds = agreement.feeds.iter().filter(|feed| feed.kind == FeedKind::Review);
    let feed = match party {
        Some(party) => feeds.find(|feed| feed.party == *party),
        None => feeds.next().filter(|_| feeds.next().is_none()),
    };
    let line = match party {
        Some(_) => "--feed: the agreement has no such feed of kind review",
        None => "the agreement must have one feed of kind review, or --feed must say which",
    };
    feed.ok_or_else(|| Failure::new(Kind::Configuration, line))
}

/// Publishes one event of the reviewers, checked as the daemon will check it; gives its id back.
pub(super) fn publish(
    deployment: &Deployment,
    client: &mut dyn Client,
    feed: &Feed,
    scope: &ScopeId,
    event: &str,
    mut own: Value,
) -> Result<String, Failure> {
    let (now, id) = (Timestamp::now(), fresh_uuid());
    let regime: Regime = feed.regime;
    for (name, value) in [("scope", json!(scope)), ("regime", json!(regime))] {
        own[name] = value;
    }
    (own["occurred_at"], own["recorded_at"]) = (json!(now.to_string()), json!(now.to_string()));
    let source = feed.sources.first().ok_or_else(|| {
        Failure::new(Kind::Configuration, "agreement: the reviewers' feed has no source; name one in `sources`")
    })?;
    let whole = json!({
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": format!("uk.priorityd.review.{event}.v1"),
        "data": own,
    });
    let payload = Zeroizing::new(whole.to_string().into_bytes());
    let problems = Validator::new(feed_contexts(&deployment.agreement)).strict();
    let problems = problems.problems(&feed.party, &[], &payload, now.as_millisecond());
    if !problems.is_empty() {
        let lines = problems.iter().map(|problem| format!("{}: {}; {}", problem.path, problem.rule, problem.help));
        return Err(Failure::all(Kind::BadData, lines));
    }
    client.publish(&feed.party, scope, vec![payload])?;
    Ok(id)
}

/// A random UUID (version 4).
fn fresh_uuid() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
