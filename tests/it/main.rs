//! The one integration binary: a module per subject.

mod conformance;
mod embedded;
mod memory;
