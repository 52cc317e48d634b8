//! `priorityd run`: the daemon. Signals and HTTP on tokio, the worker on a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::batch::Readers;
use super::daemon::Worker;
use super::deployment::{ConfigArgs, Deployment, subscriber};
use super::duties::Duties;
use super::failure::{Failure, Kind};
use super::figures::Figures;
use super::pages::Desk;
use super::reload::AgreementWatch;
use super::rotation::current;
use crate::config::settings::{LogSettings, Settings};
use crate::log::LogError;
use crate::ops::health::Health;
use crate::ops::http::{self, Site};
use crate::ops::metrics::Metrics;
use crate::ops::pages::Sessions;
use crate::ops::telemetry::{self, Logs};
use crate::ops::traces::Traces;

#[derive(Debug, Args)]
#[command(
    after_help = "Runs the daemon until SIGTERM or SIGINT; what is taken in is committed first. SIGHUP reads the agreement \
    and the keys again, and the level of the logs."
)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs it.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let deployment = Arc::new(Deployment::load(&args.config.config)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(Failure::from)?;
    let metrics = Arc::new(Metrics::default());
    let traces = start_traces(&deployment.settings, &metrics, runtime.handle())?;
    let logs = telemetry::start(deployment.settings.log_level, deployment.settings.json_logs, traces.as_ref());
    for recipient in deployment.recipients_without_key() {
        tracing::warn!(%recipient, "no public key for this recipient: everything for it is held");
    }
    let ended = runtime.block_on(serve(&deployment, metrics, &Levels { logs, config: &args.config.config }));
    // Sent on the runtime, which is there still.
    if let Some(traces) = traces {
        traces.finish();
    }
    ended
}

fn start_traces(settings: &Settings, metrics: &Arc<Metrics>, runtime: &Handle) -> Result<Option<Traces>, Failure> {
    let Some(wanted) = &settings.traces else { return Ok(None) };
    let instance = match &settings.log {
        LogSettings::Embedded { .. } => None,
        LogSettings::Kafka(kafka) => Some(kafka.instance.as_str()),
    };
    let traces = Traces::start(wanted, instance, metrics, runtime).map_err(|why| {
        let line = format!("telemetry: {why}; mend the OTEL_ variables of the environment, or unset them");
        Failure::new(Kind::Configuration, line)
    })?;
    Ok(Some(traces))
}

/// How long a daemon that cannot go on still says so over HTTP: a probe and a scrape are to see why, and a supervisor is
/// not to start it again and again.
const LAST_WORDS: Duration = Duration::from_secs(15);

async fn serve(deployment: &Arc<Deployment>, metrics: Arc<Metrics>, levels: &Levels<'_>) -> Result<(), Failure> {
    let settings = &deployment.settings;
    let poll_wait = Duration::from_millis(settings.poll_ms);
    let health = Arc::new(Health::new(poll_wait));
    let (restoring, figures) = (Arc::clone(&metrics), Arc::<Figures>::default());
    let stop = Arc::new(AtomicBool::new(false));
    // One for each watcher: whoever looks takes its flag down.
    let (agreement_again, keys_again) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let worker = Worker {
        setup: Arc::new(deployment.setup()),
        watch: AgreementWatch::new(settings.clone(), Arc::clone(&agreement_again)),
        keys: deployment.key_watch(Arc::clone(&keys_again)),
        log: deployment.watched_log(Arc::new(move |partition, ratio| restoring.restoring(partition, ratio)))?,
        duties: Duties::new(subscriber(&settings.log)?),
        batch_records: settings.batch_records,
        readers: Readers::start()?,
        poll_wait,
        as_of: settings.as_of,
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        stop: Arc::clone(&stop),
        shown: Instant::now(),
        figures: Arc::clone(&figures),
        suppress_below: settings.suppress_below,
    };
    let (stopping, stopped) = watch::channel(false);
    let until = || {
        let mut stopped = stopped.clone();
        // An error means that the sender is gone, which is the end as well.
        async move { drop(stopped.wait_for(|stopped| *stopped).await) }
    };
    #[expect(clippy::disallowed_methods, reason = "joined below, once the worker has ended")]
    let site = settings.listen.map(|listen| {
        let ring = Arc::clone(&deployment.ring);
        let site = Site {
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            signing_jwks: Box::new(move || current(&ring).signing_jwks().to_vec()),
            provider: Arc::new(Desk::new(Arc::clone(deployment), figures)),
            sessions: Sessions::default(),
        };
        tokio::spawn(http::serve(listen, site, until()))
    });
    #[expect(clippy::disallowed_methods, reason = "joined below, once the worker has ended")]
    let metrics_site =
        settings.metrics_listen.map(|listen| tokio::spawn(http::serve_metrics(listen, Arc::clone(&metrics), until())));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut worker = tokio::task::spawn_blocking(move || worker.work().map(drop));
    tracing::info!("started");
    let ended = loop {
        tokio::select! {
            ended = &mut worker => break ended,
            _ = terminate.recv() => break finish(&stop, worker).await,
            _ = interrupt.recv() => break finish(&stop, worker).await,
            _ = hangup.recv() => {
                agreement_again.store(true, Ordering::Relaxed);
                keys_again.store(true, Ordering::Relaxed);
                levels.read_again();
            }
        }
    };
    if let (Ok(Err(error)), Some(_)) = (&ended, settings.listen) {
        tracing::error!(%error, "the daemon cannot go on");
        tokio::select! {
            () = tokio::time::sleep(LAST_WORDS) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    stopping.send_replace(true);
    for site in site.into_iter().chain(metrics_site) {
        match site.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(kind = %error.kind(), "HTTP could not be served"),
            Err(_) => tracing::error!("HTTP ended by a fault of ours"),
        }
    }
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::from(error)),
        Err(_) => Err(Failure::new(Kind::Bug, "the worker ended by a fault of ours; nothing uncommitted is visible")),
    }
}

/// The level of the logs, which the configuration file changes while the daemon runs.
struct Levels<'a> {
    logs: Logs,
    config: &'a Path,
}

impl Levels<'_> {
    fn read_again(&self) {
        match Settings::load(self.config) {
            Ok(settings) => {
                self.logs.set_level(settings.log_level);
                tracing::warn!(level_now = settings.log_level.as_str(), "another level of the logs counts");
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!(%problem, "the configuration on disk is refused, and the level of the logs stays");
                }
            }
        }
    }
}

type Worked = Result<Result<(), LogError>, tokio::task::JoinError>;

async fn finish(stop: &AtomicBool, worker: tokio::task::JoinHandle<Result<(), LogError>>) -> Worked {
    tracing::info!("told to stop: committing what is taken in");
    stop.store(true, Ordering::Relaxed);
    worker.await
}
