//! Rows of the register as a log gives them back: edits of genuine ones. An engine refuses them, or works on.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use priorityd::pipeline::Engine;
use priorityd_fuzz::{HOUSE, edit, now};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// Some of each kind, so that one run is quick.
static ROWS: LazyLock<Vec<(Vec<u8>, Vec<u8>)>> = LazyLock::new(|| {
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (key, value) in &HOUSE.register {
        let alike = rows.iter().filter(|(other, _)| other[0] == key[0]).count();
        if alike < 12 {
            rows.push((key.clone(), value.clone()));
        }
    }
    rows
});

// Made before the first input, so that no input is blamed for the time.
fuzz_target!(init: { std::sync::LazyLock::force(&ROWS); }, |input: &[u8]| {
    let mut rows = ROWS.clone();
    for edits in input.chunks(9) {
        let Some((which, edits)) = edits.split_first() else { continue };
        let at = usize::from(which >> 1) % rows.len();
        let (key, value) = &mut rows[at];
        edit(if which & 1 == 1 { key } else { value }, edits);
    }
    let mut engine = Engine::new(Arc::clone(&HOUSE.setup), 0);
    for (key, value) in &rows {
        if engine.restore_row(key, value).is_err() {
            return;
        }
    }
    if engine.finish_restore().is_err() {
        return;
    }
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    while engine.is_due(now()) {
        drop(engine.advance(now(), &mut rng));
    }
});
