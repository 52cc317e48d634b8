//! What became of a record that was read: exactly one of four outcomes (invariant I1).

use serde::{Deserialize, Serialize};

/// The one outcome of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// In the register.
    Accepted,
    /// Sent back to its agency with the reason.
    Rejected,
    /// Seen before, byte for byte the same content.
    Duplicate,
    /// A later amendment or withdrawal had already arrived.
    Superseded,
}

/// Counts by outcome. `read` always equals the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Records read.
    pub read: u64,
    /// In the register.
    pub accepted: u64,
    /// Sent back.
    pub rejected: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Overtaken.
    pub superseded: u64,
}

impl std::ops::AddAssign for OutcomeCounts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.duplicate += other.duplicate;
        self.superseded += other.superseded;
    }
}

impl OutcomeCounts {
    /// Counts one record.
    pub fn count(&mut self, outcome: Outcome) {
        self.read += 1;
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Rejected => self.rejected += 1,
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Superseded => self.superseded += 1,
        }
    }
}

/// Why a record was sent back. Holds names of our schema and our own words only, never anything that the record said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Stable code, e.g. `EVT-021`.
    pub code: RejectCode,
    /// Path into the event, cut to names of our schema; array positions are numbers.
    pub path: String,
    /// The rule that was broken.
    pub rule: String,
    /// What would be right.
    pub help: String,
}

/// Declares the stable codes once: variant, code, what it means.
macro_rules! reject_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal),+ $(,)?) => {
        /// The stable code of a rejection.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RejectCode {
            $($(#[$doc])* #[serde(rename = $code)] $variant),+
        }

        impl RejectCode {
            /// Every code, in order.
            pub const ALL: &[RejectCode] = &[$(RejectCode::$variant),+];

            /// The code as agencies see it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(RejectCode::$variant => $code),+ }
            }
        }
    };
}

reject_codes! {
    /// Larger than the limits on one record: bytes, or values.
    TooLarge = "EVT-001",
    /// Not UTF-8.
    NotUtf8 = "EVT-002",
    /// Not JSON.
    NotJson = "EVT-003",
    /// JSON nested deeper than any event.
    TooDeep = "EVT-004",
    /// The same property twice in one object.
    DuplicateProperty = "EVT-005",
    /// Not a CloudEvents 1.0 envelope.
    NotCloudEvent = "EVT-010",
    /// A type that we do not know.
    UnknownType = "EVT-011",
    /// A type that this feed may not send.
    TypeNotOfFeed = "EVT-012",
    /// A source that this feed may not speak for.
    SourceNotOfFeed = "EVT-013",
    /// A required field is missing.
    Missing = "EVT-020",
    /// A field has the wrong JSON type.
    WrongType = "EVT-021",
    /// A value outside the listed ones.
    NotListed = "EVT-022",
    /// A value outside its range or length.
    OutOfRange = "EVT-023",
    /// A value of the wrong form.
    WrongForm = "EVT-024",
    /// A field that our schemas do not know; only `priorityd check` minds.
    UnknownField = "EVT-025",
    /// Not a date or time that exists.
    BadDate = "EVT-030",
    /// Dates that contradict each other.
    DatesContradict = "EVT-031",
    /// A scope that this deployment does not serve.
    UnknownScope = "EVT-040",
    /// Persons that contradict each other, or the event.
    PersonsContradict = "EVT-041",
    /// The id was used before for other content.
    IdReused = "EVT-050",
    /// Supersedes itself, or an event of another source.
    BadSupersedes = "EVT-051",
    /// Identity in clear, where only what was pseudonymised at the source is taken.
    ClearIdentity = "EVT-060",
    /// Tokens of another epoch of the linkage key than the register's.
    OtherEpoch = "EVT-061",
    /// Identity that this agency's intake key did not seal for this record.
    SealedOtherwise = "EVT-062",
    /// Against a rule of the domain that real records break; accepted as sent, and only `priorityd check` minds.
    Doubtful = "EVT-070",
    /// Any other rule of the schema.
    Schema = "EVT-090",
    /// A fault of ours.
    Internal = "EVT-099",
}
