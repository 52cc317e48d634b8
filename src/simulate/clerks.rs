//! The clerks' hands: what becomes of names, dates and numbers on their way from a mouth to a record.

use jiff::civil::Date;

use super::dice::Dice;
use super::errors::WireIdentity;
use super::names::{self, Custom, Written};
use super::rates::Clerk;

/// What becomes of a name between a mouth and a record.
pub(super) fn miswritten(mut name: Written, custom: Custom, clerk: &Clerk, dice: &mut Dice) -> Written {
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

pub(super) fn mistyped_digit(number: &str, dice: &mut Dice) -> String {
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

pub(super) fn mistyped_postcode(postcode: &str, dice: &mut Dice) -> String {
    let letter = char::from(b"ABDEFGHJLNPQRSTUWXYZ"[dice.below(20) as usize]);
    let kept = postcode.len() - 1 - dice.below(2) as usize;
    let (before, after) = (&postcode[..kept], &postcode[kept + 1..]);
    format!("{before}{letter}{after}")
}

pub(super) fn birth_date(born: Date, start: Date, clerk: &Clerk, dice: &mut Dice) -> Option<Date> {
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
pub(super) fn slipped(identity: &mut WireIdentity, dice: &mut Dice) {
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
