//! How an agency wrote a person down: its own reference, and a name, date and address that are nearly right. A pure
//! function of the city, the agency, the person and which of the agency's records it is, so every feed and the linkage
//! rows agree on it.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::addresses::Streets;
use super::canary;
use super::dice::{Dice, Stream, scattered};
use super::names::{self, Custom, Written};
use super::numbers;
use super::party::Party;
use super::people::Population;
use super::rates::{self, Clerk};

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

/// What becomes of a name between a mouth and a record.
fn miswritten(mut name: Written, custom: Custom, clerk: &Clerk, dice: &mut Dice) -> Written {
    if name.given.len() > 1 && dice.chance(clerk.middle_dropped) && custom != Custom::Punjabi {
        name.given.truncate(1);
    }
    by_custom(&mut name, custom, clerk, dice);
    if dice.chance(clerk.nickname)
        && let Some(short) = name.given.first().and_then(|first| names::nickname(first, dice))
    {
        name.given[0] = short;
    }
    if dice.chance(clerk.respelled) {
        for word in name.given.iter_mut().chain(&mut name.family) {
            *word = names::respelled(word, dice).unwrap_or_else(|| names::plain(word));
        }
    }
    let (typo_given, typo_family) = (dice.chance(clerk.typo), dice.chance(clerk.typo));
    if let Some(first) = name.given.first_mut().filter(|_| typo_given) {
        *first = mistyped(first, dice);
    }
    if let Some(family) = name.family.as_mut().filter(|_| typo_family) {
        *family = mistyped(family, dice);
    }
    let foreign_order = matches!(custom, Custom::Chinese | Custom::Single | Custom::Patronymic | Custom::Punjabi);
    let swapped = dice.chance(if foreign_order { clerk.order_swapped } else { clerk.order_swapped / 10.0 });
    if swapped && !name.given.is_empty() {
        let first = name.given.remove(0);
        name.given.splice(0..0, name.family.replace(first));
    }
    name
}

/// What clerks do to names of a custom that is not theirs.
fn by_custom(name: &mut Written, custom: Custom, clerk: &Clerk, dice: &mut Dice) {
    let careless = dice.chance(clerk.respelled);
    let kind = dice.below(3);
    match custom {
        // Singh or Kaur as the family name, or the family name alone.
        Custom::Punjabi if dice.chance(0.45) => {
            let second = name.given.pop();
            if dice.chance(0.6) {
                name.family = second;
            }
        }
        Custom::Chinese if careless => match (kind, name.given.first_mut()) {
            (0, _) => name.given.insert(0, names::added_english_name(dice)),
            (_, Some(given)) if given.len() > 6 => given.insert(3, if kind == 1 { ' ' } else { '-' }),
            _ => {}
        },
        Custom::Iberian if careless => {
            if let Some((first, second)) = name.family.as_deref().and_then(|family| family.split_once(' ')) {
                name.family = Some(match kind {
                    0 => first.to_owned(),
                    1 => second.to_owned(),
                    _ => format!("{first}-{second}"),
                });
            }
        }
        Custom::Arabic if careless => {
            if let Some(family) = &mut name.family {
                *family = match kind {
                    0 => family.rsplit([' ', '-']).next().unwrap_or(family).to_owned(),
                    1 => family.replace('-', " "),
                    _ => family.replace([' ', '-'], ""),
                };
            }
        }
        // One name, written where a family name goes, or in both places.
        Custom::Single if dice.chance(0.4) => {
            name.family = name.given.first().cloned();
            if kind > 0 {
                name.given.clear();
            }
        }
        Custom::English if careless => {
            if let Some(family) = &mut name.family {
                *family = match (kind, family.split_once('-')) {
                    (0, Some((_, second))) => second.to_owned(),
                    (1, Some((first, _))) => first.to_owned(),
                    _ => family.replace('-', " ").replace('\'', ""),
                };
            }
        }
        _ => {}
    }
}

/// One letter missing, doubled, exchanged with its neighbour or hit wrongly.
fn mistyped(word: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 3 {
        return word.to_owned();
    }
    let place = 1 + dice.below(letters.len() as u32 - 1) as usize;
    match dice.below(4) {
        0 => drop(letters.remove(place)),
        1 => letters.insert(place, letters[place]),
        2 => letters.swap(place, place - 1),
        _ => letters[place] = char::from(b'a' + dice.below(26) as u8),
    }
    letters.into_iter().collect()
}

fn mistyped_digit(number: &str, dice: &mut Dice) -> String {
    let digits = number.bytes().filter(u8::is_ascii_digit).count() as u32;
    let mut left = dice.below(digits.max(1));
    let typed = char::from(b'0' + dice.below(10) as u8);
    let retype = |letter: char| {
        let hit = letter.is_ascii_digit() && left == 0;
        left = if letter.is_ascii_digit() { left.wrapping_sub(1) } else { left };
        if hit { typed } else { letter }
    };
    number.chars().map(retype).collect()
}

fn mistyped_postcode(postcode: &str, dice: &mut Dice) -> String {
    let letter = char::from(b"ABDEFGHJLNPQRSTUWXYZ"[dice.below(20) as usize]);
    let kept = postcode.len() - 1 - dice.below(2) as usize;
    let (before, after) = (&postcode[..kept], &postcode[kept + 1..]);
    format!("{before}{letter}{after}")
}

fn birth_date(born: Date, start: Date, clerk: &Clerk, dice: &mut Dice) -> Option<Date> {
    if dice.chance(clerk.no_birth) {
        return None;
    }
    if !dice.chance(clerk.wrong_birth) {
        return Some(born);
    }
    let wrong = match dice.below(5) {
        // Swapped where the other order is a date too.
        0 | 1 => Date::new(born.year(), born.day(), born.month()).ok(),
        2 => Date::new(born.year(), 1, 1).ok(),
        3 => Date::new(born.year(), born.month(), 1 + (born.day() + 9) % 28).ok(),
        _ => Date::new(born.year() - 1, born.month(), born.day()).ok(),
    };
    // A date after an event would not pass any agency's own form.
    Some(wrong.filter(|wrong| *wrong < start).unwrap_or(born))
}

/// A careless hand in one event: something less, or something wrong, than the agency's own record has.
fn slipped(identity: &mut WireIdentity, dice: &mut Dice) {
    match dice.below(5) {
        0 => identity.date_of_birth = None,
        1 => (identity.postcode, identity.address, identity.uprn) = (None, None, None),
        2 => identity.name.given_names.truncate(1),
        3 => {
            if let Some(family) = &mut identity.name.family_name {
                *family = mistyped(family, dice);
            }
        }
        _ => {
            if let Some(first) = identity.name.given_names.first_mut() {
                *first = mistyped(first, dice);
            }
        }
    }
}
