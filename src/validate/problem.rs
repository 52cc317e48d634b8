//! One thing that is wrong with a record, said in names of our schemas and words of our own. Whatever the record or a
//! library says stops here: a path is cut to known names, and the texts are ours.

use std::borrow::Cow;
use std::fmt::Write;

use rustc_hash::FxHashSet;

use crate::model::outcome::{RejectCode, Rejection};

/// Which check found it, in the order in which problems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    /// Size, encoding, JSON.
    Reading,
    /// The CloudEvents attributes, the type, the feed's rights.
    Envelope,
    /// The schema of the type.
    Schema,
    /// Dates among themselves.
    Dates,
    /// The scope.
    Scope,
    /// Persons among themselves.
    Persons,
    /// What the event replaces.
    History,
}

/// One step of a path. Numbers sort before names, and by value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Position in an array.
    Index(usize),
    /// Property that our schemas know.
    Name(Cow<'static, str>),
    /// Property that they do not know; its name is not repeated.
    Unknown,
}

/// Where in the event: names of our schemas and numbers only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Path(pub(super) Vec<Step>);

impl Path {
    /// A path of names that the code itself knows.
    pub(super) fn of(names: &[&'static str]) -> Self {
        Self(names.iter().map(|name| Step::Name(Cow::Borrowed(name))).collect())
    }

    /// One step down, to a name that the code itself knows.
    pub(super) fn name(mut self, name: &'static str) -> Self {
        self.0.push(Step::Name(Cow::Borrowed(name)));
        self
    }

    /// One step down, into an array.
    pub(super) fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// One step down, to a name that came with the record or from a schema: kept if a schema has it.
    pub(super) fn cut(mut self, name: &str, known: &KnownNames) -> Self {
        self.0.push(known.step(name));
        self
    }

    /// As JSON Pointer, e.g. `/data/persons/0/identity/date_of_birth`; the record as a whole is the empty text.
    fn pointer(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            text.push('/');
            match step {
                Step::Index(index) => write!(text, "{index}").expect("writing to a string does not fail"),
                Step::Name(name) => text.push_str(name),
                Step::Unknown => text.push('?'),
            }
        }
        text
    }
}

/// The property names of all schemas: the only ones that may be repeated to anybody.
pub(super) struct KnownNames(pub(super) FxHashSet<String>);

impl KnownNames {
    /// The step for a property of a record.
    pub(super) fn step(&self, name: &str) -> Step {
        match self.0.get(name) {
            Some(known) => Step::Name(Cow::Owned(known.clone())),
            None => Step::Unknown,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) check: Check,
    pub(super) code: RejectCode,
    pub(super) path: Path,
    pub(super) rule: Cow<'static, str>,
    pub(super) help: Cow<'static, str>,
}

impl Problem {
    /// Says what is wrong where, which rule it breaks and what would be right.
    pub(super) fn new(
        check: Check,
        code: RejectCode,
        path: Path,
        rule: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { check, code, path, rule: rule.into(), help: help.into() }
    }

    /// As it goes back to the agency.
    pub(super) fn into_rejection(self) -> Rejection {
        Rejection {
            code: self.code,
            path: self.path.pointer(),
            rule: self.rule.into_owned(),
            help: self.help.into_owned(),
        }
    }
}

/// Puts problems into the order in which they are told, each code and path once.
pub(super) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.check, &a.path, a.code, &a.rule).cmp(&(b.check, &b.path, b.code, &b.rule)));
    problems.dedup_by(|later, earlier| later.code == earlier.code && later.path == earlier.path);
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_only_names_of_the_schemas() {
        let known = KnownNames(FxHashSet::from_iter(["data".to_owned(), "persons".to_owned()]));
        let path = Path::default().cut("data", &known).cut("persons", &known).index(3).cut("Zebedee", &known);
        assert_eq!(path.pointer(), "/data/persons/3/?");
        assert_eq!(Path::default().pointer(), "");
    }

    #[test]
    fn problems_are_told_in_one_order_and_once() {
        let at = |index| Path::of(&["data", "persons"]).index(index);
        let problem = |check, index| Problem::new(check, RejectCode::Missing, at(index), "", "");
        let told = in_order(vec![
            problem(Check::Persons, 0),
            problem(Check::Schema, 10),
            problem(Check::Schema, 9),
            problem(Check::Schema, 9),
        ]);
        let places: Vec<_> = told.iter().map(|problem| (problem.check, problem.path.pointer())).collect();
        assert_eq!(places[0], (Check::Schema, "/data/persons/9".to_owned()));
        assert_eq!(places[1], (Check::Schema, "/data/persons/10".to_owned()));
        assert_eq!(places[2], (Check::Persons, "/data/persons/0".to_owned()));
        assert_eq!(places.len(), 3);
    }
}
