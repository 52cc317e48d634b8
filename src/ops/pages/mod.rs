//! Pages for people: health and flow, performance, review. Made on the server in the styles of GOV.UK Frontend, without a
//! script, for every browser, the keyboard and screen readers.
//!
//! Owns how things look and who may see them; what there is to see comes in through [`Provider`]. Counts, codes and keyed
//! ids only: nothing on a page says who anybody is.

pub mod front;
pub mod performance;
pub mod review;
mod session;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

pub use self::performance::{Chart, Performance, Table, document};
pub use self::review::{Answer, Asked, Choice, Waterfall};
pub use self::session::{Reviewer, Sessions};

const GOVUK: &str = include_str!("govuk-frontend.css");
const OURS: &str = include_str!("priorityd.css");

/// What the pages show, from wherever it is kept. Calls may take their time: they run on threads that may wait.
pub trait Provider: Send + Sync {
    /// The latest figures, one for each partnership; asking has them made anew when they are old.
    fn performance(&self) -> Vec<Performance>;

    /// Who may review; `None` where nobody may, and there is no such page.
    ///
    /// # Errors
    /// When the list cannot be read.
    fn reviewers(&self) -> Option<Result<Vec<Reviewer>, Refused>>;

    /// The open questions, for somebody. That they looked is audited before anything is shown.
    ///
    /// # Errors
    /// When the log fails, or it cannot be audited.
    fn questions(&self, by: &str) -> Result<Vec<Asked>, Refused>;

    /// How the records of a question compare, for somebody; audited too.
    ///
    /// # Errors
    /// As for `questions`.
    fn waterfall(&self, asked: &Asked, by: &str) -> Result<Option<Waterfall>, Refused>;

    /// Publishes somebody's answer; gives the id of the event.
    ///
    /// # Errors
    /// When the answer does not fit the question, or the log fails.
    fn decide(&self, answer: &Answer) -> Result<String, Refused>;
}

/// Why something could not be done, for the person who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// Which page it is, for the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Front,
    Performance,
    Review,
}

/// A whole page.
fn page(title: &str, place: Place, body: &Markup) -> Response {
    let links = [
        (Place::Front, "/", "Health"),
        (Place::Performance, "/performance", "Performance"),
        (Place::Review, "/review", "Review"),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" class="govuk-template" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – priorityd" }
                link rel="stylesheet" href="/assets/govuk-frontend.css";
                link rel="stylesheet" href="/assets/priorityd.css";
            }
            body class="govuk-template__body" {
                a href="#main-content" class="govuk-skip-link" { "Skip to main content" }
                header class="priorityd-header" {
                    div class="govuk-width-container" { a href="/" class="priorityd-header__name" { "priorityd" } }
                }
                div class="govuk-service-navigation" {
                    div class="govuk-width-container" {
                        div class="govuk-service-navigation__container" {
                            nav aria-label="Menu" class="govuk-service-navigation__wrapper" {
                                ul class="govuk-service-navigation__list" {
                                    @for (at, href, text) in links {
                                        @if at == place {
                                            li class="govuk-service-navigation__item govuk-service-navigation__item--active" {
                                                a class="govuk-service-navigation__link" href=(href) aria-current="page" {
                                                    strong class="govuk-service-navigation__active-fallback" { (text) }
                                                }
                                            }
                                        } @else {
                                            li class="govuk-service-navigation__item" {
                                                a class="govuk-service-navigation__link" href=(href) { (text) }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                div class="govuk-width-container" {
                    main class="govuk-main-wrapper" id="main-content" tabindex="-1" { (body) }
                }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// A heading and what went wrong.
fn trouble(place: Place, title: &str, why: &str) -> Response {
    page(
        title,
        place,
        &html! {
            h1 class="govuk-heading-l" { (title) }
            p class="govuk-body" { (why) }
        },
    )
}

/// With a capital letter in front.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A style sheet.
pub(super) fn stylesheet(text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")], text)
}

pub(super) async fn govuk_css() -> impl IntoResponse {
    stylesheet(GOVUK)
}

pub(super) async fn our_css() -> impl IntoResponse {
    stylesheet(OURS)
}
