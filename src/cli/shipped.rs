//! The files that ship with priorityd, for commands that set up a deployment of their own.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use rand::CryptoRng;

use super::agreement::sign;
use super::failure::{Failure, Kind};
use crate::keys::NewKeys;

/// The agreement.
const AGREEMENT: &str = include_str!("../../deploy/agreement.toml");
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
pub(super) fn write_agreement(dir: &Path) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        fs::write(dir.join("agreement.toml"), AGREEMENT)?;
        fs::create_dir_all(dir.join("policies"))?;
        POLICIES.iter().try_for_each(|(name, text)| fs::write(dir.join("policies").join(name), text))
    };
    write().map_err(|error| Failure::unwritable(Kind::Configuration, dir, &error))
}

/// Signs the agreement in a folder with a key of its own: in a demonstration nobody else is there to agree.
pub(super) fn sign_agreement(dir: &Path, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
    let signer = "ig_lead".parse().expect("a name of the right form");
    NewKeys::new(dir, Timestamp::UNIX_EPOCH, None, rng).agreement(&signer, &dir.join("signers"))?;
    sign(&dir.join("agreement.toml"), &dir.join("signers/ig_lead.jwk.json"))?;
    Ok(())
}
