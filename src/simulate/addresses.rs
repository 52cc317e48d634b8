//! Homes: a street, a number, a postcode unit and a property number for every home, all made from the home's number.

use super::dice::{Dice, Stream, scattered};

/// Where somebody lives, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) line: String,
    pub(super) postcode: String,
    pub(super) uprn: String,
}

/// Letters that the second half of a postcode may have.
const UNIT_LETTERS: &[u8; 20] = b"ABDEFGHJLNPQRSTUWXYZ";
/// Districts PO1 to PO6, nine sectors each, four hundred units each.
const UNITS_OF_A_CITY: u32 = 6 * 9 * 400;
/// Larger than any number of units, so that it shares no factor with one.
const PRIME: u64 = 1_000_003;
/// How many homes share a unit, about.
const HOMES_PER_UNIT: u32 = 15;
/// A small play still spreads over a neighbourhood, not over one street.
const FEWEST_UNITS: u32 = 600;

const STREETS: &[&str] = &[
    "Albert",
    "Highland",
    "Victoria",
    "Copnor",
    "Fratton",
    "Milton",
    "Kingston",
    "Eastney",
    "Elm",
    "Grove",
    "Palmerston",
    "Osborne",
    "Clarence",
    "Castle",
    "Fawcett",
    "Lawrence",
    "Winter",
    "Jessie",
    "Francis",
    "Devonshire",
    "Essex",
    "Chatsworth",
    "Tangier",
    "Powerscourt",
    "Queens",
    "Kings",
    "Stamshaw",
    "Twyford",
    "London",
    "Chichester",
    "Gladys",
    "Laburnum",
    "Mayfield",
    "Kirby",
    "Oriel",
    "Beresford",
    "Hilsea",
    "Battenburg",
    "Lichfield",
    "Tranmere",
    "Neville",
    "Goldsmith",
    "Haslemere",
    "Suffolk",
    "Bramshott",
    "Methuen",
    "Reginald",
    "Landguard",
    "Cromwell",
    "Henderson",
    "Baffins",
    "Hayling",
    "Salterns",
    "Anchorage",
    "Dundas",
    "Burrfields",
    "Moneyfield",
    "Havant",
    "Allaway",
    "Southampton",
    "Paulsgrove",
    "Cheltenham",
    "Hillsley",
    "Leominster",
    "Ludlow",
    "Jubilee",
    "Drayton",
    "Farlington",
    "Station",
    "Mulberry",
    "Lower",
    "Waverley",
    "Marmion",
    "Nelson",
    "Wellington",
    "Trafalgar",
    "Somers",
    "Bath",
];
const WAYS: &[&str] = &["Road", "Street", "Avenue", "Close", "Lane", "Terrace", "Gardens", "Way", "Drive", "Court"];

/// The streets of one city.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streets {
    seed: u64,
    units: u32,
}

impl Streets {
    /// Streets enough for this many homes.
    pub(super) fn new(seed: u64, homes: u32) -> Self {
        Self { seed, units: (homes / HOMES_PER_UNIT).clamp(FEWEST_UNITS, UNITS_OF_A_CITY) }
    }

    /// The address of a home. Two homes never share one.
    pub(super) fn address(self, home: u32) -> Address {
        let unit = scattered(u64::from(home % self.units), PRIME, self.seed % 9_973, u64::from(self.units)) as u32;
        let round = home / self.units;
        // Units are spread over the whole city, however few they are.
        let place = scattered(u64::from(unit), PRIME, self.seed % 10_007, u64::from(UNITS_OF_A_CITY)) as u32;
        let mut dice = Dice::new(self.seed, Stream::Address, u64::from(unit), 0);
        let street = format!("{} {}", dice.pick(STREETS), dice.pick(WAYS));
        let number = 1 + dice.below(90) + round * 2;
        let flat = dice.chance(0.2).then(|| 1 + round % 12);
        let line = match flat {
            Some(flat) => format!("Flat {flat}, {number} {street}"),
            None => format!("{number} {street}"),
        };
        let uprn = scattered(u64::from(home), 48_271, self.seed % 99_991, 100_000_000);
        Address { line, postcode: postcode(place), uprn: format!("1099{uprn:08}") }
    }
}

fn postcode(place: u32) -> String {
    let letter = |index: u32| char::from(UNIT_LETTERS[index as usize]);
    let (unit, rest) = (place % 400, place / 400);
    format!("PO{} {}{}{}", 1 + rest / 9, 1 + rest % 9, letter(unit / 20), letter(unit % 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_homes_share_an_address_and_every_postcode_is_of_the_city() {
        let streets = Streets::new(7, 30_000);
        let mut seen = std::collections::BTreeSet::new();
        for home in 0..30_000 {
            let address = streets.address(home);
            let area = address.postcode.as_bytes()[2];
            assert!(address.postcode.starts_with("PO") && (b'1'..=b'6').contains(&area), "{}", address.postcode);
            assert!(seen.insert((address.line, address.postcode)));
        }
    }
}
