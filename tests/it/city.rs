//! The synthetic city at the front door: what is meant to be good passes the strict check, what is meant to be bad never
//! passes at all.

use std::collections::BTreeMap;

use priorityd::model::feed::FeedKind;
use priorityd::model::outcome::RejectCode;
use priorityd::simulate::{BadKind, City, Nature};
use priorityd::validate::Validator;
use priorityd::validate::feed::FeedContext;

/// When the log took every record: 2026-01-01.
const APPENDED_MS: i64 = 1_767_225_600_000;

fn validator(city: &City) -> Validator {
    let agencies =
        [("police", FeedKind::Police), ("crc", FeedKind::Crc), ("local_authority", FeedKind::LocalAuthority)];
    let services = ["idva", "stop_domestic_abuse", "victim_care_service", "parcs", "up2u", "hampton_trust"]
        .map(|name| (name, FeedKind::Service));
    let feed = |(name, kind): (&str, FeedKind)| {
        FeedContext::new(name.parse().expect("a party's name"), kind, vec![city.scope.clone()])
    };
    Validator::new(agencies.into_iter().chain(services).map(feed))
}

#[test]
fn every_good_event_passes_the_strict_door() {
    for seed in [1, 2] {
        let city = City { canaries: 9, bad_share: 0.0, ..City::new(seed, 3_000, 12 * seed as u32) };
        let door = validator(&city).strict();
        let play = city.play();
        for (party, line) in &play.feeds {
            let problems = door.problems(party, &[], line.as_bytes(), APPENDED_MS);
            assert!(problems.is_empty(), "seed {seed}: {problems:?} in {line}");
        }
        assert!(play.feeds.len() > 5_000);
    }
}

#[test]
fn every_bad_line_is_rejected_for_what_was_done_to_it() {
    let city = City { bad_share: 0.9, ..City::new(3, 6_000, 6) };
    let door = validator(&city);
    let play = city.play();
    let mut told: BTreeMap<BadKind, u32> = BTreeMap::new();
    for ((party, line), truth) in play.feeds.iter().zip(&play.truth.events) {
        let Nature::Bad(kind) = truth.nature else { continue };
        let rejection = door.validate(party, &[], line.as_bytes(), APPENDED_MS).err().expect("a bad line is rejected");
        let expected = match kind {
            BadKind::Truncated => RejectCode::NotJson,
            BadKind::NoEnvelope => RejectCode::NotCloudEvent,
            BadKind::UnknownType => RejectCode::UnknownType,
            BadKind::TypeOfAnotherFeed => RejectCode::TypeNotOfFeed,
            BadKind::NotRecorded | BadKind::NobodyNamed => RejectCode::Missing,
            BadKind::WrongType => RejectCode::WrongType,
            BadKind::ImpossibleDate => RejectCode::BadDate,
            BadKind::NotListed => RejectCode::NotListed,
            BadKind::DatesContradict => RejectCode::DatesContradict,
        };
        assert_eq!(rejection.code, expected, "{kind:?} of {}", truth.id);
        *told.entry(kind).or_default() += 1;
    }
    assert_eq!(told.len(), BadKind::ALL.len());
}
