//! Audit files: whatever lines, or edits of a genuine chain. With its head kept elsewhere no change goes unseen.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use priorityd::audit::{AuditRecord, ChainsVerifier, Head, verify};
use priorityd::log::AUDIT_TOPIC;
use priorityd_fuzz::{HOUSE, edit};

static GENUINE: LazyLock<(Vec<Vec<u8>>, Head)> = LazyLock::new(|| {
    let lines: Vec<_> = HOUSE.said(AUDIT_TOPIC).take(6).map(<[u8]>::to_vec).collect();
    let head = verify(&lines, None).expect("as written").head;
    (lines, head)
});

// Made before the first input, so that no input is blamed for the time.
fuzz_target!(init: { std::sync::LazyLock::force(&GENUINE); }, |input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    if first & 1 == 0 {
        let mut chains = ChainsVerifier::default();
        for line in rest.split(|byte| *byte == b'\n') {
            drop(AuditRecord::read(line));
            chains.push(None, line);
        }
        drop(chains.finish(&Default::default()));
        return;
    }
    let (genuine, head) = &*GENUINE;
    let mut file = genuine.join(&b'\n');
    if !edit(&mut file, rest) {
        return;
    }
    let lines: Vec<_> = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    if verify(&lines, Some(*head)).is_ok() {
        let read = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).expect("it was believed");
        let same =
            lines.len() == genuine.len() && lines.iter().zip(genuine).all(|(one, other)| read(one) == read(other));
        assert!(same, "a changed chain is believed");
    }
});
