//! Lives in a few lines each: what is found of them and what is not, who is told and what they must never read.

mod children;
mod courts;
mod lapses;
mod orders;
mod repeats;
mod scheme;
mod support;
mod told;

use crate::support::events::events;
use crate::support::hub::{Hub, Office};

const IDVA: &str = "k1 idva.caseload_entry 2024-01-02 victim=sarah";
const UP2U: &str = "k2 up2u.caseload_entry 2024-01-02 perpetrator=dean";
const PARCS: &str = "k3 parcs.caseload_entry 2024-01-02 victim=sarah";

/// A life: what it is about, its events, and all its findings beside the reports themselves.
type Life = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Each life has its findings and no others.
fn assert_found(lives: &[Life]) {
    for (about, lines, expected) in lives {
        let hub = Hub::played(Office::shipped(), &events(lines));
        assert_eq!(hub.outcomes().accepted, lines.len() as u64, "{about}: {:?}", hub.rejections("police"));
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(hub.findings(lines), expected, "{about}");
    }
}

/// What somebody's service reads of one life.
fn played(lines: &[&str]) -> Hub<'static> {
    let hub = Hub::played(Office::shipped(), &events(lines));
    assert_eq!(hub.outcomes().read, hub.outcomes().accepted, "{:?}", hub.rejections("police"));
    hub
}

const I1: &str = "i1 police.crime 2025-03-01 victim=sarah perpetrator=dean";
const I2: &str = "i2 police.crime 2025-04-01 victim=sarah perpetrator=dean";
const I3: &str = "i3 police.crime 2025-05-01 victim=kelly perpetrator=dean";
