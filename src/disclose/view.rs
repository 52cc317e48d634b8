//! Views: exactly the fields that a clause grants, dates to the week and offences to the family unless it grants more.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::identities::OpenedPerson;
use crate::config::agreement::{Clause, Field, IdentityMode};
use crate::model::finding::{Finding, OrderState, Profile};

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
pub fn alert(
    finding: &Finding,
    clause: &Clause,
    naming: Naming,
    perpetrators: Vec<OpenedPerson>,
) -> Map<String, Value> {
    let facts = &finding.facts;
    let mut view = View { clause, body: Map::new() };
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
    view.grant(Field::Order, "order", facts.order.map(|state| order(&state)));
    view.grant(Field::Programme, "programme", facts.programme.map(|programme| json!(programme)));
    let named: Vec<_> = perpetrators.iter().map(person).collect();
    view.grant(Field::PerpetratorIdentity, "perpetrators", (!named.is_empty()).then_some(Value::Array(named)));
    view.body
}

/// The body of a list entry, without its pseudonym.
#[must_use]
pub fn list_entry(profile: &Profile, clause: &Clause, naming: Naming, confidence: &str) -> Map<String, Value> {
    let findings: Map<_, _> =
        profile.findings.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect();
    let orders: Vec<_> = profile.orders.iter().map(order).collect();
    let flags: &[&str] = if profile.both_roles { &["both_roles"] } else { &[] };
    let mut view = View { clause, body: Map::new() };
    view.always("role", json!(profile.role));
    view.always("flags", json!(flags));
    view.name(naming);
    view.grant(Field::Tier, "tier", profile.tier.map(|tier| json!(tier)));
    view.grant(Field::Findings, "findings", Some(Value::Object(findings)));
    view.grant(Field::Reports, "reports", Some(json!(profile.reports)));
    view.grant(Field::Counterparts, "counterparts", Some(json!(profile.counterparts)));
    view.grant(Field::Agencies, "agencies", Some(json!(profile.agencies)));
    view.grant(Field::Week, "first_week", Some(json!(iso_week(profile.first_on))));
    view.grant(Field::Week, "last_week", Some(json!(iso_week(profile.last_on))));
    view.grant(Field::Date, "last_date", Some(json!(profile.last_on)));
    view.grant(Field::Standing, "standing", profile.standing.map(|standing| json!(standing)));
    view.grant(Field::Risk, "risk", profile.risk.map(|risk| json!(risk)));
    view.grant(Field::Order, "orders", Some(Value::Array(orders)));
    view.grant(Field::Programme, "programmes", Some(json!(profile.programmes)));
    view.grant(Field::Confidence, "confidence", Some(json!(confidence)));
    view.grant(Field::DropsOff, "drops_off", Some(json!(profile.drops_off)));
    view.body
}

/// A body under construction: nothing gets in but what the clause grants or every message has.
struct View<'a> {
    clause: &'a Clause,
    body: Map<String, Value>,
}

impl View<'_> {
    fn always(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }

    fn grant(&mut self, field: Field, name: &str, value: Option<Value>) {
        if let Some(value) = value.filter(|_| self.clause.fields.contains(&field)) {
            self.body.insert(name.to_owned(), value);
        }
    }

    fn name(&mut self, naming: Naming) {
        match (self.clause.identity, naming) {
            (IdentityMode::OwnReference, Naming::OwnReference(opened)) => {
                self.always("own_reference", json!(opened.local_ref));
            }
            (IdentityMode::Sealed, Naming::Named(opened)) => self.always("person", person(&opened)),
            (IdentityMode::None | IdentityMode::OwnReference | IdentityMode::Sealed, _) => {}
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

fn order(state: &OrderState) -> Value {
    json!({"kind": state.kind, "until": state.until, "breached": state.breached})
}

/// ISO 8601 week, e.g. `2025-W10`.
fn iso_week(on: Date) -> String {
    let week = on.iso_week_date();
    format!("{:04}-W{:02}", week.year(), week.week())
}
