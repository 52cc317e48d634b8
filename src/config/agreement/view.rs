//! What a policy decides about: a field of a view. The words here are those of the policies, the schema and the messages.

use std::collections::BTreeSet;

use crate::model::event::Role;
use crate::model::finding::FindingKind;
use crate::model::text::Text;

/// Where something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// `alerts.<recipient>.v1`.
    Alert,
    /// `list.<recipient>.v1`.
    List,
}

/// How the person is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedBy {
    /// By the recipient's own reference, and only if the person is in its open caseload.
    OwnReference,
    /// By name and date of birth, inside the sealed message.
    Name,
    /// By a pseudonym of this recipient alone.
    Pseudonym,
}

/// Declares the fields once: variant and name.
macro_rules! fields {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A field that a policy may let through.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[doc = $doc])* $variant),+
        }

        impl Field {
            /// The fields and their names in policies and messages.
            pub const NAMES: &[(&str, Self)] = &[$(($name, Self::$variant)),+];

            /// What a field tells, in a sentence for the annex.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii()),+ }
            }
        }
    };
}

fields! {
    /// The bare fact: of an alert its kind and the role, of a list entry that there is one. Nothing is told without it.
    Fact = "fact",
    /// ISO week of the event, or of the first and last reports.
    Week = "week",
    /// The day itself, of all that is dated.
    Date = "date",
    /// Family of the offence.
    OffenceFamily = "offence_family",
    /// Risk grade, or grades before and after.
    Risk = "risk",
    /// Agencies that know the person.
    Agencies = "agencies",
    /// How many reports.
    Reports = "reports",
    /// How many distinct counterparties.
    Counterparts = "counterparts",
    /// Is the counterparty new?
    NewCounterparty = "new_counterparty",
    /// Orders and their states.
    Order = "order",
    /// Programmes.
    Programme = "programme",
    /// Single, repeat or serial; and the risk that a perpetrator poses, as probation reviewed it.
    Tier = "tier",
    /// Allegation, caution, charge or conviction, or that it is none any more.
    Standing = "standing",
    /// Findings by kind.
    Findings = "findings",
    /// How sure the link is.
    Confidence = "confidence",
    /// When the entry lapses.
    DropsOff = "drops_off",
    /// Name and date of birth of the perpetrator across from the recipient's own client.
    PerpetratorIdentity = "perpetrator_identity",
    /// The service that a referral should have gone to.
    Service = "service",
    /// RFG(V): recency, frequency, gravity, victims and their sum.
    Score = "score",
    /// Programmes that the person could be offered.
    Pathways = "pathways",
    /// Cohorts and MAPPA level.
    Cohorts = "cohorts",
    /// How much graded intelligence there is, and the best grade; never its text.
    Intelligence = "intelligence",
}

/// Channels by the name of their action in policies.
pub const CHANNELS: &[(&str, Channel)] = &[("alert", Channel::Alert), ("list", Channel::List)];
/// Roles that a person may be spoken of in.
pub const ROLES: &[(&str, Role)] =
    &[("victim", Role::Victim), ("perpetrator", Role::Perpetrator), ("child", Role::Child)];
/// Ways of naming, in the order in which they are tried: the first that a policy lets through is used.
pub const NAMED_BY: &[(&str, NamedBy)] =
    &[("own_reference", NamedBy::OwnReference), ("name", NamedBy::Name), ("pseudonym", NamedBy::Pseudonym)];

/// The word for a value in one of these tables.
#[must_use]
pub fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

/// A set of kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Kinds(u64);

impl Kinds {
    /// The kinds, in their order.
    pub fn iter(self) -> impl Iterator<Item = FindingKind> {
        FindingKind::ALL.iter().copied().filter(move |kind| self.0 & Self::bit(*kind) != 0)
    }

    /// These kinds as one sees them who tells only `known` ones apart: of the others, one stands for all.
    pub(super) fn seen_knowing(self, known: Self) -> Self {
        let (seen, others) = (self.0 & known.0, self.0 & !known.0);
        let all = FindingKind::ALL.iter().fold(0, |all, kind| all | Self::bit(*kind));
        let stands_for_all = all & !known.0;
        let lowest = stands_for_all & stands_for_all.wrapping_neg();
        Self(if others == 0 { seen } else { seen | lowest })
    }

    fn bit(kind: FindingKind) -> u64 {
        1 << kind as u32
    }
}

impl FromIterator<FindingKind> for Kinds {
    fn from_iter<T: IntoIterator<Item = FindingKind>>(kinds: T) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | Self::bit(kind)))
    }
}

/// What the policies are asked about, beside who receives and which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// An alert, or an entry of the list.
    pub channel: Channel,
    /// The person is spoken of in this role.
    pub about: Role,
    /// How the person is named.
    pub named_by: NamedBy,
    /// Of an alert the one finding, of a list entry all findings in the window.
    pub findings: Kinds,
}

/// What the policies let through in one view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    pub(super) fields: BTreeSet<Field>,
    pub(super) clause: Text,
}

impl Grant {
    /// Is anything told at all?
    #[must_use]
    pub fn tells(&self) -> bool {
        self.has(Field::Fact)
    }

    /// May this field be in it?
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }

    /// The fields, in their order.
    #[must_use]
    pub fn fields(&self) -> &BTreeSet<Field> {
        &self.fields
    }

    /// The ids of the policies that let the bare fact through: the clause that a message names.
    #[must_use]
    pub fn clause(&self) -> &Text {
        &self.clause
    }
}
