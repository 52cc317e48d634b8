//! Some calls of librdkafka can outlast the timeout they are given. Nothing ends such a call but the end of the process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::settings::OnStuck;
use crate::log::LogError;

/// Watches one call at a time from a thread of its own.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    watch: Mutex<Watch>,
    changed: Condvar,
}

enum Watch {
    Resting,
    Until(Instant),
    Ended,
}

impl Watchdog {
    /// Starts the thread.
    pub(super) fn start(on_stuck: OnStuck) -> Result<Self, LogError> {
        let shared = Arc::new(Shared { watch: Mutex::new(Watch::Resting), changed: Condvar::new() });
        let watched = shared.clone();
        let thread = std::thread::Builder::new()
            .name("kafka-watchdog".into())
            .spawn(move || watched.run(&on_stuck))
            .map_err(|_| LogError::Fatal("a thread cannot be started".into()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Does `call`, which has to return within `limit`.
    pub(super) fn over<T>(&self, limit: Duration, call: impl FnOnce() -> T) -> T {
        self.shared.set(Watch::Until(Instant::now() + limit));
        let outcome = call();
        self.shared.set(Watch::Resting);
        outcome
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.set(Watch::Ended);
        if let Some(thread) = self.thread.take() {
            // It can only have failed within `on_stuck`, which said what there was to say.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, watch: Watch) {
        *self.lock() = watch;
        self.changed.notify_one();
    }

    fn run(&self, on_stuck: &OnStuck) {
        let mut watch = self.lock();
        loop {
            let wait = match *watch {
                Watch::Ended => return,
                Watch::Resting => Duration::MAX,
                Watch::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
            };
            if wait.is_zero() {
                tracing::error!("a call to the Kafka broker is stuck");
                *watch = Watch::Resting;
                on_stuck();
                continue;
            }
            watch = match wait {
                Duration::MAX => self.changed.wait(watch).unwrap_or_else(PoisonError::into_inner),
                _ => self.changed.wait_timeout(watch, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn bites_on_a_call_that_does_not_return_and_only_then() {
        let (tell, told) = mpsc::sync_channel(2);
        let tell = Mutex::new(tell);
        let on_stuck: OnStuck = Arc::new(move || tell.lock().expect("one thread").send(()).expect("somebody listens"));
        let watchdog = Watchdog::start(on_stuck).expect("starts");
        assert_eq!(watchdog.over(Duration::from_secs(3600), || 7), 7);
        // The call returns only because the watchdog bit.
        watchdog.over(Duration::from_millis(1), || told.recv().expect("it bites"));
        drop(watchdog);
        assert!(told.try_recv().is_err(), "once");
    }
}
