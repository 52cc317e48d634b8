//! Texts of which there are few and copies without number: names of parties, clauses, tools. Each is kept once.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many texts are kept once: far more than any agreement names.
const SHARED_TEXTS: usize = 4096;

/// They are looked up for every name that is read.
type Texts = RwLock<FxHashSet<Arc<str>>>;

static SHARED: Texts = RwLock::new(FxHashSet::with_hasher(FxBuildHasher));

/// The one copy of a text; a copy of its own once there are more texts than anybody configures, so that nobody who sends
/// ever new ones makes this grow.
pub(super) fn shared(text: &str) -> Arc<str> {
    shared_in(&SHARED, text)
}

fn shared_in(texts: &Texts, text: &str) -> Arc<str> {
    if let Some(shared) = texts.read().unwrap_or_else(PoisonError::into_inner).get(text) {
        return Arc::clone(shared);
    }
    let copy: Arc<str> = text.into();
    let mut texts = texts.write().unwrap_or_else(PoisonError::into_inner);
    if texts.len() < SHARED_TEXTS {
        texts.insert(Arc::clone(&copy));
    }
    copy
}

/// A text that many hold: a clause of the agreement, a code, a tool. Never anything about a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Default for Text {
    fn default() -> Self {
        "".into()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(shared(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let (one, other): (Text, Text) = ("IDVA-1".into(), "IDVA-1".to_owned().into());
        assert!(Arc::ptr_eq(&one.0, &other.0));
        assert_eq!(serde_json::to_string(&one).expect("a text"), r#""IDVA-1""#);
        assert_eq!(serde_json::from_str::<Text>(r#""IDVA-1""#).expect("a text"), one);
    }

    #[test]
    fn who_sends_ever_new_texts_makes_nothing_grow() {
        let texts = Texts::default();
        let numbered = |number: usize| shared_in(&texts, &format!("tool {number}"));
        let kept: Vec<_> = (0..SHARED_TEXTS + 50).map(numbered).collect();
        assert_eq!(texts.read().expect("whole").len(), SHARED_TEXTS);
        let is_one = |number: usize| Arc::ptr_eq(&kept[number], &numbered(number));
        assert!(is_one(0) && is_one(SHARED_TEXTS - 1), "those that came first are kept once");
        assert!(!is_one(SHARED_TEXTS) && *kept[SHARED_TEXTS] == *numbered(SHARED_TEXTS), "the others are copies");
    }
}
