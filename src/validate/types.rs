//! The types of event: one row each, with the schema that is published and compiled in. The last part of a type's
//! name is the variant of `Detail` that an event of it becomes.

use crate::model::feed::FeedKind;

/// One type of event.
#[derive(Debug, PartialEq, Eq)]
pub struct EventType {
    /// CloudEvents `type`, e.g. `uk.priorityd.police.incident.v1`.
    pub name: &'static str,
    /// Which kind of feed may carry it.
    pub feed: FeedKind,
    /// The event's own name, e.g. `incident`.
    pub event: &'static str,
    /// File under `schemas/events/`.
    pub file: &'static str,
    /// Text of that file: JSON Schema 2020-12.
    pub schema: &'static str,
}

/// The parts that all schemas of events share: `schemas/events/common.v1.json`.
pub const COMMON_SCHEMA: &str = include_str!("../../schemas/events/common.v1.json");

macro_rules! event_types {
    ($($feed:ident $prefix:literal: $($event:literal),+;)+) => {
        /// Every type of event, by feed.
        pub static EVENT_TYPES: &[EventType] = &[$($(EventType {
            name: concat!("uk.priorityd.", $prefix, ".", $event, ".v1"),
            feed: FeedKind::$feed,
            event: $event,
            file: concat!($prefix, ".", $event, ".v1.json"),
            schema: include_str!(concat!("../../schemas/events/", $prefix, ".", $event, ".v1.json")),
        }),+),+];
    };
}

event_types! {
    Police "police": "incident", "crime", "risk_assessment", "protection_order", "arrest", "charge",
        "no_further_action", "court_outcome", "conditional_caution", "dvds_request", "cpi_report", "cohort", "amend",
        "cancel";
    Crc "crc": "order_start", "order_end", "requirement", "programme_start", "programme_complete", "programme_breach",
        "risk_review", "release", "recall", "mappa_level", "cancel";
    LocalAuthority "local_authority": "mash_contact", "marac_referral", "marac_outcome", "social_care_assessment",
        "housing", "yot", "substance_misuse", "cancel";
    Service "service": "caseload_entry", "referral_received", "contact_attempt", "engaged", "declined",
        "risk_at_start", "closed", "alert_acknowledged", "cancel";
    Review "review": "decision", "erasure", "consultation", "cancel";
}
