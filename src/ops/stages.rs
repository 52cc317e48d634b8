//! How long each stage of the pipeline takes, from outside: the stages have no clock, but say where they begin and end, in
//! spans whose target is `stage`. Nobody listens to these but `priorityd bench stages`; unheard they cost a comparison.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

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

/// What all stages came to.
#[derive(Default, Clone)]
pub struct Stages(Arc<Mutex<Vec<(&'static str, Took)>>>);

thread_local! {
    /// The stages that this thread is in: since when, and how long in stages within.
    static OPEN: RefCell<Vec<(Instant, Duration)>> = const { RefCell::new(Vec::new()) };
}

impl Stages {
    /// Does something on this thread, and notes what its stages take.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(Listener(self.clone()), work)
    }

    /// What was noted so far, by name.
    #[must_use]
    pub fn took(&self) -> BTreeMap<&'static str, Took> {
        self.noted().iter().copied().collect()
    }

    fn noted(&self) -> MutexGuard<'_, Vec<(&'static str, Took)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to stages and to nothing else. A span's id is its stage's number, so that a span costs two looks at the clock
/// and little more: a dozen of them are in every event that is measured.
struct Listener(Stages);

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == TARGET
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let (mut stages, name) = (self.0.noted(), span.metadata().name());
        let number = stages.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            stages.push((name, Took::default()));
            stages.len() - 1
        });
        Id::from_u64(number as u64 + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {
        OPEN.with_borrow_mut(|open| open.push((Instant::now(), Duration::ZERO)));
    }

    fn exit(&self, id: &Id) {
        let own = OPEN.with_borrow_mut(|open| {
            let (since, within) = open.pop()?;
            let whole = since.elapsed();
            if let Some((_, of_parent)) = open.last_mut() {
                *of_parent += whole;
            }
            Some(whole.saturating_sub(within))
        });
        let number = usize::try_from(id.into_u64() - 1).unwrap_or(usize::MAX);
        if let (Some(own), Some((_, took))) = (own, self.0.noted().get_mut(number)) {
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
