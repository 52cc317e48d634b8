//! Whether the daemon is alive and ready, with the reason when it is not.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Where the worker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Alive, not ready yet: why.
    Waiting(&'static str),
    /// Reading and committing.
    Ready,
    /// Beyond help: why.
    Failed(&'static str),
    /// Told to stop.
    Stopped,
}

/// The state, written by the worker and read by probes.
#[derive(Debug)]
pub struct Health {
    told: RwLock<(State, Instant)>,
    patience: Duration,
}

/// A turn of the worker takes no longer, unless a call to the log does not return, or batches are many times as large as they
/// are by default: then we are not ready for as long as one takes, and ready again after it.
const LONGEST_TURN: Duration = Duration::from_secs(10);

impl Health {
    /// Starts as not ready; `poll_wait` is how long the worker may be silent because there is nothing to do.
    #[must_use]
    pub fn new(poll_wait: Duration) -> Self {
        let told = RwLock::new((State::Waiting("starting"), Instant::now()));
        Self { told, patience: LONGEST_TURN + poll_wait }
    }

    /// Sets the state. Being ready has to be said again and again.
    pub fn set(&self, state: State) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = (state, Instant::now());
    }

    /// Reads the state.
    #[must_use]
    pub fn state(&self) -> State {
        let (state, told) = *self.told.read().unwrap_or_else(PoisonError::into_inner);
        if state == State::Ready && told.elapsed() > self.patience {
            return State::Waiting("the log does not answer");
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_ready_and_fell_silent_is_not_ready() {
        let mut health = Health::new(Duration::from_millis(200));
        assert_eq!(health.state(), State::Waiting("starting"));
        health.set(State::Ready);
        assert_eq!(health.state(), State::Ready);
        health.patience = Duration::ZERO;
        assert_eq!(health.state(), State::Waiting("the log does not answer"));
        health.set(State::Failed("why"));
        assert_eq!(health.state(), State::Failed("why"));
    }
}
