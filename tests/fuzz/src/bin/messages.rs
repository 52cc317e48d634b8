//! Sealed messages: whatever bytes, or edits of a genuine one. Nothing opens that was not sealed and signed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use priorityd::disclose::open::Opener;
use priorityd::disclose::statement::{self, Statement};
use priorityd::log::topic_name;
use priorityd::model::ids::PartyId;
use priorityd_fuzz::{HOUSE, READER, edit, now};

static READS: LazyLock<PartyId> = LazyLock::new(|| READER.parse().expect("a party"));

static GENUINE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let messages = ["alerts", "list"].map(|kind| topic_name(kind, &READS));
    let messages: Vec<_> = messages.iter().flat_map(|topic| HOUSE.said(topic)).take(8).map(<[u8]>::to_vec).collect();
    assert!(!messages.is_empty(), "somebody is told something");
    messages
});

// Made before the first input, so that no input is blamed for the time.
fuzz_target!(init: { std::sync::LazyLock::force(&GENUINE); }, |input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let mut opener = Opener::new(std::slice::from_ref(&HOUSE.key), &HOUSE.signers, &READS);
    let genuine = &GENUINE[usize::from(first >> 1) % GENUINE.len()];
    if first & 1 == 0 {
        if let Ok(text) = std::str::from_utf8(rest) {
            assert!(opener.open(text, now().at).is_err(), "what nobody sealed opens");
        }
        for kind in [Statement::Heartbeat, Statement::AuditHead] {
            assert!(statement::read(kind, rest, &HOUSE.signers, None).is_err(), "what nobody signed is believed");
        }
        return;
    }
    let mut message = genuine.clone();
    if !edit(&mut message, rest) {
        return;
    }
    let Ok(text) = std::str::from_utf8(&message) else { return };
    let Ok(opened) = opener.open(text, now().at) else { return };
    let whole = std::str::from_utf8(genuine).expect("compact");
    let whole = opener.open(whole, now().at).expect("a genuine message opens");
    assert_eq!(opened.event(), whole.event(), "a changed message opens to something else");
});
