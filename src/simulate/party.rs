//! Who sends feeds.

use super::rates::{self, Clerk};
use crate::model::ids::PartyId;

/// A party that sends a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Police,
    Crc,
    LocalAuthority,
    Idva,
    StopDomesticAbuse,
    VictimCareService,
    Parcs,
    Up2u,
    HamptonTrust,
}

impl Party {
    /// Every party, in the order of their feeds.
    pub(super) const ALL: [Party; 9] = [
        Party::Police,
        Party::Crc,
        Party::LocalAuthority,
        Party::Idva,
        Party::StopDomesticAbuse,
        Party::VictimCareService,
        Party::Parcs,
        Party::Up2u,
        Party::HamptonTrust,
    ];

    /// The party's id.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Party::Police => "police",
            Party::Crc => "crc",
            Party::LocalAuthority => "local_authority",
            Party::Idva => "idva",
            Party::StopDomesticAbuse => "stop_domestic_abuse",
            Party::VictimCareService => "victim_care_service",
            Party::Parcs => "parcs",
            Party::Up2u => "up2u",
            Party::HamptonTrust => "hampton_trust",
        }
    }

    /// The party's id as other rooms hold it.
    pub(super) fn id(self) -> PartyId {
        self.as_str().parse().expect("the parties' names have the form of configured names")
    }

    /// The part of event types that names the feed.
    pub(super) fn feed(self) -> &'static str {
        match self {
            Party::Police | Party::Crc | Party::LocalAuthority => self.as_str(),
            _ => "service",
        }
    }

    /// How its clerks write people down.
    pub(super) fn clerk(self) -> &'static Clerk {
        match self {
            Party::Police => &rates::POLICE,
            Party::Crc => &rates::CRC,
            Party::LocalAuthority => &rates::LOCAL_AUTHORITY,
            _ => &rates::SERVICE,
        }
    }

    /// The row of `rates::KNOWN_IDENTIFIERS` and the column of `rates::KNOWN_TO`.
    pub(super) fn sort(self) -> usize {
        match self {
            Party::Police => 0,
            Party::Crc => 1,
            Party::LocalAuthority => 2,
            _ => 3,
        }
    }

    /// Is it a specialist service?
    pub(super) fn is_service(self) -> bool {
        self.sort() == 3
    }
}
