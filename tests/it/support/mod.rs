//! What the end-to-end tests share: events written as lines, a hub in memory with its services, and a deployment on disk
//! with real processes.

pub(crate) mod deployed;
pub(crate) mod events;
pub(crate) mod hub;
