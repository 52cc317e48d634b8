//! What breaks a rule of the domain and is accepted all the same, for a rule of law is no reason to know less: a notice
//! that runs over a bank holiday, an order whose end was typed wrong, a grade lower than its answers. Told at the
//! producer's door, where it can still be looked up; later the order and the grade count as they were sent.

use serde::Deserialize;

use super::document::{Fields, Node};
use super::problem::{Check, Path, Problem};
use super::rules::day;
use crate::model::event::{OrderKind, SAFELIVES_DASH, VISIBLE_HIGH_RISK, usual_days};
use crate::model::outcome::RejectCode;

/// Tells what is doubtful.
pub(super) fn check(envelope: &Node<'_>, problems: &mut Vec<Problem>) {
    let Some(data) = envelope.get("data").and_then(Node::as_object) else { return };
    check_length(data, problems);
    let text = |name| data.get(name).and_then(Node::as_str);
    let yes_count = data.get("yes_count").and_then(Node::as_u64);
    let is_high = text("grade").is_none_or(|grade| grade == "high");
    if text("tool") == Some(SAFELIVES_DASH)
        && yes_count.is_some_and(|count| count >= VISIBLE_HIGH_RISK.into())
        && !is_high
    {
        let help = "look the assessment up: judgement may raise a grade, never lower it";
        problems.push(doubt("grade", "14 and more yes answers of 24 are a visible high risk", help));
    }
}

/// Does a notice or order last as long as its kind may?
fn check_length(data: &Fields<'_>, problems: &mut Vec<Problem>) {
    let kind = data.get("order").and_then(|order| OrderKind::deserialize(order).ok());
    let on = |name| data.get(name).and_then(day);
    let (Some(kind), Some(served), Some(expires)) = (kind, on("served_on"), on("expires_on")) else { return };
    let (least, most) = usual_days(kind);
    let days = (expires - served).get_days();
    if days < least || most.is_some_and(|most| days > most) {
        let rule = "a DVPN or DAPN lasts up to 48 hours, a DVPO 14 to 28 days";
        problems.push(doubt("expires_on", rule, "look the order up and send it with supersedes if the day is wrong"));
    }
}

fn doubt(name: &'static str, rule: &'static str, help: &'static str) -> Problem {
    Problem::new(Check::Dates, RejectCode::Doubtful, Path::of(&["data", name]), rule, help)
}
