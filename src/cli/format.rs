//! How commands print.

use clap::ValueEnum;

/// For whom to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person
    Human,
    /// JSON, for a program
    Json,
}
