//! How long each stage of the pipeline takes, from outside: the stages have no clock, but say where they begin and end, in
//! spans whose target is `stage`. Nobody listens to these but `priorityd bench stages`; unheard they cost a comparison.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::span::Id;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// The target of spans that are stages.
const TARGET: &str = "stage";

/// What a stage came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Took {
    /// How often it ran.
    pub times: u64,
    /// Time in it, without that in stages within it.
    pub own: Duration,
}

/// What all stages came to, by name.
#[derive(Default, Clone)]
pub struct Stages(Arc<Mutex<BTreeMap<&'static str, Took>>>);

thread_local! {
    /// The stages that this thread is in: since when, and how long in stages within.
    static OPEN: RefCell<Vec<(Instant, Duration)>> = const { RefCell::new(Vec::new()) };
}

impl Stages {
    /// Does something on this thread, and notes what its stages take.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(Registry::default().with(Listener(self.clone())), work)
    }

    /// What was noted so far.
    #[must_use]
    pub fn took(&self) -> BTreeMap<&'static str, Took> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Listener(Stages);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_span() && metadata.target() == TARGET
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        OPEN.with_borrow_mut(|open| open.push((Instant::now(), Duration::ZERO)));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let own = OPEN.with_borrow_mut(|open| {
            let (since, within) = open.pop()?;
            let whole = since.elapsed();
            if let Some((_, of_parent)) = open.last_mut() {
                *of_parent += whole;
            }
            Some(whole.saturating_sub(within))
        });
        if let (Some(own), Some(span)) = (own, context.span(id)) {
            let mut stages = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            let took = stages.entry(span.name()).or_default();
            took.times += 1;
            took.own += own;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_within_another_counts_as_itself_alone() {
        let stages = Stages::default();
        stages.during(|| {
            let _outer = tracing::trace_span!(target: "stage", "outer").entered();
            for _ in 0..3 {
                let _inner = tracing::trace_span!(target: "stage", "inner").entered();
            }
            let _other = tracing::info_span!("no stage").entered();
        });
        let took = stages.took();
        assert_eq!(took.keys().copied().collect::<Vec<_>>(), ["inner", "outer"]);
        assert_eq!((took["inner"].times, took["outer"].times), (3, 1));
    }
}
