//! Views: exactly the fields that the policies grant, dates to the week and offences to the family unless they grant more.
//!
//! A view is made of a finding or a profile, which hold ids, counts, dates and codes, and of an opened person, who has a
//! name, a date of birth and a reference: no type in here has a place for an address.

use std::rc::Rc;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::identities::OpenedPerson;
use crate::config::agreement::{Field, Grant};
use crate::model::event::Role;
use crate::model::finding::{Finding, FindingKind, OrderState, Profile, Score};

/// How the person is named in one message.
pub enum Naming {
    /// Not at all, beyond the pseudonym of the message.
    Pseudonym,
    /// By the recipient's own reference.
    OwnReference(Rc<OpenedPerson>),
    /// By name.
    Named(Rc<OpenedPerson>),
}

/// The body of an alert, without its id.
#[must_use]
pub fn alert(finding: &Finding, grant: &Grant, naming: Naming, perpetrators: &[Rc<OpenedPerson>]) -> Body {
    let facts = &finding.facts;
    let mut view = View { grant, body: Body::default() };
    view.body.add("kind", finding.kind.as_str());
    view.body.add("headline", finding.kind.headline());
    view.body.add("role", finding.role);
    view.name(naming);
    view.grant(Field::Week, "week", Some(iso_week(finding.on)));
    view.grant(Field::Date, "date", Some(finding.on));
    view.grant(Field::OffenceFamily, "offence_family", facts.offence_family);
    view.grant(Field::Risk, "risk", facts.risk.map(|(from, to)| json!({"from": from, "to": to})));
    view.grant(Field::Agencies, "agencies", (!facts.agencies.is_empty()).then_some(&facts.agencies));
    view.grant(Field::Reports, "reports", facts.reports);
    view.grant(Field::Counterparts, "counterparts", facts.distinct_counterparts);
    view.grant(Field::NewCounterparty, "new_counterparty", facts.new_counterparty);
    view.grant(Field::Order, "order", facts.order.map(|state| order(&state, grant)));
    view.grant(Field::Programme, "programme", facts.programme);
    view.grant(Field::Service, "service", facts.service.as_ref());
    view.grant(Field::Standing, "standing", facts.standing);
    let named: Vec<_> = perpetrators.iter().map(|opened| Named::of(opened)).collect();
    view.grant(Field::PerpetratorIdentity, "perpetrators", (!named.is_empty()).then_some(named));
    view.body
}

/// The body of a list entry, without its pseudonym. Of the findings only those are counted that may be told.
#[must_use]
pub fn list_entry(
    profile: &Profile,
    grant: &Grant,
    naming: Naming,
    confidence: &str,
    may_tell: impl Fn(FindingKind) -> bool,
) -> Body {
    let findings = grant.has(Field::Findings).then(|| {
        let told = profile.findings.iter().filter(|(kind, _)| may_tell(**kind));
        Value::Object(told.map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect())
    });
    let orders: Vec<_> = profile.orders.iter().map(|state| order(state, grant)).collect();
    let flags: &[&str] = if profile.both_roles { &["both_roles"] } else { &[] };
    let is_perpetrator = profile.role == Role::Perpetrator;
    let mut view = View { grant, body: Body::default() };
    view.body.add("role", profile.role);
    view.body.add("flags", flags);
    view.name(naming);
    view.grant(Field::Tier, "tier", profile.tier);
    let reviewed = profile.reviewed_risk.map(|(tool, level)| json!({"tool": tool, "level": level}));
    view.grant(Field::Tier, "reviewed_risk", reviewed);
    view.grant(Field::Findings, "findings", findings);
    view.grant(Field::Reports, "reports", Some(profile.reports));
    view.grant(Field::Counterparts, "counterparts", Some(profile.counterparts));
    view.grant(Field::Agencies, "agencies", Some(&profile.agencies));
    view.grant(Field::Week, "first_week", Some(iso_week(profile.first_on)));
    view.grant(Field::Week, "last_week", Some(iso_week(profile.last_on)));
    view.grant(Field::Date, "last_date", Some(profile.last_on));
    view.grant(Field::Standing, "standing", profile.standing);
    let standings = profile.standings.iter().rev().map(|(standing, (count, last_on))| {
        let (name, last) = day_or_week("last_date", "last_week", *last_on, grant);
        json!({"standing": standing, "count": count, name: last})
    });
    let standings: Vec<_> = standings.collect();
    view.grant(Field::Standing, "standings", (!standings.is_empty()).then_some(Value::Array(standings)));
    view.grant(Field::Risk, "risk", profile.risk);
    view.grant(Field::Risk, "risk_basis", profile.risk_basis.as_ref());
    view.grant(Field::Pathways, "pathways", is_perpetrator.then_some(&profile.pathways));
    let mappa = profile.mappa_level.map(|level| json!({"cohort": "mappa", "level": level}));
    let cohorts = profile.cohorts.iter().map(|cohort| json!({"cohort": cohort})).chain(mappa);
    view.grant(Field::Cohorts, "cohorts", is_perpetrator.then(|| cohorts.collect::<Vec<_>>()));
    view.grant(Field::Score, "score", profile.score.as_ref().map(|told| score(told, grant)));
    view.grant(Field::Intelligence, "intelligence", profile.intelligence);
    view.grant(Field::Order, "orders", Some(Value::Array(orders)));
    view.grant(Field::Programme, "programmes", Some(&profile.programmes));
    view.grant(Field::Confidence, "confidence", Some(confidence));
    // The day would give away the day of the last report, a known number of days before.
    let (name, lapses) = day_or_week("drops_off", "drops_off_week", profile.drops_off, grant);
    view.grant(Field::DropsOff, name, Some(lapses));
    view.body
}

/// A body under construction: nothing gets in but what is granted or every message has.
struct View<'a> {
    grant: &'a Grant,
    body: Body,
}

impl View<'_> {
    fn grant(&mut self, field: Field, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value.filter(|_| self.grant.has(field)) {
            self.body.add(name, value);
        }
    }

    fn name(&mut self, naming: Naming) {
        match naming {
            Naming::OwnReference(opened) => self.body.add("own_reference", &opened.local_ref),
            Naming::Named(opened) => self.body.add("person", Named::of(&opened)),
            Naming::Pseudonym => {}
        }
    }
}

/// Name and date of birth; never the agency's reference, never an address, which is not even sealed. Borrowed: no copy of
/// them is left but the body's, which is wiped.
#[derive(Serialize)]
struct Named<'a> {
    given_names: &'a [String],
    family_name: Option<&'a str>,
    date_of_birth: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn of(opened: &'a OpenedPerson) -> Self {
        Self {
            given_names: &opened.given_names,
            family_name: opened.family_name.as_deref(),
            date_of_birth: opened.date_of_birth.as_deref(),
        }
    }
}

/// RFG(V), its four components beside the total, and the tables that it rests on.
fn score(score: &Score, grant: &Grant) -> Value {
    let (name, last) = day_or_week("last_date", "last_week", score.last_on, grant);
    let part = |value: u32, points: u32| json!({"value": value, "points": points});
    let (values, points) = (&score.values, &score.points);
    json!({
        "recency": {name: last, "points": points.recency},
        "frequency": part(values.frequency, points.frequency),
        "gravity": part(values.gravity, points.gravity),
        "victims": part(values.victims, points.victims),
        "total": score.total,
        "weights_version": score.versions.0,
        "harm_version": score.versions.1,
    })
}

fn order(state: &OrderState, grant: &Grant) -> Value {
    let mut told = Map::new();
    told.insert("kind".to_owned(), json!(state.kind));
    told.insert("breached".to_owned(), json!(state.breached));
    if state.doubtful {
        told.insert("doubtful".to_owned(), json!(true));
    }
    match state.until {
        Some(until) => {
            let (name, until) = day_or_week("until", "until_week", until, grant);
            told.insert(name.to_owned(), until);
        }
        None => drop(told.insert("until".to_owned(), Value::Null)),
    }
    Value::Object(told)
}

/// A day under its name where days are granted, and else its week under another.
fn day_or_week(day: &'static str, week: &'static str, on: Date, grant: &Grant) -> (&'static str, Value) {
    if grant.has(Field::Date) { (day, json!(on)) } else { (week, json!(iso_week(on))) }
}

/// ISO 8601 week, e.g. `2025-W10`.
fn iso_week(on: Date) -> String {
    let week = on.iso_week_date();
    format!("{:04}-W{:02}", week.year(), week.week())
}
