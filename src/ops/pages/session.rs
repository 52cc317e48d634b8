//! Who is reviewing: tokens, sessions and the bounds on both.
//!
//! A reviewer has a token of 256 random bits; the file knows only its SHA-256, so that whoever reads the file cannot sign
//! in. A session is another random number in a cookie that no script can read and no other site can send; with it goes a
//! third one in every form. All are compared in constant time. Who is taken out of the file is out at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::model::ids::hex;

/// A working day.
const SESSION: Duration = Duration::from_secs(8 * 60 * 60);
/// More people than will ever review; the oldest session ends for another one.
const MOST_SESSIONS: usize = 64;
/// Wrong tokens in a minute, of everybody together: guessing 256 bits would take for ever anyway.
const MOST_FAILURES: usize = 10;
/// What one session may ask for in a minute.
const MOST_REQUESTS: usize = 120;
const MINUTE: Duration = Duration::from_secs(60);

/// Somebody who may review.
#[derive(Clone, PartialEq, Eq)]
pub struct Reviewer {
    /// Initials and a number, as decisions have it.
    pub by: String,
    /// SHA-256 of the token.
    pub token_sha256: [u8; 32],
}

/// An hour of so many.
#[derive(Default)]
struct Bound(Vec<Instant>);

impl Bound {
    /// Is there room for one more in this minute? Takes it.
    fn take(&mut self, most: usize, now: Instant) -> bool {
        self.0.retain(|at| now.duration_since(*at) < MINUTE);
        let has_room = self.0.len() < most;
        if has_room {
            self.0.push(now);
        }
        has_room
    }
}

struct Session {
    reviewer: Reviewer,
    form: String,
    until: Instant,
    requests: Bound,
}

/// Sessions by the SHA-256 of their number.
#[derive(Default)]
struct Open {
    sessions: BTreeMap<[u8; 32], Session>,
    failures: Bound,
}

/// Everybody who is signed in. Kept in memory only: a restart signs everybody out.
#[derive(Default)]
pub struct Sessions(Mutex<Open>);

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotIn {
    /// Nobody has this token.
    Unknown,
    /// Too many wrong ones, or too many requests.
    TooMany,
    /// Not signed in, or not any more.
    SignedOut,
}

/// Who is signed in, and the secret of their forms.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) by: String,
    pub(super) form: String,
}

impl Sessions {
    /// Signs in by a token; gives the cookie's value.
    pub(super) fn sign_in(&self, token: &str, reviewers: &[Reviewer], now: Instant) -> Result<String, NotIn> {
        let mut open = self.open();
        let hash: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
        // Every line is looked at, whichever fits.
        let mut found = None;
        for reviewer in reviewers {
            if bool::from(reviewer.token_sha256.ct_eq(&hash)) {
                found = Some(reviewer.clone());
            }
        }
        let Some(reviewer) = found else {
            return Err(if open.failures.take(MOST_FAILURES, now) { NotIn::Unknown } else { NotIn::TooMany });
        };
        open.sessions.retain(|_, session| session.until > now);
        if open.sessions.len() >= MOST_SESSIONS {
            let oldest = open.sessions.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| *key);
            oldest.map(|key| open.sessions.remove(&key));
        }
        let (cookie, form) = (random(), random());
        let session = Session { reviewer, form, until: now + SESSION, requests: Bound::default() };
        open.sessions.insert(key(&cookie), session);
        Ok(cookie)
    }

    /// Who has this cookie, if they still may review.
    pub(super) fn who(&self, cookie: Option<&str>, reviewers: &[Reviewer], now: Instant) -> Result<SignedIn, NotIn> {
        let mut open = self.open();
        let key = key(cookie.ok_or(NotIn::SignedOut)?);
        let session = open.sessions.get_mut(&key).filter(|session| session.until > now);
        let session = session.filter(|session| reviewers.contains(&session.reviewer)).ok_or(NotIn::SignedOut)?;
        if !session.requests.take(MOST_REQUESTS, now) {
            return Err(NotIn::TooMany);
        }
        Ok(SignedIn { by: session.reviewer.by.clone(), form: session.form.clone() })
    }

    /// Ends a session.
    pub(super) fn sign_out(&self, cookie: &str) {
        self.open().sessions.remove(&key(cookie));
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SignedIn {
    /// Does a form come from a page of this session?
    pub(super) fn sent(&self, form: &str) -> bool {
        self.form.as_bytes().ct_eq(form.as_bytes()).into()
    }
}

/// Looked up by its hash, the number itself is compared with nothing.
fn key(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviewer(by: &str, token: &str) -> Reviewer {
        Reviewer { by: by.to_owned(), token_sha256: Sha256::digest(token).into() }
    }

    #[test]
    fn a_token_signs_in_whom_it_belongs_to_until_they_are_taken_out() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let both = [reviewer("JS2", "one"), reviewer("AB", "two")];
        let cookie = sessions.sign_in(" two\n", &both, now).expect("a known token");
        let who = sessions.who(Some(&cookie), &both, now).expect("signed in");
        assert_eq!(who.by, "AB");
        assert!(who.sent(&who.form) && !who.sent("") && !who.sent(&cookie));
        assert_eq!(sessions.who(Some(&cookie), &both[..1], now).err(), Some(NotIn::SignedOut), "taken out");
        let renewed = [reviewer("AB", "three")];
        assert_eq!(sessions.who(Some(&cookie), &renewed, now).err(), Some(NotIn::SignedOut), "another token");
        assert_eq!(sessions.who(Some("x"), &both, now).err(), Some(NotIn::SignedOut));
        assert_eq!(sessions.who(None, &both, now).err(), Some(NotIn::SignedOut));
        assert_eq!(sessions.who(Some(&cookie), &both, now + SESSION).err(), Some(NotIn::SignedOut), "the day is over");
        sessions.sign_out(&cookie);
        assert_eq!(sessions.who(Some(&cookie), &both, now).err(), Some(NotIn::SignedOut));
    }

    #[test]
    fn guesses_requests_and_sessions_have_bounds() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let one = [reviewer("JS2", "one")];
        for _ in 0..MOST_FAILURES {
            assert_eq!(sessions.sign_in("two", &one, now).err(), Some(NotIn::Unknown));
        }
        assert_eq!(sessions.sign_in("two", &one, now).err(), Some(NotIn::TooMany));
        assert_eq!(sessions.sign_in("two", &one, now + MINUTE).err(), Some(NotIn::Unknown));
        let cookie = sessions.sign_in("one", &one, now).expect("who knows it gets in all the same");
        for _ in 0..MOST_REQUESTS {
            assert!(sessions.who(Some(&cookie), &one, now).is_ok());
        }
        assert_eq!(sessions.who(Some(&cookie), &one, now).err(), Some(NotIn::TooMany));
        for _ in 0..2 * MOST_SESSIONS {
            sessions.sign_in("one", &one, now).expect("a known token");
        }
        assert_eq!(sessions.open().sessions.len(), MOST_SESSIONS);
    }
}
