//! Traces, for who asks for them: how long which step of a batch took, as OTLP over HTTP to a collector beside the daemon.
//!
//! A span has one of the names in [`SPANS`], and of its attributes only numbers and codes of the list that the logs keep to:
//! all else that a span may carry (words, events, links, what a status says) is taken off as it ends, before anything waits
//! to be sent. What waits is bounded and waits on a thread of its own, so a collector that is slow, or not there, costs spans
//! and nothing else; the metric `trace_spans` counts them, and the log says so once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanEvents, SpanExporter,
    SpanLinks, SpanProcessor,
};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;

use super::metrics::{Metrics, SpanEnd};
use super::telemetry::{FIELDS, Holds, is_code, is_ours};
use crate::config::settings::TraceSettings;

/// Every span that there is.
pub const SPANS: &[&str] = &[
    "batch",
    "commit",
    "http_request",
    "new_day",
    "poll",
    "process",
    "read",
    "rekey",
    "reload_agreement",
    "reload_keys",
    "restore",
];

/// So many spans wait to be sent at the most.
const WAITING: usize = 2_048;
/// How long a collector may take for one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what waits may hold the daemon's end up.
const LAST_CALL: Duration = Duration::from_secs(5);
/// The longest answer of a collector that is read, bytes.
const LONGEST_ANSWER: usize = 64 << 10;

/// Where spans go.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send spans to the collector of the settings. Requests are made on `runtime`; `instance` is the name of
    /// this one among several.
    ///
    /// # Errors
    /// A variable of the environment (`OTEL_…`) that the exporter reads and cannot use.
    pub fn start(
        settings: &TraceSettings,
        instance: Option<&str>,
        metrics: &Arc<Metrics>,
        runtime: &Handle,
    ) -> Result<Self, String> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_http_client(Collector { client, runtime: runtime.clone() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.traces_url())
            .with_timeout(PATIENCE)
            // Spans are worth one attempt: what is tried again is in the way of what comes.
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self::through(exporter, settings.sampling_ratio, instance, metrics))
    }

    fn through(
        exporter: impl SpanExporter + 'static,
        ratio: f64,
        instance: Option<&str>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let tally = Arc::new(Tally {
            waiting: AtomicUsize::new(0),
            is_losing: AtomicBool::new(false),
            metrics: Arc::clone(metrics),
        });
        let exporter = Counted { next: exporter, tally: Arc::clone(&tally) };
        let config = BatchConfigBuilder::default().with_max_queue_size(WAITING).build();
        let queue = BatchSpanProcessor::new(exporter, config);
        let instance = instance.map(|instance| KeyValue::new("service.instance.id", instance.to_owned()));
        let resource = Resource::builder()
            .with_service_name("priorityd")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(instance)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Door { next: queue, tally })
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
            .with_resource(resource)
            .build();
        Self(provider)
    }

    /// Takes our own spans, at whatever level the logs are; what is logged within one stays in the logs.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let ours = FilterFn::new(|metadata| metadata.is_span() && is_ours(metadata.target()));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("priorityd"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what waits, as far as there is time.
    pub fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_CALL) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// What became of spans.
struct Tally {
    waiting: AtomicUsize,
    is_losing: AtomicBool,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Tally").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Tally {
    /// Is there room for one more to wait? It is taken, then.
    fn admits(&self) -> bool {
        let more = |waiting| (waiting < WAITING).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn sent(&self, spans: usize) {
        self.metrics.spans(SpanEnd::Sent, spans);
        if self.is_losing.swap(false, Ordering::Relaxed) {
            tracing::info!("the collector takes traces again");
        }
    }

    /// Told once, until one is sent again.
    fn lost(&self, end: SpanEnd, spans: usize, reason: &str) {
        self.metrics.spans(end, spans);
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "traces are lost: look at telemetry.otlp_endpoint and at the collector behind it");
        }
    }
}

/// Lets spans through to wait, blind, and no more than may wait.
#[derive(Debug)]
struct Door<P> {
    next: P,
    tally: Arc<Tally>,
}

impl<P: SpanProcessor> SpanProcessor for Door<P> {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let Some(span) = blind(span) else { return };
        if self.tally.admits() {
            self.next.on_end(span);
        } else {
            self.tally.lost(SpanEnd::Dropped, 1, "more spans wait to be sent than may");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// The span as it may leave, if it may: a name and attributes of our lists, when it was, whose part it is.
fn blind(span: SpanData) -> Option<SpanData> {
    if !SPANS.contains(&span.name.as_ref()) {
        return None;
    }
    let attributes: Vec<_> = span.attributes.into_iter().filter_map(listed).collect();
    let text = |key: &str| {
        let value = attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
        Some(value.value.as_str().into_owned())
    };
    let has_failed = matches!(span.status, Status::Error { .. });
    // Nothing came: a daemon at rest looks five times a second.
    let is_idle = ["batch", "poll"].contains(&span.name.as_ref()) && text("records").is_none();
    if is_idle && !has_failed {
        return None;
    }
    // As the conventions name requests.
    let name = match text("http.request.method").zip(text("http.route")) {
        Some((method, route)) => format!("{method} {route}").into(),
        None => span.name,
    };
    let status = if has_failed { Status::error("") } else { Status::Unset };
    Some(SpanData { name, attributes, status, events: SpanEvents::default(), links: SpanLinks::default(), ..span })
}

/// The attribute if it is on the list and holds what it may.
fn listed(attribute: KeyValue) -> Option<KeyValue> {
    let (_, holds) = FIELDS.iter().find(|(name, _)| *name == attribute.key.as_str())?;
    let value = match (holds, attribute.value) {
        (Holds::Number, Value::I64(number)) => Value::I64(number),
        // Unsigned numbers come as they are written.
        (Holds::Number, Value::String(text)) => Value::I64(text.as_str().parse().ok()?),
        (Holds::Code, Value::String(text)) if is_code(text.as_str()) => Value::String(text),
        _ => return None,
    };
    Some(KeyValue::new(attribute.key, value))
}

/// Counts what is sent.
#[derive(Debug)]
struct Counted<E> {
    next: E,
    tally: Arc<Tally>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.tally.waiting.fetch_sub(spans, Ordering::Relaxed);
        let sent = self.next.export(batch).await;
        match &sent {
            Ok(()) => self.tally.sent(spans),
            Err(error) => self.tally.lost(SpanEnd::Lost, spans, &error.to_string()),
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Where spans are posted to, without TLS: the collector is beside us.
#[derive(Debug)]
struct Collector {
    client: Client<HttpConnector, Body>,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let asked = self.client.request(request.map(Body::from));
        let answer = async {
            let (head, body) = asked.await?.into_parts();
            let body = to_bytes(Body::new(body), LONGEST_ANSWER).await?;
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        // The thread that asks has no runtime; it waits here for the one of HTTP.
        self.runtime.spawn(async { tokio::time::timeout(PATIENCE, answer).await }).await??
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing::field::Empty;
    use tracing::{Span, error, info_span};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps what is sent, once the gate is open.
    #[derive(Debug, Clone, Default)]
    struct Kept {
        spans: Arc<Mutex<Vec<SpanData>>>,
        gate: Arc<Mutex<()>>,
    }

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            drop(self.gate.lock());
            self.spans.lock().expect("nobody panics").extend(batch);
            Ok(())
        }
    }

    fn traced(kept: &Kept, ratio: f64, run: impl FnOnce()) -> Arc<Metrics> {
        let metrics = Arc::new(Metrics::default());
        let traces = Traces::through(kept.clone(), ratio, Some("hub-1"), &metrics);
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        tracing::subscriber::with_default(subscriber, run);
        traces.finish();
        metrics
    }

    fn counted(metrics: &Metrics, outcome: &str) -> usize {
        let line = format!("priorityd_trace_spans_total{{outcome=\"{outcome}\"}} ");
        let text = metrics.text();
        text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
    }

    const NAME: &str = "Quxzvyxofja Kqewuqpzo";

    #[test]
    fn a_span_has_its_listed_attributes_and_nothing_else() {
        let kept = Kept::default();
        let metrics = traced(&kept, 1.0, || {
            let batch = info_span!("batch", records = 3_usize, person = NAME, feed = NAME, scope = "portsmouth");
            let _batch = batch.enter();
            let commit = info_span!(
                "commit",
                rows = NAME,
                error = NAME,
                reason = "words are for logs",
                outcome = Empty,
                otel.status_description = NAME,
                otel.status_code = "ERROR",
                partition = -1
            );
            let _commit = commit.enter();
            commit.record("outcome", "aborted");
            error!(feed = "police", "{NAME}");
            commit.follows_from(&batch);
            drop(info_span!("Kqewuqpzo", otel.name = "restore", rows = 1));
            drop(info_span!("rekey", otel.name = NAME));
            drop(info_span!(target: "hyper::proto", "poll", records = 1));
            drop(info_span!(target: "prioritydx", "poll", records = 1));
        });
        let spans = kept.spans.lock().expect("nobody panics");
        let shown = format!("{spans:?}");
        assert!(!shown.contains("Quxz") && !shown.contains("words are"), "{shown}");
        let named = |name: &str| spans.iter().find(|span| span.name == name).expect("it was sent");
        let (batch, commit) = (named("batch"), named("commit"));
        assert_eq!((spans.len(), counted(&metrics, "sent")), (3, 3), "{shown}");
        assert_eq!(commit.parent_span_id, batch.span_context.span_id());
        assert_eq!(batch.attributes, [KeyValue::new("records", 3), KeyValue::new("scope", "portsmouth")]);
        assert_eq!(commit.attributes, [KeyValue::new("partition", -1), KeyValue::new("outcome", "aborted")]);
        assert_eq!(commit.status, Status::error(""));
        assert!(commit.events.is_empty() && commit.links.is_empty());
    }

    #[test]
    fn a_look_that_found_nothing_is_not_sent() {
        let kept = Kept::default();
        let look = |records: Option<u64>, failed: bool| {
            let batch = info_span!(parent: None, "batch", records = Empty);
            let poll = info_span!(parent: &batch, "poll", records = Empty, otel.status_code = Empty);
            if let Some(records) = records {
                batch.record("records", records);
                poll.record("records", records);
            }
            if failed {
                poll.record("otel.status_code", "ERROR");
            }
        };
        let sent = |records, failed| {
            traced(&kept, 1.0, || look(records, failed));
            std::mem::take(&mut *kept.spans.lock().expect("nobody panics")).len()
        };
        assert_eq!((sent(None, false), sent(Some(2), false), sent(None, true)), (0, 2, 1));
    }

    #[test]
    fn the_ratio_is_of_whole_traces() {
        let kept = Kept::default();
        let batches = || {
            for _ in 0..400 {
                let batch = info_span!(parent: None, "batch", records = 1);
                drop(info_span!(parent: &batch, "commit"));
            }
        };
        traced(&kept, 0.0, batches);
        assert!(kept.spans.lock().expect("nobody panics").is_empty());
        traced(&kept, 0.5, batches);
        let spans = kept.spans.lock().expect("nobody panics");
        let batches: Vec<_> = spans.iter().filter(|span| span.name == "batch").collect();
        assert!((100..300).contains(&batches.len()) && spans.len() == 2 * batches.len(), "{}", spans.len());
        for commit in spans.iter().filter(|span| span.name == "commit") {
            assert!(batches.iter().any(|batch| batch.span_context.span_id() == commit.parent_span_id));
        }
    }

    #[test]
    fn a_collector_that_does_not_answer_costs_spans_and_no_memory() {
        const MADE: usize = 10_000;
        let kept = Kept::default();
        let held = kept.gate.lock().expect("nobody panics");
        let metrics = Arc::new(Metrics::default());
        let traces = Traces::through(kept.clone(), 1.0, None, &metrics);
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        tracing::subscriber::with_default(subscriber, || {
            (0..MADE).for_each(|_| drop::<Span>(info_span!("rekey", partition = 0)));
        });
        // Beside those that wait, those of one request are on their way.
        let dropped = counted(&metrics, "dropped");
        assert!((MADE - WAITING - 512..=MADE - WAITING).contains(&dropped), "{dropped} dropped");
        drop(held);
        traces.finish();
        assert_eq!((counted(&metrics, "dropped"), counted(&metrics, "sent")), (dropped, MADE - dropped));
        assert_eq!(kept.spans.lock().expect("nobody panics").len(), MADE - dropped);
    }

    #[test]
    fn the_names_are_in_order() {
        assert!(SPANS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
