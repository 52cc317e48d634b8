//! Views: exactly the fields that the policies grant, dates to the week and offences to the family unless they grant more.
//!
//! A view is made of a finding or a profile, which hold ids, counts, dates and codes, and of an opened person, who has a
//! name, a date of birth and a reference: no type in here has a place for an address.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::identities::OpenedPerson;
use crate::config::agreement::{Field, Grant};
use crate::model::event::Role;
use crate::model::finding::{Finding, FindingKind, OrderState, Profile, Score};

/// How the person is named in one message.
pub enum Naming {
    /// Not at all, beyond the pseudonym of the message.
    Pseudonym,
    /// By the recipient's own reference.
    OwnReference(OpenedPerson),
    /// By name.
    Named(OpenedPerson),
}

/// The body of an alert, without its id.
#[must_use]
pub fn alert(finding: &Finding, grant: &Grant, naming: Naming, perpetrators: Vec<OpenedPerson>) -> Map<String, Value> {
    let facts = &finding.facts;
    let mut view = View { grant, body: Map::new() };
    view.always("kind", json!(finding.kind.as_str()));
    view.always("headline", json!(finding.kind.headline()));
    view.always("role", json!(finding.role));
    view.name(naming);
    view.grant(Field::Week, "week", Some(json!(iso_week(finding.on))));
    view.grant(Field::Date, "date", Some(json!(finding.on)));
    view.grant(Field::OffenceFamily, "offence_family", facts.offence_family.map(|family| json!(family)));
    view.grant(Field::Risk, "risk", facts.risk.map(|(from, to)| json!({"from": from, "to": to})));
    view.grant(Field::Agencies, "agencies", (!facts.agencies.is_empty()).then(|| json!(facts.agencies)));
    view.grant(Field::Reports, "reports", facts.reports.map(|count| json!(count)));
    view.grant(Field::Counterparts, "counterparts", facts.distinct_counterparts.map(|count| json!(count)));
    view.grant(Field::NewCounterparty, "new_counterparty", facts.new_counterparty.map(|is_new| json!(is_new)));
    view.grant(Field::Order, "order", facts.order.map(|state| order(&state, grant)));
    view.grant(Field::Programme, "programme", facts.programme.map(|programme| json!(programme)));
    view.grant(Field::Service, "service", facts.service.as_ref().map(|service| json!(service)));
    view.grant(Field::Standing, "standing", facts.standing.map(|standing| json!(standing)));
    let named: Vec<_> = perpetrators.iter().map(person).collect();
    view.grant(Field::PerpetratorIdentity, "perpetrators", (!named.is_empty()).then_some(Value::Array(named)));
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
) -> Map<String, Value> {
    let findings = grant.has(Field::Findings).then(|| {
        let told = profile.findings.iter().filter(|(kind, _)| may_tell(**kind));
        Value::Object(told.map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect())
    });
    let orders: Vec<_> = profile.orders.iter().map(|state| order(state, grant)).collect();
    let flags: &[&str] = if profile.both_roles { &["both_roles"] } else { &[] };
    let is_perpetrator = profile.role == Role::Perpetrator;
    let mut view = View { grant, body: Map::new() };
    view.always("role", json!(profile.role));
    view.always("flags", json!(flags));
    view.name(naming);
    view.grant(Field::Tier, "tier", profile.tier.map(|tier| json!(tier)));
    let reviewed = profile.reviewed_risk.map(|(tool, level)| json!({"tool": tool, "level": level}));
    view.grant(Field::Tier, "reviewed_risk", reviewed);
    view.grant(Field::Findings, "findings", findings);
    view.grant(Field::Reports, "reports", Some(json!(profile.reports)));
    view.grant(Field::Counterparts, "counterparts", Some(json!(profile.counterparts)));
    view.grant(Field::Agencies, "agencies", Some(json!(profile.agencies)));
    view.grant(Field::Week, "first_week", Some(json!(iso_week(profile.first_on))));
    view.grant(Field::Week, "last_week", Some(json!(iso_week(profile.last_on))));
    view.grant(Field::Date, "last_date", Some(json!(profile.last_on)));
    view.grant(Field::Standing, "standing", profile.standing.map(|standing| json!(standing)));
    let standings = profile.standings.iter().rev().map(|(standing, (count, last_on))| {
        let (name, last) = day_or_week("last_date", "last_week", *last_on, grant);
        json!({"standing": standing, "count": count, name: last})
    });
    let standings: Vec<_> = standings.collect();
    view.grant(Field::Standing, "standings", (!standings.is_empty()).then_some(Value::Array(standings)));
    view.grant(Field::Risk, "risk", profile.risk.map(|risk| json!(risk)));
    view.grant(Field::Risk, "risk_basis", profile.risk_basis.as_ref().map(|basis| json!(basis)));
    view.grant(Field::Pathways, "pathways", is_perpetrator.then(|| json!(profile.pathways)));
    let mappa = profile.mappa_level.map(|level| json!({"cohort": "mappa", "level": level}));
    let cohorts = profile.cohorts.iter().map(|cohort| json!({"cohort": cohort})).chain(mappa);
    view.grant(Field::Cohorts, "cohorts", is_perpetrator.then(|| cohorts.collect()));
    view.grant(Field::Score, "score", profile.score.as_ref().map(|told| score(told, grant)));
    view.grant(Field::Intelligence, "intelligence", profile.intelligence.map(|intelligence| json!(intelligence)));
    view.grant(Field::Order, "orders", Some(Value::Array(orders)));
    view.grant(Field::Programme, "programmes", Some(json!(profile.programmes)));
    view.grant(Field::Confidence, "confidence", Some(json!(confidence)));
    // The day would give away the day of the last report, a known number of days before.
    let (name, lapses) = day_or_week("drops_off", "drops_off_week", profile.drops_off, grant);
    view.grant(Field::DropsOff, name, Some(lapses));
    view.body
}

/// A body under construction: nothing gets in but what is granted or every message has.
struct View<'a> {
    grant: &'a Grant,
    body: Map<String, Value>,
}

impl View<'_> {
    fn always(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }

    fn grant(&mut self, field: Field, name: &str, value: Option<Value>) {
        if let Some(value) = value.filter(|_| self.grant.has(field)) {
            self.body.insert(name.to_owned(), value);
        }
    }

    fn name(&mut self, naming: Naming) {
        match naming {
            Naming::OwnReference(opened) => self.always("own_reference", json!(opened.local_ref)),
            Naming::Named(opened) => self.always("person", person(&opened)),
            Naming::Pseudonym => {}
        }
    }
}

/// Name and date of birth; never the agency's reference, never an address, which is not even sealed.
fn person(opened: &OpenedPerson) -> Value {
    json!({
        "given_names": opened.given_names,
        "family_name": opened.family_name,
        "date_of_birth": opened.date_of_birth,
    })
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
