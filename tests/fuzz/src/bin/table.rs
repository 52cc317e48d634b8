//! A table of people: the map of its columns in TOML, an empty line, and the CSV.
#![no_main]

use libfuzzer_sys::fuzz_target;
use priorityd::validate::rows::{ColumnMap, read_table};

fuzz_target!(|input: &[u8]| {
    let end = input.windows(2).position(|two| two == b"\n\n");
    let (map, table) = input.split_at(end.map_or(0, |end| end + 2));
    let Ok(map) = std::str::from_utf8(map) else { return };
    let Ok(map) = ColumnMap::parse(map) else { return };
    for truth in [None, Some("truth")] {
        if let Err(error) = read_table(&map, truth, table) {
            assert!(!error.to_string().is_empty());
        }
    }
});
