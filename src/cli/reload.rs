//! The agreement while the daemon runs: looked at again on SIGHUP and every few seconds, checked before it counts, and
//! refused with every mistake when it is not in order. What was in force stays until something better is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::civil::Date;

use super::deployment::load_agreement;
use crate::config::agreement::{Agreement, Package};
use crate::config::settings::Settings;
use crate::model::ids::PartyId;

/// How often the files are looked at without being asked.
const INTERVAL: Duration = Duration::from_secs(10);

/// Watches the agreement's files.
pub(super) struct AgreementWatch {
    settings: Settings,
    /// Set on SIGHUP.
    asked: Arc<AtomicBool>,
    last: Instant,
    /// Manifest and signature as last looked at: what was refused is told once.
    seen: Option<(String, Option<String>)>,
}

impl AgreementWatch {
    /// Watches what these settings name.
    pub(super) fn new(settings: Settings, asked: Arc<AtomicBool>) -> Self {
        Self { settings, asked, last: Instant::now(), seen: None }
    }

    /// The agreement that takes the place of the one in use, if there is one, checked and signed.
    pub(super) fn look(&mut self, current: &Agreement, as_of: Date) -> Option<Agreement> {
        let asked = self.asked.swap(false, Ordering::Relaxed);
        if !asked && self.last.elapsed() < INTERVAL {
            return None;
        }
        self.last = Instant::now();
        let on_disk =
            Package::read(&self.settings.agreement).ok().map(|package| (package.manifest(), package.signature));
        if !asked && on_disk.is_some() && on_disk == self.seen {
            return None;
        }
        self.seen = on_disk;
        match load_agreement(&self.settings) {
            Ok((next, why_not)) => {
                let is_same = next.manifest == current.manifest && next.signed_by == current.signed_by;
                if is_same {
                    return None;
                }
                let problems = why_not.map(|why| why.to_string()).into_iter().chain(misfits(current, &next, as_of));
                let problems: Vec<_> = problems.collect();
                if problems.is_empty() {
                    tracing::info!(version = next.version, serial = next.serial, "another agreement is in force");
                    return Some(next);
                }
                refuse(&problems);
            }
            Err(problems) => refuse(&problems),
        }
        None
    }
}

/// Why an agreement that is in order cannot follow the one in use.
fn misfits(current: &Agreement, next: &Agreement, as_of: Date) -> Vec<String> {
    let mut problems = Vec::new();
    if next.serial < current.serial {
        problems.push("serial: it is lower than that of the agreement in use; an agreement never goes back".to_owned());
    }
    if next.serial == current.serial && next.manifest != current.manifest {
        problems.push("serial: it is that of another agreement, the one in use; raise it".to_owned());
    }
    if next.scopes != current.scopes {
        problems.push("scopes: they are others than those in use; restart the daemon to serve them".to_owned());
    }
    let parties =
        |agreement: &Agreement| -> Vec<PartyId> { agreement.feeds.iter().map(|feed| feed.party.clone()).collect() };
    let known = parties(current);
    if parties(next).iter().any(|party| !known.contains(party)) {
        problems.push("feed: there is a new one; restart the daemon to read it".to_owned());
    }
    if !(next.valid_from..=next.expires_on).contains(&as_of) {
        problems.push("valid_from, expires_on: it is not in force today".to_owned());
    }
    problems
}

fn refuse(problems: &[String]) {
    for problem in problems {
        tracing::error!(problem, "the agreement on disk is refused, and the one in use stays");
    }
}
