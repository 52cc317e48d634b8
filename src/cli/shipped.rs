//! The files that ship with priorityd, for commands that set up a deployment of their own.

use std::fs;
use std::io;
use std::path::Path;

/// The agreement.
pub(super) const AGREEMENT: &str = include_str!("../../deploy/agreement.toml");
/// The configuration.
pub(super) const CONFIG: &str = include_str!("../../deploy/priorityd.toml");
/// The agreement's policies.
const POLICIES: &[(&str, &str)] = &[
    ("everybody.cedar", include_str!("../../deploy/policies/everybody.cedar")),
    ("programmes.cedar", include_str!("../../deploy/policies/programmes.cedar")),
    ("statutory.cedar", include_str!("../../deploy/policies/statutory.cedar")),
    ("victims_services.cedar", include_str!("../../deploy/policies/victims_services.cedar")),
];

/// Writes agreement and policies into a folder.
pub(super) fn write_agreement(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("agreement.toml"), AGREEMENT)?;
    fs::create_dir_all(dir.join("policies"))?;
    POLICIES.iter().try_for_each(|(name, text)| fs::write(dir.join("policies").join(name), text))
}
