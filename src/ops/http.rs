//! HTTP for probes, Prometheus and recipients' key look-up; loopback only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::health::{Health, State};
use super::metrics::Metrics;

struct Site {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    signing_jwks: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

/// Serves until `stop` is done.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    listen: SocketAddr,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    signing_jwks: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let site = Arc::new(Site { health, metrics, signing_jwks: Box::new(signing_jwks) });
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state(site);
    let listener = TcpListener::bind(listen).await?;
    axum::serve(listener, router).with_graceful_shutdown(stop).await
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
    let listener = TcpListener::bind(listen).await?;
    axum::serve(listener, router).with_graceful_shutdown(stop).await
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
