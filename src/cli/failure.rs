//! How a command ends when it does not end well: what went wrong, for a person, and the exit code, for a script.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::keys::KeysError;
use super::link::LinkError;
use crate::config::Problem;
use crate::config::files::Unreadable;
use crate::keys::meta::KeyProblem;
use crate::log::LogError;

/// What kind of failure, by its exit code (sysexits.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A check found something.
    CheckFailed = 1,
    /// Words of the command line that do not go together.
    Usage = 2,
    /// Input that cannot be used.
    BadData = 65,
    /// The log is out of reach.
    Unreachable = 69,
    /// A fault of ours.
    Bug = 70,
    /// Not allowed.
    Denied = 77,
    /// Configuration, agreement or keys.
    Configuration = 78,
}

/// One line for each thing that is wrong.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    lines: Vec<String>,
    closed_pipe: bool,
}

impl Failure {
    /// A failure told in one line.
    pub fn new(kind: Kind, line: impl Into<String>) -> Self {
        Self { kind, lines: vec![line.into()], closed_pipe: false }
    }

    /// A failure told in several.
    pub fn all(kind: Kind, lines: impl IntoIterator<Item = impl ToString>) -> Self {
        Self { kind, lines: lines.into_iter().map(|line| line.to_string()).collect(), closed_pipe: false }
    }

    /// An input file that cannot be read. The kind alone is told: an error's text may name more.
    pub(super) fn unreadable(file: &Path, why: impl Into<Unreadable>) -> Self {
        let line = format!("{}: {}; check the path and who owns it", file.display(), why.into());
        Self::new(Kind::BadData, line)
    }

    /// A file that cannot be written, told like one that cannot be read.
    pub(super) fn unwritable(kind: Kind, file: &Path, error: &io::Error) -> Self {
        let line = format!(
            "{}: it cannot be written ({}); check the path, who owns it and the room left",
            file.display(),
            error.kind()
        );
        Self::new(kind, line)
    }

    /// Did whoever read our output stop reading? That is their right, not a failure.
    pub fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "priorityd: {}", self.lines.join("\npriorityd: "))
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::all(Kind::Configuration, problems)
    }
}

impl From<Vec<KeyProblem>> for Failure {
    fn from(problems: Vec<KeyProblem>) -> Self {
        Self::all(Kind::Configuration, problems)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let kind = match error {
            LogError::Denied(_) => Kind::Denied,
            LogError::Damaged(_) => Kind::BadData,
            LogError::Retriable(_) | LogError::Aborted(_) | LogError::Fenced(_) | LogError::Fatal(_) => {
                Kind::Unreachable
            }
        };
        let fix = match error {
            LogError::Retriable(_) | LogError::Aborted(_) => {
                "try again, and if it lasts look at the broker or the disk"
            }
            LogError::Denied(_) => "look at credentials, access lists and what is there already",
            LogError::Fenced(_) => "give every instance a name of its own, and every file one daemon",
            LogError::Damaged(_) => "put back a copy of it, and start again",
            LogError::Fatal(_) => "mend that and start again",
        };
        Self::new(kind, format!("log: {error}; {fix}"))
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Ring(problems) => problems.into(),
            KeysError::Usage(rule) => Self::new(Kind::Usage, rule),
            KeysError::Output(error) => error.into(),
        }
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        let kind = match error {
            LinkError::Table(..) => Kind::BadData,
            LinkError::File(..) | LinkError::Unread(..) | LinkError::Key(_) | LinkError::Model(..) => {
                Kind::Configuration
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // The kind alone: an error's text may name what was being written.
        let line = format!("input or output: it failed ({}); check paths, permissions and the room left", error.kind());
        let closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Self { kind: Kind::BadData, lines: vec![line], closed_pipe }
    }
}
