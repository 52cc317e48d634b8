//! Tokens of reviewers: made here, shown once, kept as their SHA-256 only.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::failure::{Failure, Kind};
use crate::config::files::{LARGEST_FILE, read_text};
use crate::config::settings::Settings;
use crate::model::ids::{hex, unhex};
use crate::ops::pages::Reviewer;

/// Makes a token for somebody and notes it in the file that the configuration names.
pub(super) fn add(config: &Path, by: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = Settings::load(config)?;
    let file = settings.review_token_file.ok_or_else(|| {
        let line =
            format!("{}: review_token_file: it is missing; name the file that tokens are noted in", config.display());
        Failure::new(Kind::Configuration, line)
    })?;
    if !is_initials(by) {
        return Err(Failure::new(Kind::BadData, "--by: it is not up to three capitals and a number; never use a name"));
    }
    let mut others = match fs::exists(&file) {
        Ok(false) => Vec::new(),
        Ok(true) | Err(_) => read(&file).map_err(|line| Failure::new(Kind::Configuration, line))?,
    };
    others.retain(|reviewer| reviewer.by != by);
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).expect("the operating system has random numbers");
    let token = Zeroizing::new(hex(&*secret));
    others.push(Reviewer { by: by.to_owned(), token_sha256: Sha256::digest(token.as_bytes()).into() });
    let lines: String = others.iter().map(|one| format!("{} {}\n", one.by, hex(&one.token_sha256))).collect();
    let next = file.with_extension("next");
    let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next);
    written
        .and_then(|mut to| to.write_all(lines.as_bytes()).and_then(|()| to.sync_all()))
        .and_then(|()| fs::rename(&next, &file))
        .map_err(|error| Failure::unwritable(Kind::Configuration, &file, &error))?;
    Ok(writeln!(out, "{}", token.as_str())?)
}

/// Who may review, from the file: initials and the SHA-256 of a token, a line each.
pub(super) fn read(file: &Path) -> Result<Vec<Reviewer>, String> {
    let text = read_text(file, LARGEST_FILE).map_err(|why| format!("{}: {why}", file.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let reviewers = lines.map(|(at, line)| {
        let fits = line.split_once(' ').and_then(|(by, hash)| {
            let by = Some(by).filter(|by| is_initials(by))?;
            Some(Reviewer { by: by.to_owned(), token_sha256: unhex(hash)?.try_into().ok()? })
        });
        fits.ok_or_else(|| {
            format!("{}: line {} is no reviewer; make one with `priorityd review token`", file.display(), at + 1)
        })
    });
    reviewers.collect()
}

/// Up to three capitals and a number, as the schema of decisions has it.
fn is_initials(by: &str) -> bool {
    let digits = by.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let letters = by.len() - digits.len();
    (1..=3).contains(&letters) && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
