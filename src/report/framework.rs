//! The performance framework: which tables and series there are, in their order.

use super::facts::{Facts, back};
use super::figures::{children, demand, justice, people, repeats, risk, support};
use super::table::Months;
use super::{Break, Period, Place, Report, Series};
use crate::config::rules::Rules;
use crate::model::event::{Answer, Detail, Risk, Role};
use crate::model::ids::ScopeId;
use crate::model::linked::LinkedEvent;

/// All figures of a scope as of a day, from its events in force; `breaks` are those that are known of from elsewhere.
#[must_use]
pub fn report(scope: &ScopeId, events: &[LinkedEvent<'_>], period: Period, rules: &Rules, breaks: &[Break]) -> Report {
    let facts = Facts::new(events, period, rules);
    let sections = [
        demand::tables,
        repeats::tables,
        risk::tables,
        people::tables,
        justice::tables,
        support::tables,
        children::tables,
    ];
    let tables: Vec<_> = sections.into_iter().flat_map(|section| section(&facts)).collect();
    let mut series = series(&facts, breaks);
    for one in &mut series {
        one.total = totals(one.id);
    }
    Report { scope: scope.clone(), period, tables, series }
}

/// The cell that sums a series up over the period.
fn totals(series: &str) -> Option<Place> {
    let (table, row) = match series {
        "incidents" => ("demand", 0),
        "crimes" => ("demand", 1),
        "marac" => ("marac", 0),
        "referrals" => ("referrals", 0),
        _ => return None,
    };
    Some(Place { table, row, column: 0 })
}

fn series(facts: &Facts<'_>, breaks: &[Break]) -> Vec<Series> {
    let months = Months::new(facts, breaks);
    let incidents = || facts.happenings.iter().filter(|happening| happening.incident);
    let events =
        |is: fn(&Detail) -> bool| facts.events.iter().filter(move |event| is(event.detail)).map(|event| event.on());
    let repeats = incidents().filter(|happening| {
        let before = happening.victims.iter().flat_map(|victim| facts.of(&facts.people[victim], Role::Victim));
        let since = back(happening.at, facts.rules.repeat_days);
        before.into_iter().any(|earlier| earlier.at >= since && (earlier.at, earlier.id) < (happening.at, happening.id))
    });
    vec![
        months.series(
            "incidents",
            "Incidents",
            "Recorded incidents of domestic abuse, by the day they happened.",
            incidents().map(|happening| happening.on()),
        ),
        months.series(
            "crimes",
            "Crimes",
            "Recorded crimes of domestic abuse, by the day they happened.",
            events(|detail| matches!(detail, Detail::Crime { domestic_abuse: true, .. })),
        ),
        months.series(
            "repeat_incidents",
            "Incidents whose victim was reported within the 12 months before",
            "Recorded incidents whose victim was reported within the 12 months before. In the first 12 months of a \
            register it rises only because less is held.",
            repeats.map(|happening| happening.on()),
        ),
        months.series(
            "high_risk",
            "High-risk assessments",
            "Risk assessments of victims graded high.",
            events(|detail| matches!(detail, Detail::RiskAssessment { grade: Risk::High, .. })),
        ),
        months.series(
            "marac",
            "Cases referred to MARAC",
            "Referrals to MARAC, repeats included.",
            events(|detail| matches!(detail, Detail::MaracReferral { .. })),
        ),
        months.series(
            "mash",
            "MASH contacts that involve domestic abuse",
            "Contacts to the MASH with domestic abuse as a factor; one about several children counts once.",
            events(|detail| matches!(detail, Detail::MashContact { domestic_abuse: Answer::Yes, .. })),
        ),
        months.series(
            "referrals",
            "Referrals to specialist services",
            "Referrals that specialist services received.",
            events(|detail| matches!(detail, Detail::ReferralReceived { .. })),
        ),
        months.series(
            "disclosure_requests",
            "Disclosure requests",
            "Requests under the Domestic Violence Disclosure Scheme.",
            events(|detail| matches!(detail, Detail::DvdsRequest { .. })),
        ),
        months.series(
            "orders_breached",
            "Breaches of protection orders",
            "Recorded breaches of protection notices and orders.",
            events(|detail| matches!(detail, Detail::ProtectionOrder { breached_on: Some(_), .. })),
        ),
    ]
}
