//! HTTP for probes, Prometheus, recipients' key look-up and the pages for people; loopback only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Path, Request, State as Shared};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tracing::Instrument;
use tracing::field::Empty;

use super::connections::Bounded;
use super::health::{Health, State};
use super::metrics::Metrics;
use super::pages::{self, Performance, Provider, Sessions, front, performance, review};

/// What every answer says of itself: nothing on it runs, nothing is loaded from elsewhere, nobody puts it in a frame.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What is served, and where it comes from.
pub struct Site {
    /// Where the worker stands.
    pub health: Arc<Health>,
    /// All counters.
    pub metrics: Arc<Metrics>,
    /// Our public keys.
    pub signing_jwks: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    /// What pages show.
    pub provider: Arc<dyn Provider>,
    /// Who is signed in.
    pub sessions: Sessions,
}

/// Serves until `stop` is done.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    listen: SocketAddr,
    site: Site,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    Bounded::bind(listen).await?.serve(router(site), stop).await
}

fn router(site: Site) -> Router {
    Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/", get(front_page))
        .route("/performance", get(performance_page))
        .route("/performance/{scope}/{file}", get(performance_csv))
        .route("/review", get(review::queue))
        .route("/review/sign-in", get(review::sign_in_page).post(review::sign_in))
        .route("/review/sign-out", post(review::sign_out))
        .route("/review/{id}", get(review::question).post(review::answer))
        .route("/assets/govuk-frontend.css", get(pages::govuk_css))
        .route("/assets/priorityd.css", get(pages::our_css))
        .route_layer(from_fn(traced))
        // Who asks these asks again and again: no traces.
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .layer(from_fn(with_headers))
        .with_state(Arc::new(site))
}

/// A span for each request to a page: the method, the route as it is written above and never the path, what was answered.
async fn traced(request: Request, next: Next) -> Response {
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        // Whoever asks may have made it up.
        _ => "_OTHER",
    };
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let span = tracing::info_span!(
        parent: None, "http_request", otel.kind = "server", http.request.method = method, http.route = route,
        http.response.status_code = Empty, otel.status_code = Empty,
    );
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Serves `/metrics` and nothing else until `stop` is done: parties, codes and counts, so it may be reached from elsewhere.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve_metrics(
    listen: SocketAddr,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let text = async |Shared(metrics): Shared<Arc<Metrics>>| open_metrics(&metrics);
    let router = Router::new().route("/metrics", get(text)).with_state(metrics);
    Bounded::bind(listen).await?.serve(router, stop).await
}

async fn livez(Shared(site): Shared<Arc<Site>>) -> impl IntoResponse {
    match site.health.state() {
        State::Failed(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        State::Waiting(_) | State::Ready | State::Stopped => (StatusCode::OK, "alive"),
    }
}

async fn readyz(Shared(site): Shared<Arc<Site>>) -> impl IntoResponse {
    match site.health.state() {
        State::Ready => (StatusCode::OK, "ready"),
        State::Waiting(why) | State::Failed(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        State::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    }
}

async fn metrics_text(Shared(site): Shared<Arc<Site>>) -> impl IntoResponse {
    open_metrics(&site.metrics)
}

fn open_metrics(metrics: &Metrics) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.text())
}

async fn jwks(Shared(site): Shared<Arc<Site>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/jwk-set+json")], (site.signing_jwks)())
}

async fn front_page(Shared(site): Shared<Arc<Site>>) -> Response {
    front::front(site.health.state(), &site.metrics.flow())
}

/// The latest figures; reading them may wait for whoever is putting newer ones there.
async fn figures(site: Arc<Site>) -> Vec<Performance> {
    tokio::task::spawn_blocking(move || site.provider.performance()).await.unwrap_or_default()
}

async fn performance_page(Shared(site): Shared<Arc<Site>>) -> Response {
    performance::performance(&figures(site).await)
}

async fn performance_csv(Shared(site): Shared<Arc<Site>>, Path((scope, file)): Path<(String, String)>) -> Response {
    performance::csv(&figures(site).await, &scope, &file)
}
