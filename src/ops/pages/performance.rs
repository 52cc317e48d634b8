//! `/performance`: is anything different from what it always was? A chart for each figure, with the numbers under it as a
//! table and as a file.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Place, capital, page, trouble};

/// Figures of one partnership that anybody may see: what comes in here is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Performance {
    /// The partnership.
    pub scope: String,
    /// What the tables are of.
    pub period: String,
    /// When they were made.
    pub made_at: String,
    /// How they are protected.
    pub note: String,
    /// How to read the charts.
    pub legend: String,
    /// Charts over time.
    pub charts: Vec<Chart>,
    /// Tables of the period.
    pub tables: Vec<Table>,
}

/// A chart in all its forms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chart {
    /// A stable name.
    pub id: String,
    /// For a reader.
    pub title: String,
    /// What is counted.
    pub definition: String,
    /// Where it changed, and why.
    pub breaks: Vec<String>,
    /// The drawing.
    pub svg: String,
    /// Headings of the table.
    pub columns: Vec<String>,
    /// The table.
    pub rows: Vec<Vec<String>>,
    /// The table as a file.
    pub csv: String,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// For a reader.
    pub title: String,
    /// What is counted.
    pub note: String,
    /// Headings, but for the first.
    pub columns: Vec<String>,
    /// Labels and cells.
    pub rows: Vec<(String, Vec<String>)>,
}

/// The page.
pub(in crate::ops) fn performance(all: &[Performance]) -> Response {
    page(
        "Performance",
        Place::Performance,
        &html! {
            h1 class="govuk-heading-xl" { "Performance" }
            @if all.is_empty() {
                p class="govuk-body" {
                    "The figures are being made: look again in a minute. They are of what is recorded, in months that are closed."
                }
            }
            @for one in all { (figures(one, true)) }
        },
    )
}

/// The same as a document of its own, which needs no server.
#[must_use]
pub fn document(all: &[Performance]) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" class="govuk-template" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Performance – priorityd" }
                style { (PreEscaped(super::GOVUK)) (PreEscaped(super::OURS)) }
            }
            body class="govuk-template__body" {
                div class="govuk-width-container" {
                    main class="govuk-main-wrapper" {
                        h1 class="govuk-heading-xl" { "Performance" }
                        @for one in all { (figures(one, false)) }
                    }
                }
            }
        }
    };
    document.into_string()
}

/// Charts and tables of one partnership; whoever has no server has no files to fetch.
fn figures(one: &Performance, has_files: bool) -> Markup {
    html! {
        h2 class="govuk-heading-l" { (capital(&one.scope)) }
        p class="govuk-body" { (one.legend) }
        p class="govuk-body" { (one.note) }
        p class="govuk-hint" { "Made " (one.made_at) "." }
        @for chart in &one.charts {
            div class="priorityd-chart" {
                h3 class="govuk-heading-m" id={ "chart-" (chart.id) } { (chart.title) }
                p class="govuk-body" { (chart.definition) }
                @if !chart.breaks.is_empty() {
                    p class="govuk-body" {
                        "At the dotted lines mean and limits begin anew, since more or less is recorded from then on:"
                    }
                    ol class="govuk-list govuk-list--number" {
                        @for why in &chart.breaks { li { (why) } }
                    }
                }
                div class="priorityd-drawing" { (PreEscaped(&chart.svg)) }
                @if has_files {
                    p class="govuk-body" {
                        a class="govuk-link" href={ "/performance/" (one.scope) "/" (chart.id) ".csv" } download {
                            "Download “" (chart.title) "” as CSV"
                        }
                    }
                }
                details class="govuk-details" {
                    summary class="govuk-details__summary" {
                        span class="govuk-details__summary-text" { "Numbers of “" (chart.title) "”" }
                    }
                    div class="govuk-details__text" {
                        div class="priorityd-scroll" tabindex="0" role="region" aria-label={ "Numbers of " (chart.title) } {
                            table class="govuk-table" {
                                caption class="govuk-visually-hidden" { (chart.title) ", by month" }
                                thead class="govuk-table__head" {
                                    tr class="govuk-table__row" {
                                        @for column in &chart.columns {
                                            th scope="col" class="govuk-table__header" { (capital(column)) }
                                        }
                                    }
                                }
                                tbody class="govuk-table__body" {
                                    @for row in &chart.rows {
                                        tr class="govuk-table__row" {
                                            @for (at, cell) in row.iter().enumerate() {
                                                @if at == 0 {
                                                    th scope="row" class="govuk-table__header priorityd-month" { (cell) }
                                                } @else {
                                                    td class="govuk-table__cell" { (cell) }
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        h3 class="govuk-heading-l" { (capital(&one.scope)) ", " (one.period) }
        @for table in &one.tables {
            h4 class="govuk-heading-m" { (table.title) }
            p class="govuk-body" { (table.note) }
            div class="priorityd-scroll" tabindex="0" role="region" aria-label=(table.title) {
                table class="govuk-table" {
                    caption class="govuk-visually-hidden" { (table.title) }
                    thead class="govuk-table__head" {
                        tr class="govuk-table__row" {
                            th scope="col" class="govuk-table__header" { "Figure" }
                            @for column in &table.columns {
                                th scope="col" class="govuk-table__header govuk-table__header--numeric" { (capital(column)) }
                            }
                        }
                    }
                    tbody class="govuk-table__body" {
                        @for (label, cells) in &table.rows {
                            tr class="govuk-table__row" {
                                th scope="row" class="govuk-table__header govuk-!-font-weight-regular" { (label) }
                                @for cell in cells {
                                    td class="govuk-table__cell govuk-table__cell--numeric" { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One chart's numbers as a file.
pub(in crate::ops) fn csv(all: &[Performance], scope: &str, file: &str) -> Response {
    let of_scope = all.iter().find(|one| one.scope == scope);
    let id = file.strip_suffix(".csv").unwrap_or_default();
    match of_scope.and_then(|one| one.charts.iter().find(|chart| chart.id == id)) {
        Some(chart) => {
            let name = format!("attachment; filename=\"{}-{}.csv\"", scope, chart.id);
            let headers =
                [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
            (headers, chart.csv.clone()).into_response()
        }
        None => {
            let page = trouble(Place::Performance, "There is no such chart", "The charts are on the page Performance.");
            (StatusCode::NOT_FOUND, page).into_response()
        }
    }
}
