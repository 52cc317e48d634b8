//! Short forms of given names: `liz` is `elizabeth`. See `nicknames.md` for where the table comes from.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

const TABLE: &str = include_str!("nicknames.csv");

/// The formal name of a short form, or the name itself.
///
/// The table maps many to many (`bill` may be William or Robert). A name stands for the formal name with the most short
/// forms, which may be itself; ties go to itself, then by alphabet. The choice is the same in every agency, which is all
/// that linkage needs.
pub(super) fn canonical(name: &str) -> &str {
    static FORMAL: OnceLock<FxHashMap<&'static str, &'static str>> = OnceLock::new();
    FORMAL.get_or_init(read_table).get(name).copied().unwrap_or(name)
}

fn read_table() -> FxHashMap<&'static str, &'static str> {
    let relations: Vec<(&str, &str)> = TABLE.lines().skip(1).filter_map(relation).collect();
    let mut short_forms: FxHashMap<&str, usize> = FxHashMap::default();
    for (formal, _) in &relations {
        *short_forms.entry(formal).or_default() += 1;
    }
    let count = |name: &str| short_forms.get(name).copied().unwrap_or(0);
    let mut chosen: FxHashMap<&str, &str> = FxHashMap::default();
    for &(formal, short) in &relations {
        let best = chosen.entry(short).or_insert(short);
        let better = count(formal) > count(best) || (count(formal) == count(best) && *best != short && formal < *best);
        if better {
            *best = formal;
        }
    }
    chosen
}

fn relation(line: &'static str) -> Option<(&'static str, &'static str)> {
    let mut columns = line.split(',');
    let (formal, _, short) = (columns.next()?, columns.next()?, columns.next()?);
    Some((formal.trim(), short.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_meet_at_one_formal_name() {
        for short in ["liz", "betty", "libby", "elizabeth"] {
            assert_eq!(canonical(short), "elizabeth");
        }
        assert_eq!(canonical("will"), canonical("william"));
        assert_eq!(canonical("zebedee-no-such-name"), "zebedee-no-such-name");
    }
}
