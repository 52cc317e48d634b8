//! What the end-to-end tests share: events written as lines, a hub in memory with its services, and a deployment on disk
//! with real processes, and a search for what must not be there.

pub(crate) mod deployed;
pub(crate) mod events;
pub(crate) mod hub;
pub(crate) mod seam;
pub(crate) mod search;
pub(crate) mod told;
