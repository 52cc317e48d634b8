//! Feed records in either CloudEvents mode, through the whole pipeline. The first byte says whose feed and which mode; in
//! binary mode headers come first, a line each, `name: value`, up to an empty line.
#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use priorityd::pipeline::Engine;
use priorityd_fuzz::{HOUSE, now, record};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// An engine takes so many records before another one begins empty.
const RECORDS: i64 = 256;

thread_local! {
    static ENGINE: RefCell<(Engine, i64)> = RefCell::new((Engine::new(Arc::clone(&HOUSE.setup), 0), 0));
}

fn split(input: &[u8]) -> (Vec<(String, Vec<u8>)>, &[u8]) {
    let mut headers = Vec::new();
    let mut rest = input;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if line.is_empty() {
            break;
        }
        let colon = line.windows(2).position(|two| two == b": ").unwrap_or(line.len());
        let value = line.get(colon + 2..).unwrap_or_default().to_vec();
        headers.push((String::from_utf8_lossy(&line[..colon]).into_owned(), value));
    }
    (headers, rest)
}

// Made before the first input, so that no input is blamed for the time.
fuzz_target!(init: { std::sync::LazyLock::force(&HOUSE); }, |input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let feed = &HOUSE.feeds[usize::from(first >> 1) % HOUSE.feeds.len()];
    let (headers, payload) = if first & 1 == 1 { split(rest) } else { (Vec::new(), rest) };
    ENGINE.with_borrow_mut(|(engine, taken)| {
        if *taken == RECORDS {
            *engine = Engine::new(Arc::clone(&HOUSE.setup), 0);
            *taken = 0;
        }
        let record = record(feed, *taken, headers, payload);
        *taken += 1;
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let (transaction, report) = engine.process(std::slice::from_ref(&record), now(), &mut rng);
        let ends = report.outcomes.accepted
            + report.outcomes.rejected
            + report.outcomes.duplicate
            + report.outcomes.superseded;
        assert_eq!((report.outcomes.read, ends), (1, 1), "each record ends as one thing");
        assert_eq!(transaction.positions.len(), 1);
    });
});
