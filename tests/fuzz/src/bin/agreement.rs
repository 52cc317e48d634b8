//! The agreement and its policies. An input without `permit` or `forbid` is the agreement, with the policies that ship; any
//! other is a policy file, beside the agreement that ships.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use priorityd::config::agreement::{Agreement, Package};
use priorityd_fuzz::package;

static SHIPPED: LazyLock<Package> = LazyLock::new(package);

// Made before the first input, so that no input is blamed for the time.
fuzz_target!(init: { std::sync::LazyLock::force(&SHIPPED); }, |input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut package = SHIPPED.clone();
    if text.contains("permit") || text.contains("forbid") {
        package.policies = vec![("policies/input.cedar".to_owned(), text.to_owned())];
    } else {
        text.clone_into(&mut package.agreement);
    }
    if let Err(problems) = Agreement::check(&package) {
        assert!(!problems.is_empty(), "refused for no reason");
    }
});
