//! What is true of a play: who every person of every event really is, and which lines are not as they should be.

use crate::model::ids::PartyId;

/// Why a bad line is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BadKind {
    /// Cut off in the middle.
    Truncated,
    /// No `specversion`.
    NoEnvelope,
    /// A type that does not exist.
    UnknownType,
    /// A type of another feed.
    TypeOfAnotherFeed,
    /// No `recorded_at`.
    NotRecorded,
    /// A number where text belongs.
    WrongType,
    /// The thirtieth of February.
    ImpossibleDate,
    /// A regime outside the listed ones.
    NotListed,
    /// It happened after it was recorded.
    DatesContradict,
    /// A person of whom nothing is said.
    NobodyNamed,
}

impl BadKind {
    /// Every kind.
    pub const ALL: [BadKind; 10] = [
        BadKind::Truncated,
        BadKind::NoEnvelope,
        BadKind::UnknownType,
        BadKind::TypeOfAnotherFeed,
        BadKind::NotRecorded,
        BadKind::WrongType,
        BadKind::ImpossibleDate,
        BadKind::NotListed,
        BadKind::DatesContradict,
        BadKind::NobodyNamed,
    ];

    /// Its name in truth files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BadKind::Truncated => "truncated",
            BadKind::NoEnvelope => "no_envelope",
            BadKind::UnknownType => "unknown_type",
            BadKind::TypeOfAnotherFeed => "type_of_another_feed",
            BadKind::NotRecorded => "not_recorded",
            BadKind::WrongType => "wrong_type",
            BadKind::ImpossibleDate => "impossible_date",
            BadKind::NotListed => "not_listed",
            BadKind::DatesContradict => "dates_contradict",
            BadKind::NobodyNamed => "nobody_named",
        }
    }
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nature {
    /// A valid event, sent for the first time.
    Good,
    /// The same line as an earlier one, byte for byte.
    Duplicate,
    /// A line that must be rejected.
    Bad(BadKind),
}

impl Nature {
    /// Its name in truth files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Nature::Good => "good",
            Nature::Duplicate => "duplicate",
            Nature::Bad(kind) => kind.as_str(),
        }
    }
}

/// The truth of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTruth {
    /// Who sent it.
    pub party: PartyId,
    /// Its CloudEvents id.
    pub id: String,
    /// Is it as it should be?
    pub nature: Nature,
    /// The true number of each entry of `persons`, in order. Empty for withdrawals and for bad lines.
    pub persons: Vec<u32>,
}

impl EventTruth {
    /// The CloudEvents source.
    #[must_use]
    pub fn source(&self) -> String {
        format!("urn:priorityd:{}", self.party)
    }
}

/// One true pair: somebody abusive and the person they began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// True number of the perpetrator.
    pub perpetrator: u32,
    /// True number of the victim.
    pub victim: u32,
}

/// The truth of a play.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// One for each line, in the order of the lines.
    pub events: Vec<EventTruth>,
    /// The household of every person, by true number.
    pub households: Vec<u32>,
    /// Abusive relationships at the start.
    pub pairs: Vec<Pair>,
}
