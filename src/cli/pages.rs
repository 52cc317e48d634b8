//! What the pages show: figures from the worker, questions and waterfalls from the log, and answers back to it, by the same
//! code as `priorityd review`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;

use super::consult::{Why, note};
use super::deployment::Deployment;
use super::failure::{Failure, Kind};
use super::figures::Figures;
use super::review::{self, Question, Reason, in_order, open_questions, reviewers};
use super::tokens;
use crate::audit::AuditRecord;
use crate::audit::explain::{Evidence, to_svg};
use crate::log::{Client, TopicReader};
use crate::model::ids::RecordId;
use crate::ops::pages::{Answer, Asked, Choice, Performance, Provider, Refused, Reviewer, Waterfall};
use crate::pipeline::AUDIT_TOPIC;

/// The pages' side of a deployment.
pub(super) struct Desk {
    deployment: Arc<Deployment>,
    figures: Arc<Figures>,
    raised: Mutex<Raised>,
}

/// The audit's lines about open questions, by question. The audit is read once; afterwards only what is new.
struct Raised {
    reader: TopicReader,
    lines: BTreeMap<String, AuditRecord>,
}

impl Desk {
    pub(super) fn new(deployment: Arc<Deployment>, figures: Arc<Figures>) -> Self {
        let raised = Raised { reader: TopicReader::new(AUDIT_TOPIC), lines: BTreeMap::new() };
        Self { deployment, figures, raised: Mutex::new(raised) }
    }
}

impl Provider for Desk {
    fn performance(&self) -> Vec<Performance> {
        self.figures.latest()
    }

    fn reviewers(&self) -> Option<Result<Vec<Reviewer>, Refused>> {
        let file = self.deployment.settings.review_token_file.as_deref()?;
        Some(tokens::read(file).map_err(Refused))
    }

    fn questions(&self, by: &str) -> Result<Vec<Asked>, Refused> {
        note(&self.deployment, "reviews", None, by, Why::Review).map_err(refused)?;
        let mut client = self.deployment.publisher().map_err(refused)?;
        let open = open_questions(client.as_mut()).and_then(|open| in_order(&open)).map_err(refused)?;
        Ok(open.into_iter().map(asked).collect())
    }

    fn waterfall(&self, asked: &Asked, by: &str) -> Result<Option<Waterfall>, Refused> {
        let records: Vec<RecordId> = asked.records.iter().filter_map(|record| record.parse().ok()).collect();
        let [one, two] = records[..] else { return Ok(None) };
        note(&self.deployment, "explanation", Some(&asked.records[0]), by, Why::Review).map_err(refused)?;
        let mut client = self.deployment.publisher().map_err(refused)?;
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.catch_up(client.as_mut()).map_err(refused)?;
        let mut evidence = Evidence::default();
        raised.lines.get(&asked.id).cloned().into_iter().for_each(|line| evidence.add(line));
        let explanation = evidence.explain_pair(one, two);
        Ok(explanation.map(|explanation| Waterfall { svg: to_svg(&explanation) }))
    }

    fn decide(&self, answer: &Answer) -> Result<String, Refused> {
        let unknown = || Refused("the answer or the reason is none of those that there are".to_owned());
        let decision = review::Answer::from_str(&answer.decision, false).map_err(|_| unknown())?;
        let reason = Reason::from_str(&answer.reason, false).map_err(|_| unknown())?;
        let feed = reviewers(&self.deployment.agreement, None).map_err(refused)?;
        review::decide(&self.deployment, feed, &answer.question, (decision, reason), &answer.by).map_err(refused)
    }
}

impl Raised {
    /// Reads what the audit says since the last time. Of questions that were asked anew the latest line counts.
    fn catch_up(&mut self, client: &mut dyn Client) -> Result<(), Failure> {
        let lines = &mut self.lines;
        self.reader.read(client, Duration::ZERO, |record| {
            let line = record.value.as_deref().filter(|line| find(line, b"\"review.raised\""));
            if let Some(line) = line {
                let record = AuditRecord::read(line).map_err(|error| Failure::new(Kind::BadData, error.to_string()))?;
                if let Some(id) = record.body["review_id"].as_str().map(str::to_owned) {
                    lines.insert(id, record);
                }
            }
            Ok::<_, Failure>(())
        })?;
        let open = open_questions(client)?;
        self.lines.retain(|id, _| open.contains_key(id));
        Ok(())
    }
}

fn find(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len()).any(|window| window == text)
}

fn refused(failure: Failure) -> Refused {
    Refused(failure.to_string())
}

fn asked(question: Question) -> Asked {
    let is_pair = question.finding.is_none();
    let answers = review::Answer::value_variants().iter().filter(|answer| match answer {
        review::Answer::Same => is_pair && question.bars.is_empty(),
        review::Answer::Different => is_pair,
        review::Answer::Seen => !is_pair,
        review::Answer::Undecided => true,
    });
    let words = |text: &str| text.replace('_', " ");
    Asked {
        id: question.review_id,
        kind: match question.kind.as_str() {
            "possible_match" => "Are two records one person?".to_owned(),
            "both_roles" => "A person appears as victim and as perpetrator".to_owned(),
            "unrouted" => "A victim's risk was graded and no referral followed".to_owned(),
            other => words(other),
        },
        scope: question.scope.to_string(),
        records: question.records,
        bits: question.bits,
        fields: question.pattern.iter().map(|(field, level)| (words(field), words(level))).collect(),
        bars: question.bars.iter().map(|bar| words(bar)).collect(),
        answers: choices(answers),
        reasons: choices(Reason::value_variants().iter()),
    }
}

/// What can be chosen, with the words that `--help` has for it.
fn choices<'a, T: ValueEnum + 'a>(values: impl Iterator<Item = &'a T>) -> Vec<Choice> {
    let values = values.filter_map(ValueEnum::to_possible_value);
    let choice = |value: clap::builder::PossibleValue| Choice {
        value: value.get_name().to_owned(),
        label: value.get_help().map_or_else(|| value.get_name().to_owned(), ToString::to_string),
    };
    values.map(choice).collect()
}
