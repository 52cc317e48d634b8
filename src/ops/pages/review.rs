//! `/review`: what the machine asks people. Whoever looks is known by a token and audited; an answer is published as
//! `priorityd review decide` would publish it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Form, Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use super::session::{NotIn, SignedIn};
use super::{Place, Provider, Refused, Reviewer, capital, page, trouble};
use crate::ops::http::Site;

const COOKIE: &str = "priorityd_review";
const SIGN_IN: &str = "/review/sign-in";

/// An open question.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// In words.
    pub kind: String,
    /// The partnership.
    pub scope: String,
    /// The records that it is about.
    pub records: Vec<String>,
    /// How much speaks for one person, in bits; missing where that is not the question.
    pub bits: Option<f64>,
    /// How the fields compare.
    pub fields: Vec<(String, String)>,
    /// Why the records cannot be one person's.
    pub bars: Vec<String>,
    /// What can be answered.
    pub answers: Vec<Choice>,
    /// Why.
    pub reasons: Vec<Choice>,
}

/// One of several answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As a decision has it.
    pub value: String,
    /// For a reader.
    pub label: String,
}

/// How two records compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waterfall {
    /// A drawing with title and description.
    pub svg: String,
}

/// Somebody's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// To which question.
    pub question: String,
    /// The answer.
    pub decision: String,
    /// Why.
    pub reason: String,
    /// Whose.
    pub by: String,
}

#[derive(Deserialize)]
pub(in crate::ops) struct SignInForm {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
pub(in crate::ops) struct SignOutForm {
    #[serde(default)]
    form: String,
}

#[derive(Deserialize)]
pub(in crate::ops) struct AnswerForm {
    #[serde(default)]
    form: String,
    #[serde(default)]
    decision: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
pub(in crate::ops) struct Done {
    done: Option<String>,
}

type OfSite = Shared<Arc<Site>>;

/// Runs what may wait on a thread that may.
async fn waiting<T: Send + 'static>(
    site: &Arc<Site>,
    call: impl FnOnce(&dyn Provider) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Response> {
    let provider = Arc::clone(&site.provider);
    let refused = match tokio::task::spawn_blocking(move || call(provider.as_ref())).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(Refused(why))) => why,
        Err(_) => "a fault of ours".to_owned(),
    };
    let page = trouble(Place::Review, "That could not be done", &refused);
    Err((StatusCode::SERVICE_UNAVAILABLE, page).into_response())
}

async fn reviewers(site: &Arc<Site>) -> Result<Vec<Reviewer>, Response> {
    let listed = waiting(site, |provider| provider.reviewers().transpose()).await?;
    listed.ok_or_else(|| {
        let why = "Nobody may review here: name a review_token_file in the configuration, and make tokens with \
            `priorityd review token`.";
        (StatusCode::NOT_FOUND, trouble(Place::Review, "Review is not set up", why)).into_response()
    })
}

/// Who asks; whoever does not say is asked to sign in.
async fn signed_in(site: &Arc<Site>, headers: &HeaderMap) -> Result<SignedIn, Response> {
    let reviewers = reviewers(site).await?;
    site.sessions.who(cookie(headers), &reviewers, Instant::now()).map_err(|why| match why {
        NotIn::Unknown | NotIn::SignedOut => Redirect::to(SIGN_IN).into_response(),
        NotIn::TooMany => too_many(),
    })
}

fn too_many() -> Response {
    let page = trouble(Place::Review, "Too many requests", "Wait a minute, then try again.");
    (StatusCode::TOO_MANY_REQUESTS, page).into_response()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Forms are sent by our own pages only, as browsers say; one that says nothing is held to the form's secret alone.
fn is_foreign(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin")
}

fn forged() -> Response {
    let why = "It did not come from a page of yours. Nothing was done; go back to the questions and try again.";
    (StatusCode::FORBIDDEN, trouble(Place::Review, "The form was refused", why)).into_response()
}

/// `GET /review/sign-in`.
pub(in crate::ops) async fn sign_in_page(Shared(site): OfSite) -> Response {
    match reviewers(&site).await {
        Ok(_) => sign_in_form(None),
        Err(page) => page,
    }
}

fn sign_in_form(error: Option<&str>) -> Response {
    let title = if error.is_some() { "Error: Sign in to review" } else { "Sign in to review" };
    page(
        title,
        Place::Review,
        &html! {
            @if let Some(error) = error { (error_summary(&[("token", error)])) }
            h1 class="govuk-heading-l" { "Sign in to review" }
            form method="post" action=(SIGN_IN) novalidate {
                div class={ "govuk-form-group" @if error.is_some() { " govuk-form-group--error" } } {
                    label class="govuk-label" for="token" { "Your token" }
                    div class="govuk-hint" id="token-hint" { "As it was given to you. What you look at and decide is recorded under your initials." }
                    @if let Some(error) = error { p class="govuk-error-message" id="token-error" { span class="govuk-visually-hidden" { "Error: " } (error) } }
                    input class={ "govuk-input" @if error.is_some() { " govuk-input--error" } } id="token" name="token" type="password"
                        autocomplete="off" spellcheck="false" aria-describedby={ "token-hint" @if error.is_some() { " token-error" } };
                }
                button type="submit" class="govuk-button" { "Sign in" }
            }
        },
    )
}

/// `POST /review/sign-in`.
pub(in crate::ops) async fn sign_in(
    Shared(site): OfSite,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Response {
    let reviewers = match reviewers(&site).await {
        Ok(reviewers) => reviewers,
        Err(page) => return page,
    };
    if is_foreign(&headers) {
        return forged();
    }
    match site.sessions.sign_in(&form.token, &reviewers, Instant::now()) {
        Ok(cookie) => {
            tracing::info!("a reviewer signed in");
            // Not `Secure`: the pages are served on the loopback interface alone.
            let cookie = format!("{COOKIE}={cookie}; Path=/review; HttpOnly; SameSite=Strict; Max-Age=28800");
            ([(header::SET_COOKIE, cookie)], Redirect::to("/review")).into_response()
        }
        Err(NotIn::TooMany) => too_many(),
        Err(NotIn::Unknown | NotIn::SignedOut) => {
            tracing::warn!("a reviewer's token was refused");
            (StatusCode::FORBIDDEN, sign_in_form(Some("Enter the token that was given to you"))).into_response()
        }
    }
}

/// `POST /review/sign-out`.
pub(in crate::ops) async fn sign_out(
    Shared(site): OfSite,
    headers: HeaderMap,
    Form(form): Form<SignOutForm>,
) -> Response {
    match signed_in(&site, &headers).await {
        Ok(who) if who.sent(&form.form) && !is_foreign(&headers) => {
            cookie(&headers).into_iter().for_each(|cookie| site.sessions.sign_out(cookie));
            let gone = format!("{COOKIE}=; Path=/review; HttpOnly; SameSite=Strict; Max-Age=0");
            ([(header::SET_COOKIE, gone)], Redirect::to(SIGN_IN)).into_response()
        }
        Ok(_) => forged(),
        Err(page) => page,
    }
}

/// `GET /review`.
pub(in crate::ops) async fn queue(Shared(site): OfSite, headers: HeaderMap, Query(done): Query<Done>) -> Response {
    let who = match signed_in(&site, &headers).await {
        Ok(who) => who,
        Err(page) => return page,
    };
    let by = who.by.clone();
    match waiting(&site, move |provider| provider.questions(&by)).await {
        Ok(questions) => {
            // Only what looks like an id is repeated.
            let is_id =
                |text: &String| text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
            queue_page(&questions, &who, done.done.filter(is_id).as_deref())
        }
        Err(page) => page,
    }
}

fn queue_page(questions: &[Asked], who: &SignedIn, done: Option<&str>) -> Response {
    page(
        "Review",
        Place::Review,
        &html! {
            @if let Some(event) = done {
                div class="govuk-notification-banner govuk-notification-banner--success" role="alert" aria-labelledby="banner" {
                    div class="govuk-notification-banner__header" {
                        h2 class="govuk-notification-banner__title" id="banner" { "Published" }
                    }
                    div class="govuk-notification-banner__content" {
                        p class="govuk-notification-banner__heading" {
                            "Your answer takes effect in a moment. To take it back: "
                            span class="priorityd-id" { "priorityd review undo " (event) }
                        }
                    }
                }
            }
            h1 class="govuk-heading-xl" { "Review" }
            p class="govuk-body" {
                "Questions and answers hold no identity: look the records up with the agencies. The likeliest come first."
            }
            p class="govuk-body-l" { (questions.len()) @if questions.len() == 1 { " open question" } @else { " open questions" } }
            @if !questions.is_empty() {
                div class="priorityd-scroll" tabindex="0" role="region" aria-label="Open questions" {
                    table class="govuk-table" {
                        caption class="govuk-visually-hidden" { "Open questions" }
                        thead class="govuk-table__head" {
                            tr class="govuk-table__row" {
                                @for heading in ["Question", "About", "Partnership"] {
                                    th scope="col" class="govuk-table__header" { (heading) }
                                }
                                th scope="col" class="govuk-table__header govuk-table__header--numeric" { "Bits for one person" }
                            }
                        }
                        tbody class="govuk-table__body" {
                            @for asked in questions {
                                tr class="govuk-table__row" {
                                    th scope="row" class="govuk-table__header" {
                                        a class="govuk-link priorityd-id" href={ "/review/" (asked.id) } { (asked.id) }
                                    }
                                    td class="govuk-table__cell" { (asked.kind) }
                                    td class="govuk-table__cell" { (asked.scope) }
                                    td class="govuk-table__cell govuk-table__cell--numeric" {
                                        (asked.bits.map_or_else(|| "–".to_owned(), |bits| format!("{bits:+.2}")))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            form method="post" action="/review/sign-out" {
                input type="hidden" name="form" value=(who.form);
                p class="govuk-body" { "Signed in as " (who.by) "." }
                button type="submit" class="govuk-button govuk-button--secondary" { "Sign out" }
            }
        },
    )
}

/// What a page about one question needs.
async fn one(site: &Arc<Site>, id: String, who: &SignedIn) -> Result<(Asked, Option<Waterfall>), Response> {
    let by = who.by.clone();
    let found = waiting(site, move |provider| {
        let asked = provider.questions(&by)?.into_iter().find(|asked| asked.id == id);
        let waterfall = asked.as_ref().map(|asked| provider.waterfall(asked, &by)).transpose()?.flatten();
        Ok(asked.map(|asked| (asked, waterfall)))
    });
    found.await?.ok_or_else(|| {
        let why = "It may have been answered, or fallen away. The page Review has those that are open.";
        (StatusCode::NOT_FOUND, trouble(Place::Review, "There is no such open question", why)).into_response()
    })
}

/// `GET /review/{id}`.
pub(in crate::ops) async fn question(Shared(site): OfSite, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let who = match signed_in(&site, &headers).await {
        Ok(who) => who,
        Err(page) => return page,
    };
    match one(&site, id, &who).await {
        Ok((asked, waterfall)) => question_page(&asked, waterfall.as_ref(), &who, &AnswerForm::empty(), &[]),
        Err(page) => page,
    }
}

/// `POST /review/{id}`.
pub(in crate::ops) async fn answer(
    Shared(site): OfSite,
    headers: HeaderMap,
    Path(id): Path<String>,
    Form(form): Form<AnswerForm>,
) -> Response {
    let who = match signed_in(&site, &headers).await {
        Ok(who) => who,
        Err(page) => return page,
    };
    if is_foreign(&headers) || !who.sent(&form.form) {
        return forged();
    }
    let (asked, waterfall) = match one(&site, id, &who).await {
        Ok(found) => found,
        Err(page) => return page,
    };
    let mut errors = Vec::new();
    let has = |choices: &[Choice], value: &str| choices.iter().any(|choice| choice.value == value);
    if !has(&asked.answers, &form.decision) {
        errors.push(("decision-0", "Select an answer"));
    }
    if !has(&asked.reasons, &form.reason) {
        errors.push(("reason", "Select why"));
    }
    if !errors.is_empty() {
        let page = question_page(&asked, waterfall.as_ref(), &who, &form, &errors);
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    let answer = Answer { question: asked.id, decision: form.decision, reason: form.reason, by: who.by };
    match waiting(&site, move |provider| provider.decide(&answer)).await {
        Ok(event) => Redirect::to(&format!("/review?done={event}")).into_response(),
        Err(page) => page,
    }
}

impl AnswerForm {
    fn empty() -> Self {
        Self { form: String::new(), decision: String::new(), reason: String::new() }
    }
}

fn question_page(
    asked: &Asked,
    waterfall: Option<&Waterfall>,
    who: &SignedIn,
    form: &AnswerForm,
    errors: &[(&str, &str)],
) -> Response {
    let error = |field: &str| errors.iter().find(|(at, _)| *at == field).map(|(_, text)| *text);
    let title = if errors.is_empty() { "Question" } else { "Error: Question" };
    page(
        title,
        Place::Review,
        &html! {
            a href="/review" class="govuk-back-link" { "All questions" }
            (error_summary(errors))
            h1 class="govuk-heading-l" { (asked.kind) }
            dl class="govuk-summary-list" {
                (row("Question", &html! { span class="priorityd-id" { (asked.id) } }))
                (row("Partnership", &html! { (asked.scope) }))
                (row("Records", &html! { @for record in &asked.records { div class="priorityd-id" { (record) } } }))
                @for (field, level) in &asked.fields { (row(&capital(field), &html! { (level) })) }
                @if !asked.bars.is_empty() { (row("Cannot be the same", &html! { (asked.bars.join("; ")) })) }
            }
            @if let Some(waterfall) = waterfall {
                h2 class="govuk-heading-m" { "What speaks for and against one person" }
                div class="priorityd-drawing" tabindex="0" role="region" aria-label="Drawing" { (PreEscaped(&waterfall.svg)) }
            }
            form method="post" action={ "/review/" (asked.id) } novalidate {
                input type="hidden" name="form" value=(who.form);
                div class={ "govuk-form-group" @if error("decision-0").is_some() { " govuk-form-group--error" } } {
                    fieldset class="govuk-fieldset" {
                        legend class="govuk-fieldset__legend govuk-fieldset__legend--m" { "Your answer" }
                        @if let Some(text) = error("decision-0") { (error_message("decision", text)) }
                        div class="govuk-radios" {
                            @for (at, choice) in asked.answers.iter().enumerate() {
                                div class="govuk-radios__item" {
                                    input class="govuk-radios__input" id={ "decision-" (at) } name="decision" type="radio"
                                        value=(choice.value) checked[form.decision == choice.value];
                                    label class="govuk-label govuk-radios__label" for={ "decision-" (at) } { (choice.label) }
                                }
                            }
                        }
                    }
                }
                div class={ "govuk-form-group" @if error("reason").is_some() { " govuk-form-group--error" } } {
                    label class="govuk-label govuk-label--m" for="reason" { "Why" }
                    @if let Some(text) = error("reason") { (error_message("reason", text)) }
                    select class="govuk-select" id="reason" name="reason" {
                        option value="" { "Choose" }
                        @for choice in &asked.reasons {
                            option value=(choice.value) selected[form.reason == choice.value] { (choice.label) }
                        }
                    }
                }
                p class="govuk-body" { "Recorded as decided by " (who.by) "." }
                button type="submit" class="govuk-button" { "Publish the answer" }
            }
        },
    )
}

fn row(key: &str, value: &Markup) -> Markup {
    html! {
        div class="govuk-summary-list__row" {
            dt class="govuk-summary-list__key" { (key) }
            dd class="govuk-summary-list__value" { (value) }
        }
    }
}

fn error_message(field: &str, text: &str) -> Markup {
    html! { p class="govuk-error-message" id={ (field) "-error" } { span class="govuk-visually-hidden" { "Error: " } (text) } }
}

fn error_summary(errors: &[(&str, &str)]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div class="govuk-error-summary" {
                div role="alert" {
                    h2 class="govuk-error-summary__title" { "There is a problem" }
                    div class="govuk-error-summary__body" {
                        ul class="govuk-list govuk-error-summary__list" {
                            @for (field, text) in errors { li { a href={ "#" (field) } { (text) } } }
                        }
                    }
                }
            }
        }
    }
}
