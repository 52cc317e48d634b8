//! Small worlds full of trouble: a handful of names for more people than names, references that several share, numbers that
//! contradict, amendments of amendments, cancellations that come before what they cancel, and some of a synthetic city.

use std::collections::BTreeSet;

use priorityd::simulate::City;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::support::events::{Sent, envelope, party};

const GIVEN: [&str; 6] = ["Aurelia", "Aurelie", "Benedikta", "Casimir", "Kasimir", "Benedict"];
const FAMILY: [&str; 5] = ["Quillfeather", "Quilfeather", "Thornwhistle", "Marrowgate", "Thornwistle"];
const BORN: [&str; 6] = ["1988-04-07", "1988-07-04", "1988-04-17", "1991-02-11", "1979-06-30", "2012-05-05"];
const POSTCODES: [&str; 3] = ["PO4 8QT", "PO4 8QS", "PO2 7LD"];
const ADDRESSES: [&str; 3] = ["12 Kestrelwalk", "13 Kestrelwalk", "3 Copnoryard"];
const PNC: [&str; 3] = ["1999/0123456X", "1999/1234567B", "2003/0123456L"];
const SERVICES: [&str; 4] = ["idva", "up2u", "parcs", "stop_domestic_abuse"];

/// What must stand in clear nowhere.
pub(crate) fn clear() -> impl Iterator<Item = &'static str> {
    GIVEN.into_iter().chain(FAMILY).chain(POSTCODES).chain(ADDRESSES).chain(PNC)
}

/// Everything that happens in one world, in an order that somebody could have sent it. In an orderly one each event is
/// corrected once at the most, later than it was recorded, as agencies that keep their books do: what is remembered of
/// events may then end while others come late. In any other, amendments branch, close to rings and contradict time.
pub(crate) fn events(is_orderly: bool, random: &mut ChaCha8Rng) -> Vec<Sent> {
    let mut world = World { is_orderly, told: Vec::new(), events: Vec::new() };
    for number in 0..random.random_range(12..36) {
        world.happen(number, random);
    }
    let mut events = world.events;
    if random.random_bool(0.2) {
        let city = City { months: 2, ..City::new(random.random(), 40, 2) };
        events.extend(city.play().feeds.into_iter().take(40));
    }
    if random.random_bool(0.3) {
        events.push((party("police"), "{\"specversion\": \"1.0\", \"id\": ".to_owned()));
        events.push((party("crc"), "[]".to_owned()));
    }
    events
}

/// Cancels each of these events, later than anything else is recorded: nothing is left in force.
pub(crate) fn cancellations(events: &[Sent]) -> Vec<Sent> {
    let mut seen = BTreeSet::new();
    let mut cancellations = Vec::new();
    for (feed, line) in events {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let Some(id) = event["id"].as_str().filter(|id| seen.insert((feed.clone(), (*id).to_owned()))) else {
            continue;
        };
        let at = "2025-12-31T23:59:59Z";
        let (feed_name, sender) = (feed.as_str(), event["type"].as_str().and_then(|kind| kind.split('.').nth(2)));
        let Some(sender) = sender else { continue };
        cancellations.push((
            feed.clone(),
            json!({
                "specversion": "1.0", "id": format!("undo-{id}"), "source": format!("urn:priorityd:{feed_name}"),
                "type": format!("uk.priorityd.{sender}.cancel.v1"),
                "data": {
                    "scope": "portsmouth", "regime": event["data"]["regime"], "occurred_at": at, "recorded_at": at,
                    "supersedes": id, "reason": "entered_in_error",
                },
            })
            .to_string(),
        ));
    }
    cancellations
}

struct World {
    is_orderly: bool,
    /// What police told and may correct: ids, and when they were recorded.
    told: Vec<(String, String)>,
    events: Vec<Sent>,
}

impl World {
    fn happen(&mut self, number: u32, random: &mut ChaCha8Rng) {
        let at = moment(random);
        let recorded =
            if random.random_bool(0.3) { format!(" recorded={}", after(&at, random)) } else { String::new() };
        let line = match random.random_range(0..20) {
            0..=4 => format!("p{number} police.incident {at}{recorded} victim=sarah perpetrator=dean"),
            5 | 6 => format!("p{number} police.crime {at}{recorded} victim=sarah perpetrator=dean"),
            7 => format!("p{number} police.incident {at} perpetrator=dean"),
            8 => {
                let grade = ["standard", "medium", "high"].choose(random).expect("three");
                format!("p{number} police.risk_assessment {at} victim=sarah grade={grade}")
            }
            9 => format!("p{number} police.protection_order {at} victim=sarah perpetrator=dean expires_on=2026-02-01"),
            10 => format!("c{number} crc.order_start {at} perpetrator=dean"),
            11 => format!("c{number} crc.programme_complete {at} perpetrator=dean"),
            12 => format!("l{number} local_authority.mash_contact {at} victim=sarah perpetrator=dean"),
            13 => format!("l{number} local_authority.marac_referral {at} victim=sarah perpetrator=dean"),
            14..=16 => {
                let service = SERVICES.choose(random).expect("four");
                let role = if *service == "up2u" { "perpetrator=dean" } else { "victim=sarah" };
                let state = if random.random_bool(0.25) { "closed" } else { "open" };
                format!("s{number} {service}.caseload_entry {at} {role} state={state}")
            }
            17 | 18 => {
                let (earlier, at) = self.earlier(number, random);
                let recorded = after(&at, random);
                format!(
                    "p{number} police.amend {at} recorded={recorded} supersedes={earlier} amended_type=incident \
                     victim=sarah perpetrator=dean"
                )
            }
            _ => {
                let (earlier, at) = self.earlier(number, random);
                format!("p{number} police.cancel {at} recorded={} supersedes={earlier}", after(&at, random))
            }
        };
        let (feed, mut event) = envelope(&line);
        if feed.as_str() == "police" {
            let recorded = event["data"]["recorded_at"].as_str().expect("always there").trim_end_matches('Z');
            self.told.push((format!("p{number}"), recorded.to_owned()));
        }
        for person in event["data"]["persons"].as_array_mut().into_iter().flatten() {
            person["identity"] = somebody(random);
            person["local_ref"] = json!(format!("{}~{}", feed.as_str().to_uppercase(), random.random_range(0..9)));
        }
        self.events.push((feed, event.to_string()));
    }

    /// An event of before, one that nobody ever tells, or one that is told later, so that chains close to rings; and when
    /// it is corrected.
    fn earlier(&mut self, number: u32, random: &mut ChaCha8Rng) -> (String, String) {
        let at = moment(random);
        if self.is_orderly {
            let place = (!self.told.is_empty()).then(|| random.random_range(0..self.told.len()));
            return place.map_or(("never-told".to_owned(), at), |place| self.told.swap_remove(place));
        }
        match random.random_range(0..10) {
            0 => ("never-told".to_owned(), at),
            1 => (format!("p{}", number + random.random_range(1..6)), at),
            _ => (self.told.choose(random).map_or("never-told", |(id, _)| id).to_owned(), at),
        }
    }
}

/// A day of two years, at one of few hours, so that ties occur.
fn moment(random: &mut ChaCha8Rng) -> String {
    let (year, month, day) =
        (random.random_range(2024..=2025), random.random_range(1..=11), random.random_range(1..=28));
    format!("{year}-{month:02}-{day:02}T{:02}:00:00", [9, 12].choose(random).expect("two"))
}

/// A moment of the same year, later or the same.
fn after(at: &str, random: &mut ChaCha8Rng) -> String {
    if random.random_bool(0.3) {
        at.to_owned()
    } else {
        format!("{}-12-{:02}T12:00:00", &at[..4], random.random_range(1..=3))
    }
}

/// Somebody of this small world.
fn somebody(random: &mut (impl Rng + ?Sized)) -> Value {
    let mut given = vec![*GIVEN.choose(random).expect("some")];
    if random.random_bool(0.2) {
        given.push(GIVEN.choose(random).expect("some"));
    }
    given.dedup();
    let mut identity = json!({
        "given_names": given,
        "family_name": FAMILY.choose(random).expect("some"),
        "date_of_birth": BORN.choose(random).expect("some"),
    });
    if random.random_bool(0.7) {
        let place = random.random_range(0..POSTCODES.len());
        identity["postcode"] = json!(POSTCODES[place]);
        identity["address"] = json!(ADDRESSES[place]);
    }
    if random.random_bool(0.15) {
        identity["pnc_id"] = json!(PNC.choose(random).expect("some"));
    }
    identity
}

/// The events in some order, some of them twice, some neighbours only swapped.
pub(crate) fn disordered(events: &[Sent], random: &mut ChaCha8Rng) -> Vec<Sent> {
    let mut order = events.to_vec();
    match random.random_range(0..4) {
        0 => {}
        1 => order.reverse(),
        _ => order.shuffle(random),
    }
    for _ in 0..random.random_range(0..8) {
        let again = order.choose(random).expect("a world has events").clone();
        order.insert(random.random_range(0..=order.len()), again);
    }
    order
}
