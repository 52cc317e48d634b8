//! How an agency wrote a person down: its own reference, and a name, date and address that are nearly right. A pure
//! function of the city, the agency, the person and which of the agency's records it is, so every feed and the linkage
//! rows agree on it.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::addresses::Streets;
use super::canary;
use super::clerks::{birth_date, mistyped_digit, mistyped_postcode, miswritten, slipped};
use super::dice::{Dice, Stream, scattered};
use super::names::{self, Written};
use super::numbers;
use super::party::Party;
use super::people::Population;
use super::rates;

/// A name in the wire form.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WireName {
    /// Given names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given_names: Vec<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
}

/// An identity in the wire form: synthetic, so it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WireIdentity {
    /// The name on record.
    #[serde(flatten)]
    pub name: WireName,
    /// Names before marriage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<WireName>,
    /// Names gone by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<WireName>,
    /// Date of birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<Date>,
    /// Sex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sex: Option<&'static str>,
    /// Postcode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// One line of address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Unique property reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uprn: Option<String>,
    /// Police National Computer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pnc_id: Option<String>,
    /// Criminal Records Office number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cro_number: Option<String>,
    /// NHS number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<String>,
    /// Probation's case reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crn: Option<String>,
    /// Prison number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noms_number: Option<String>,
}

/// The city's registries, as agencies see them.
#[derive(Clone, Copy)]
pub(super) struct Registry<'a> {
    pub(super) population: &'a Population,
    streets: Streets,
}

impl<'a> Registry<'a> {
    /// Opens them.
    pub(super) fn new(population: &'a Population) -> Self {
        Self { population, streets: Streets::new(population.seed, population.households.len() as u32) }
    }

    /// Does the agency hold two records of this person without knowing it?
    pub(super) fn has_duplicate(self, party: Party, person: u32) -> bool {
        let mut dice = Dice::new(self.population.seed, Stream::Nominal, party as u64, u64::from(person));
        person < self.population.first_canary && dice.chance(party.clerk().duplicate)
    }

    /// The agency's own reference. For services it is the case's, so `nominal` counts a person's cases.
    pub(super) fn local_ref(self, party: Party, person: u32, nominal: u8) -> String {
        let record = u64::from(person) * 16 + u64::from(nominal % 16);
        let number = scattered(record, 2_654_435_761, self.population.seed % 1_000_003 + party as u64, 1 << 32);
        match party {
            Party::Police => format!("44-{number:010}"),
            Party::Crc => format!("PR{number:010}"),
            Party::LocalAuthority => format!("LA/{number:010}"),
            service => format!("{}-{number:010}", service.as_str().get(..3).unwrap_or("svc").to_uppercase()),
        }
    }

    /// How the agency has written the person down by this day. `slip` is the event whose clerk was careless, if one was.
    pub(super) fn identity(self, party: Party, person: u32, nominal: u8, on: Date, slip: Option<u64>) -> WireIdentity {
        let city = self.population;
        let record = (party as u64) << 8 | u64::from(if party.is_service() { 0 } else { nominal });
        let mut dice = Dice::new(city.seed, Stream::View, record, u64::from(person));
        let truly = city.person(person);
        if person >= city.first_canary {
            return self.canary_identity(party, person);
        }
        let clerk = party.clerk();
        let (true_name, former) = city.name(person);
        let mut identity = WireIdentity::default();
        let mut name = true_name.clone();
        if let Some(former) = &former {
            if dice.chance(clerk.other_married_name) {
                name = former.clone();
            } else if dice.chance(clerk.former_noted) {
                identity.former_names.push(wire(former.clone()));
            }
        }
        let name = miswritten(name, truly.custom, clerk, &mut dice);
        identity.date_of_birth = birth_date(truly.born, city.start, clerk, &mut dice);
        identity.sex = if dice.chance(clerk.no_sex) { Some("unknown") } else { sex(truly.female) };
        let stale = dice.chance(clerk.stale_address);
        self.house(&mut identity, party, person, if stale { city.start } else { on }, &mut dice);
        self.number(&mut identity, party, person, &mut dice);
        identity.name = wire(name);
        let suspect = truly.perpetrator && party == Party::Police;
        if suspect && dice.chance(if nominal == 0 { rates::FALSE_DETAILS } else { 10.0 * rates::FALSE_DETAILS }) {
            let invented = names::draw_given(truly.custom, truly.female, &mut dice);
            identity.name.given_names = names::written(truly.custom, truly.female, invented, truly.family).given;
            identity.date_of_birth = Some(truly.born.saturating_add(dice.between(-900, 900).days()));
            (identity.pnc_id, identity.cro_number) = (None, None);
        } else if suspect && dice.chance(rates::ALIAS_NOTED) {
            let invented = names::draw_given(truly.custom, truly.female, &mut dice);
            identity.aliases.push(wire(names::written(truly.custom, truly.female, invented, truly.family)));
        }
        if let Some(event) = slip {
            slipped(&mut identity, &mut Dice::new(city.seed, Stream::Slip, event, u64::from(person)));
        }
        identity
    }

    fn house(self, identity: &mut WireIdentity, party: Party, person: u32, on: Date, dice: &mut Dice) {
        let city = self.population;
        let (none, homeless, refuge) =
            (dice.chance(party.clerk().no_address), dice.chance(rates::NO_FIXED_ABODE), dice.chance(rates::REFUGE));
        let knows_uprn = dice.chance(rates::KNOWN_IDENTIFIERS[party.sort()][4]);
        let wrong = dice.chance(party.clerk().typo / 2.0);
        if none {
            return;
        }
        if homeless {
            identity.address = Some("No fixed abode".to_owned());
            return;
        }
        if refuge && city.person(person).victim {
            // Shared by people who have nothing else in common.
            (identity.address, identity.postcode) = (Some("c/o PO Box 114".to_owned()), Some("PO1 1ZZ".to_owned()));
            return;
        }
        let address = self.streets.address(city.home(person, on));
        identity.uprn = knows_uprn.then_some(address.uprn);
        identity.address = Some(address.line);
        identity.postcode = Some(if wrong { mistyped_postcode(&address.postcode, dice) } else { address.postcode });
    }

    fn number(self, identity: &mut WireIdentity, party: Party, person: u32, dice: &mut Dice) {
        let holds = self.numbers(person);
        let known = rates::KNOWN_IDENTIFIERS[party.sort()];
        let mut copy = |number: Option<String>, share: f64| {
            let (knows, wrong) = (dice.chance(share), dice.chance(rates::WRONG_IDENTIFIER));
            let number = number.filter(|_| knows)?;
            Some(if wrong { mistyped_digit(&number, dice) } else { number })
        };
        identity.pnc_id = copy(holds.pnc, known[0]);
        identity.cro_number = copy(holds.cro, known[0]);
        identity.nhs_number = copy(holds.nhs, known[1]);
        identity.crn = copy(holds.crn, known[2]);
        identity.noms_number = copy(holds.noms, known[3]);
    }

    fn numbers(self, person: u32) -> Numbers {
        let city = self.population;
        let truly = city.person(person);
        let mut dice = Dice::new(city.seed, Stream::Numbers, u64::from(person), 0);
        let canary = person >= city.first_canary;
        let year = (truly.born.year() + 14 + dice.below(12) as i16).clamp(1965, city.start.year());
        let adult = city.age(person, city.start) >= 15;
        let has_pnc = dice.chance(if truly.perpetrator { rates::PNC } else { rates::PNC_OF_OTHERS }) && adult;
        let has_cro = has_pnc && dice.chance(rates::CRO);
        let has_noms = truly.perpetrator && dice.chance(rates::NOMS) && adult;
        Numbers {
            pnc: (has_pnc || canary).then(|| numbers::pnc(person, year)),
            cro: (has_cro || canary).then(|| numbers::cro(person, year)),
            nhs: numbers::nhs(person),
            crn: (truly.perpetrator || canary).then(|| numbers::crn(person)),
            noms: (has_noms || canary).then(|| numbers::noms(person)),
        }
    }

    /// Everything, without an error, so that what is searched for was certainly sent.
    fn canary_identity(self, party: Party, person: u32) -> WireIdentity {
        let city = self.population;
        let truly = city.person(person);
        let (name, former) = city.name(person);
        let (address, postcode) = canary::address(city.seed, person);
        let holds = self.numbers(person);
        let uprn = self.streets.address(city.households.len() as u32 + person).uprn;
        let agency = !party.is_service();
        WireIdentity {
            name: wire(name),
            former_names: former.clone().map(wire).into_iter().collect(),
            aliases: former.filter(|_| agency).map(wire).into_iter().collect(),
            date_of_birth: Some(truly.born),
            sex: sex(truly.female),
            postcode: Some(postcode),
            address: Some(address),
            uprn: Some(uprn),
            pnc_id: holds.pnc.filter(|_| agency),
            cro_number: holds.cro.filter(|_| agency),
            nhs_number: holds.nhs,
            crn: holds.crn.filter(|_| agency),
            noms_number: holds.noms.filter(|_| agency),
        }
    }
}

struct Numbers {
    pnc: Option<String>,
    cro: Option<String>,
    nhs: Option<String>,
    crn: Option<String>,
    noms: Option<String>,
}

fn sex(female: bool) -> Option<&'static str> {
    Some(if female { "female" } else { "male" })
}

fn wire(name: Written) -> WireName {
    WireName { given_names: name.given, family_name: name.family }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::City;

    #[test]
    fn an_agency_writes_a_person_down_the_same_way_each_time_and_each_agency_in_its_own() {
        let city = City::new(9, 3_000, 12);
        let population = Population::new(&city);
        let registry = Registry::new(&population);
        let (mut same, mut born_alike) = (0, 0);
        for person in 0..3_000 {
            let by = |party| registry.identity(party, person, 0, city.end, None);
            assert_eq!(by(Party::Police), by(Party::Police));
            same += u32::from(by(Party::Police).name == by(Party::LocalAuthority).name);
            born_alike += u32::from(by(Party::Police).date_of_birth == by(Party::LocalAuthority).date_of_birth);
        }
        assert!((1_000..2_400).contains(&same), "{same}");
        assert!((2_200..2_800).contains(&born_alike), "{born_alike}");
    }

    #[test]
    fn references_are_unique_within_an_agency() {
        let population = Population::new(&City::new(9, 2_000, 12));
        let registry = Registry::new(&population);
        for party in Party::ALL {
            let references: std::collections::BTreeSet<_> = (0..2_000)
                .flat_map(|person| (0..16).map(move |nominal| registry.local_ref(party, person, nominal)))
                .collect();
            assert_eq!(references.len(), 32_000);
        }
    }

    #[test]
    fn every_error_that_the_field_knows_occurs() {
        let city = City::new(9, 6_000, 12);
        let population = Population::new(&city);
        let registry = Registry::new(&population);
        let mut seen = std::collections::BTreeMap::new();
        for person in 0..6_000 {
            let truly = population.person(person);
            let (name, former) = population.name(person);
            let written = registry.identity(Party::Police, person, 0, city.end, None);
            let born = written.date_of_birth;
            let swapped = Date::new(truly.born.year(), truly.born.day(), truly.born.month()).ok();
            let mut see = |what, is: bool| *seen.entry(what).or_insert(0) += u32::from(is);
            see("missing date", born.is_none());
            see("swapped date", born.is_some() && born != Some(truly.born) && born == swapped);
            see("first of January", born.is_some_and(|born| born.day_of_year() == 1) && born != Some(truly.born));
            see("former name", former.is_some_and(|former| Some(former) == Some(written_name(&written))));
            see("former name noted", !written.former_names.is_empty());
            see("alias", !written.aliases.is_empty());
            let exchanged = name.family.is_some() && written.name.given_names.first() == name.family.as_ref();
            see("name order", exchanged && written.name.family_name.as_ref() == name.given.first());
            see("no fixed abode", written.address.as_deref() == Some("No fixed abode"));
            see("no address", written.address.is_none());
            see("nickname or spelling", written.name.given_names.first() != name.given.first());
        }
        assert!(seen.values().all(|count| *count > 0), "{seen:?}");
    }

    fn written_name(identity: &WireIdentity) -> Written {
        Written { given: identity.name.given_names.clone(), family: identity.name.family_name.clone() }
    }
}
