//! The rules of assessment: every threshold of the domain that has no single national definition, with a version.

use super::reader::{Problems, Reader};
pub use super::routing::Routing;
pub use super::scores::{Harm, Weights};

/// Windows and thresholds, in days and counts. Defaults name their source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Named in every alert.
    pub version: String,
    /// A further report within so many days makes a repeat. 365: the rolling year of police performance figures.
    pub repeat_days: u32,
    /// So many distinct victims make a serial perpetrator. 2: Northumbria's definition.
    pub serial_victims: u32,
    /// Within so many days. 1,096: Northumbria's three years.
    pub serial_days: u32,
    /// So many reports escalate to MARAC. 3: SafeLives' common criterion.
    pub escalation_reports: u32,
    /// Within so many days.
    pub escalation_days: u32,
    /// Abuse within so many days of a MARAC referral is a MARAC repeat. 365: SafeLives.
    pub marac_repeat_days: u32,
    /// A list entry lapses so many days after the last report. 1,096: three years.
    pub list_days: u32,
    /// Findings whose event is older than this raise no alert; they still count on the list.
    pub alert_days: u32,
    /// So many contacts to the MASH about one child or family are a pattern. 5: Portsmouth's strategy of 2017.
    pub mash_contacts: u32,
    /// Within so many days.
    pub mash_days: u32,
    /// A request under the disclosure scheme is decided within so many days. 28: the scheme's guidance.
    pub dvds_days: u32,
    /// RFG(V) looks back so many days. 730: Cleveland's two years; Northumbria has three (1,096).
    pub matac_days: u32,
    /// To which service a grade is referred, and by when.
    pub routing: Routing,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            version: "2026-11".to_owned(),
            repeat_days: 365,
            serial_victims: 2,
            serial_days: 1096,
            escalation_reports: 3,
            escalation_days: 365,
            marac_repeat_days: 365,
            list_days: 1096,
            alert_days: 1096,
            mash_contacts: 5,
            mash_days: 365,
            dvds_days: 28,
            matac_days: 730,
            routing: Routing::default(),
        }
    }
}

impl Rules {
    /// Reads `[rules]` and `[routing]`; what is not said keeps its default.
    pub(super) fn read_all(root: &mut Reader<'_>, problems: &mut Problems) -> Self {
        let mut rules = root.table("rules", problems).map_or_else(Self::default, |table| Self::read(table, problems));
        if let Some(table) = root.table("routing", problems) {
            rules.routing = Routing::read(table, problems);
        }
        rules
    }

    fn read(mut from: Reader<'_>, problems: &mut Problems) -> Self {
        let default = Self::default();
        let mut number = |key, default: u32, most| {
            let number = from.number(key, default.into(), (1, most), problems);
            u32::try_from(number).unwrap_or(default)
        };
        let rules = Self {
            repeat_days: number("repeat_days", default.repeat_days, 3660),
            serial_victims: number("serial_victims", default.serial_victims, 20),
            serial_days: number("serial_days", default.serial_days, 3660),
            escalation_reports: number("escalation_reports", default.escalation_reports, 100),
            escalation_days: number("escalation_days", default.escalation_days, 3660),
            marac_repeat_days: number("marac_repeat_days", default.marac_repeat_days, 3660),
            list_days: number("list_days", default.list_days, 3660),
            alert_days: number("alert_days", default.alert_days, 3660),
            mash_contacts: number("mash_contacts", default.mash_contacts, 100),
            mash_days: number("mash_days", default.mash_days, 3660),
            dvds_days: number("dvds_days", default.dvds_days, 366),
            matac_days: number("matac_days", default.matac_days, 3660),
            routing: default.routing,
            version: from.text("version", problems).unwrap_or(&default.version).to_owned(),
        };
        from.finish(problems);
        rules
    }
}
