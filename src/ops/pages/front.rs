//! `/`: is it well, and does everything flow?

use axum::response::Response;
use maud::{Markup, html};

use super::{Place, page};
use crate::ops::health::State;
use crate::ops::metrics::Flow;

/// The page.
pub(in crate::ops) fn front(state: State, flow: &Flow) -> Response {
    let (tag, said) = match state {
        State::Ready => ("govuk-tag--green", "Ready"),
        State::Waiting(_) => ("govuk-tag--yellow", "Not ready"),
        State::Failed(_) => ("govuk-tag--red", "Failed"),
        State::Stopped => ("govuk-tag--grey", "Stopping"),
    };
    page(
        "Health and flow",
        Place::Front,
        &html! {
            h1 class="govuk-heading-xl" { "Health and flow" }
            p class="govuk-body-l" {
                strong class={ "govuk-tag " (tag) } { (said) }
                @if let State::Waiting(why) | State::Failed(why) = state { " " (why) }
            }
            dl class="govuk-summary-list" {
                (line("Agreement in use", &format!("serial {}", flow.agreement_serial)))
                (line("Disclosure", if flow.is_held { "everything is held" } else { "as the agreement permits" }))
                (line("Failures of the log since the start", &flow.log_failures.to_string()))
            }
            (table("Feeds", "Records read of each feed since its register began, by what became of them. Waiting: there and not \
                yet committed.", &["Feed", "Read", "Accepted", "Rejected", "Duplicate", "Superseded", "Waiting"],
                flow.feeds.iter().map(|(feed, (counts, waiting))| {
                    let numbers = [counts.read, counts.accepted, counts.rejected, counts.duplicate, counts.superseded];
                    let waiting = waiting.map_or_else(|| "–".to_owned(), |waiting| waiting.to_string());
                    (feed.clone(), numbers.iter().map(ToString::to_string).chain([waiting]).collect())
                })))
            (table("Messages", "Sent since the start, ends of list entries included.", &["Recipient", "Alerts", "List entries"],
                flow.messages.iter().map(|(recipient, counts)| {
                    (recipient.clone(), vec![counts.0.to_string(), counts.1.to_string()])
                })))
            (table("Held", "Disclosures held since the start, by reason.", &["Reason", "Held"],
                flow.held.iter().map(|(reason, count)| (reason.replace('_', " "), vec![count.to_string()]))))
            (table("Partitions", "Of this instance.", &["Partition", "State"],
                flow.partitions.iter().map(|(partition, ready)| {
                    (partition.to_string(), vec![if *ready { "worked on" } else { "being restored" }.to_owned()])
                })))
        },
    )
}

fn line(key: &str, value: &str) -> Markup {
    html! {
        div class="govuk-summary-list__row" {
            dt class="govuk-summary-list__key" { (key) }
            dd class="govuk-summary-list__value" { (value) }
        }
    }
}

fn table(title: &str, note: &str, columns: &[&str], rows: impl Iterator<Item = (String, Vec<String>)>) -> Markup {
    let rows: Vec<_> = rows.collect();
    html! {
        h2 class="govuk-heading-m" { (title) }
        p class="govuk-body" { (note) }
        @if rows.is_empty() {
            p class="govuk-inset-text" { "None." }
        } @else {
            div class="priorityd-scroll" tabindex="0" role="region" aria-label=(title) {
                table class="govuk-table" {
                    caption class="govuk-visually-hidden" { (title) }
                    thead class="govuk-table__head" {
                        tr class="govuk-table__row" {
                            @for (at, column) in columns.iter().enumerate() {
                                th scope="col" class={ "govuk-table__header" @if at > 0 { " govuk-table__header--numeric" } } { (column) }
                            }
                        }
                    }
                    tbody class="govuk-table__body" {
                        @for (label, cells) in rows {
                            tr class="govuk-table__row" {
                                th scope="row" class="govuk-table__header" { (label) }
                                @for cell in cells { td class="govuk-table__cell govuk-table__cell--numeric" { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
