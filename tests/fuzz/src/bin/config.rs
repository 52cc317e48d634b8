//! The settings' file and a linkage model's.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use priorityd::config::settings::Settings;
use priorityd::link::LinkageModel;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(table) = text.parse::<toml::Table>()
        && let Err(problems) = Settings::check(&table, Path::new("priorityd.toml"))
    {
        assert!(!problems.is_empty(), "refused for no reason");
    }
    if let Ok(model) = LinkageModel::parse(text) {
        assert!(!model.version().is_empty());
    }
});
