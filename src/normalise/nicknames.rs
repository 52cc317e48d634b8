//! Other forms of a name: `liz` is `elizabeth`, `muhammad` is `mohammed`, `wong` may be `wang` or `huang`. See `nicknames.md`
//! and `spellings.md` for where the tables come from.

use std::cmp::Reverse;
use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use super::names::sound;
use crate::model::tokens::NAME_FORMS;

const NICKNAMES: &str = include_str!("nicknames.csv");
const SPELLINGS: &str = include_str!("spellings.csv");

/// Names that are common in Britain, as `field,name,share` after a line of headings. See `names_uk.md`.
pub(crate) const COMMON: &str = include_str!("names_uk.csv");

/// A name of the tables.
pub(super) struct PublicName {
    /// What it may be another form of, itself among them, at most [`NAME_FORMS`]: two names that share one are forms of one
    /// name. The first is the likeliest.
    ///
    /// The tables map many to many (`bill` may be William or Robert). Of several, those are kept that are common in Britain,
    /// then those that have the most forms. The choice is the same in every agency, which is all that linkage needs.
    pub(super) forms: Vec<&'static str>,
    /// How it sounds, worked out once: most people have a name of the tables.
    pub(super) sound: String,
}

/// A name as the tables have it; `None` where no table does: it is a form of itself alone.
pub(super) fn public(name: &str) -> Option<&'static PublicName> {
    static PUBLIC: OnceLock<FxHashMap<&'static str, PublicName>> = OnceLock::new();
    PUBLIC.get_or_init(read_names).get(name)
}

fn read_names() -> FxHashMap<&'static str, PublicName> {
    let mut forms = read_tables();
    for name in COMMON.lines().skip(1).filter_map(|line| line.split(',').nth(1)) {
        forms.entry(name).or_insert_with(|| vec![name]);
    }
    forms.into_iter().map(|(name, forms)| (name, PublicName { forms, sound: sound(name) })).collect()
}

fn read_tables() -> FxHashMap<&'static str, Vec<&'static str>> {
    let relations: Vec<(&str, &str)> = nicknames().chain(spellings()).collect();
    let spelt: FxHashSet<(&str, &str)> = spellings().collect();
    let mut known: FxHashMap<&str, usize> = FxHashMap::default();
    for (formal, _) in &relations {
        *known.entry(formal).or_default() += 1;
    }
    let common: FxHashSet<&str> =
        COMMON.lines().filter_map(|line| line.strip_prefix("given,")?.split(',').next()).collect();
    let mut forms: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
    for (formal, other) in &relations {
        let found = forms.entry(other).or_insert_with(|| vec![other]);
        if !found.contains(formal) {
            found.push(formal);
        }
    }
    for (name, found) in &mut forms {
        found.sort_unstable_by_key(|form| {
            let many = known.get(form).copied().unwrap_or(0);
            (!spelt.contains(&(*form, *name)), !common.contains(form), Reverse(many), *form)
        });
        found.truncate(NAME_FORMS);
        if !found.contains(name) {
            found.pop();
            found.push(name);
        }
    }
    forms
}

fn nicknames() -> impl Iterator<Item = (&'static str, &'static str)> {
    NICKNAMES.lines().skip(1).filter_map(|line| {
        let mut columns = line.split(',');
        let (formal, _, short) = (columns.next()?, columns.next()?, columns.next()?);
        Some((formal.trim(), short.trim()))
    })
}

fn spellings() -> impl Iterator<Item = (&'static str, &'static str)> {
    SPELLINGS
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .flat_map(|(formal, others)| others.split(' ').map(move |other| (formal, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(name: &str) -> Vec<&str> {
        public(name).map_or_else(|| vec![name], |public| public.forms.clone())
    }

    fn meet(one: &str, two: &str) -> bool {
        let others = forms(two);
        forms(one).iter().any(|form| others.contains(form))
    }

    #[test]
    fn forms_of_one_name_meet() {
        for short in ["liz", "betty", "libby", "elizabeth"] {
            assert!(meet(short, "elizabeth"), "{short}");
        }
        for (one, two) in [
            ("bill", "william"),
            ("bob", "robert"),
            ("tom", "thomas"),
            ("chris", "christine"),
            ("chris", "christopher"),
            ("muhammad", "mohamed"),
            ("wong", "wang"),
            ("wong", "huang"),
            ("sergey", "serhii"),
        ] {
            assert!(meet(one, two), "{one} {two}");
        }
        for (one, two) in [("william", "thomas"), ("wang", "huang"), ("zebedee-no-such-name", "zebedee")] {
            assert!(!meet(one, two), "{one} {two}");
        }
    }

    #[test]
    fn a_name_is_a_form_of_itself_and_has_few_others() {
        for name in nicknames().chain(spellings()).flat_map(|(one, two)| [one, two]) {
            let forms = forms(name);
            assert!(forms.contains(&name) && forms.len() <= NAME_FORMS, "{name}");
        }
        for name in spellings().flat_map(|(one, two)| [one, two]) {
            assert!(name.bytes().all(|letter| letter.is_ascii_lowercase()), "{name}");
        }
    }
}
