//! Whether the daemon is alive and ready, with the reason when it is not.

use std::sync::{PoisonError, RwLock};

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
pub struct Health(RwLock<State>);

impl Default for Health {
    fn default() -> Self {
        Self(RwLock::new(State::Waiting("starting")))
    }
}

impl Health {
    /// Sets the state.
    pub fn set(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Reads the state.
    #[must_use]
    pub fn state(&self) -> State {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
