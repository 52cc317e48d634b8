//! Reads a TOML table key by key and gathers every problem, so that one report names them all.
//!
//! Derived deserialisers stop at the first mistake and echo what they found; this neither stops nor echoes.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Date;
use toml::{Table, Value};

use super::files::{LARGEST_FILE, read_text};

/// One mistake in a file: what, where and what would be right. Never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Dotted key, with positions in arrays counted from 1; empty for the file itself.
    pub key: String,
    /// What is wrong.
    pub found: String,
    /// What would be right.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, key, found, fix } = self;
        let file = file.display();
        if key.is_empty() {
            write!(out, "{file}: {found}; {fix}")
        } else {
            write!(out, "{file}: {key}: {found}; {fix}")
        }
    }
}

/// Gathers the problems of one file.
pub struct Problems {
    file: PathBuf,
    found: Vec<Problem>,
}

impl Problems {
    /// Starts without any.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    /// Notes one.
    pub fn add(&mut self, key: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) {
        let (key, found, fix) = (key.into(), found.into(), fix.into());
        self.found.push(Problem { file: self.file.clone(), key, found, fix });
    }

    /// Is nothing wrong so far?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The checked value if there were no problems.
    ///
    /// # Errors
    /// All the problems otherwise.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Vec<Problem>> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => Err(self.found),
        }
    }
}

/// Reads one table. Every key asked for is known; `finish` reports the others.
pub struct Reader<'a> {
    table: &'a Table,
    path: String,
    asked: BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    /// Reads a table that stands at a dotted path; the path of the whole file is empty.
    #[must_use]
    pub fn new(table: &'a Table, path: impl Into<String>) -> Self {
        Self { table, path: path.into(), asked: BTreeSet::new() }
    }

    /// The dotted path of a key in this table.
    #[must_use]
    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key as it stands.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.insert(key);
        self.table.get(key)
    }

    /// A string, if the key is there.
    pub fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            problems.add(self.key(key), kind_of(value), "write a string in quotes");
        }
        text
    }

    /// A string that must be there and not be empty.
    pub fn required(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a str> {
        if self.value(key).is_none() {
            problems.add(self.key(key), "it is missing", "add it");
            return None;
        }
        let text = self.text(key, problems)?;
        if text.trim().is_empty() {
            problems.add(self.key(key), "it is empty", "fill it in");
            return None;
        }
        Some(text)
    }

    /// A required string of a form that `T` reads, e.g. a party's name.
    pub fn parsed<T: FromStr>(&mut self, key: &'static str, form: &str, problems: &mut Problems) -> Option<T> {
        let text = self.required(key, problems)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            problems.add(self.key(key), "it has the wrong form", form);
        }
        parsed
    }

    /// One of listed words.
    pub fn one_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], problems: &mut Problems) -> Option<T> {
        let text = self.required(key, problems)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            problems.add(self.key(key), "it is none of the known words", format!("use one of {}", known.join(", ")));
        }
        found
    }

    /// A list of listed words; an unknown word is named by its position.
    pub fn many_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], problems: &mut Problems) -> Vec<T> {
        let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let mut found = Vec::new();
        for (at, text) in self.texts(key, problems).into_iter().enumerate() {
            match words.iter().find(|(word, _)| *word == text) {
                Some((_, value)) => found.push(*value),
                None => problems.add(
                    format!("{}[{}]", self.key(key), at + 1),
                    "it is none of the known words",
                    format!("use one of {}", known()),
                ),
            }
        }
        found
    }

    /// A list of strings; missing is empty.
    pub fn texts(&mut self, key: &'static str, problems: &mut Problems) -> Vec<&'a str> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let texts = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        if texts.is_none() {
            problems.add(self.key(key), kind_of(value), "write a list of strings");
        }
        texts.unwrap_or_default()
    }

    /// A whole number within bounds, or the default.
    pub fn number(&mut self, key: &'static str, default: u64, bounds: (u64, u64), problems: &mut Problems) -> u64 {
        let Some(value) = self.value(key) else { return default };
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| (bounds.0..=bounds.1).contains(number)) {
            Some(number) => number,
            None => {
                let fix = format!("write a whole number from {} to {}", bounds.0, bounds.1);
                problems.add(self.key(key), kind_of(value), fix);
                default
            }
        }
    }

    /// `true` or `false`, or the default.
    pub fn flag(&mut self, key: &'static str, default: bool, problems: &mut Problems) -> bool {
        let Some(value) = self.value(key) else { return default };
        value.as_bool().unwrap_or_else(|| {
            problems.add(self.key(key), kind_of(value), "write true or false");
            default
        })
    }

    /// A date, as a TOML date or a string, if the key is there.
    pub fn date(&mut self, key: &'static str, problems: &mut Problems) -> Option<Date> {
        let value = self.value(key)?;
        let date = match value {
            Value::Datetime(date) => date.to_string().parse().ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        if date.is_none() {
            problems.add(self.key(key), "it is not a date that exists", "write a date as YYYY-MM-DD");
        }
        date
    }

    /// A table below this one; missing is `None`.
    pub fn table(&mut self, key: &'static str, problems: &mut Problems) -> Option<Reader<'a>> {
        let path = self.key(key);
        let value = self.value(key)?;
        let table = value.as_table();
        if table.is_none() {
            problems.add(&path, kind_of(value), format!("write a table, [{path}]"));
        }
        table.map(|table| Reader::new(table, path))
    }

    /// The tables of an array of tables; missing is empty.
    pub fn tables(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Reader<'a>> {
        let path = self.key(key);
        let Some(value) = self.value(key) else { return Vec::new() };
        let tables = value.as_array().and_then(|items| items.iter().map(Value::as_table).collect::<Option<Vec<_>>>());
        if tables.is_none() {
            problems.add(&path, kind_of(value), format!("write tables, each headed [[{path}]]"));
        }
        let tables = tables.unwrap_or_default().into_iter().enumerate();
        tables.map(|(at, table)| Reader::new(table, format!("{path}[{}]", at + 1))).collect()
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, problems: &mut Problems) {
        let known = self.asked.iter().copied().collect::<Vec<_>>().join(", ");
        for key in self.table.keys().filter(|key| !self.asked.contains(key.as_str())) {
            problems.add(self.key(key), "this key is not known here", format!("known are {known}"));
        }
    }
}

/// Reads a file as TOML; a syntax error is told by its line only, since the text around it may hold anything.
///
/// # Errors
/// One problem: the file cannot be read, or is not TOML.
pub fn read_toml(file: &Path) -> Result<Table, Vec<Problem>> {
    let mut problems = Problems::of(file);
    let text = match read_text(file, LARGEST_FILE) {
        Ok(text) => text,
        Err(why) => {
            problems.add("", why.to_string(), "check the path and its permissions");
            return problems.or(None);
        }
    };
    let table = parse_toml(&text, &mut problems);
    problems.or(table)
}

/// Parses TOML; a syntax error is noted as in `read_toml`.
pub fn parse_toml(text: &str, problems: &mut Problems) -> Option<Table> {
    match text.parse() {
        Ok(table) => Some(table),
        Err(error) => {
            let start = toml::de::Error::span(&error).map_or(0, |span| span.start);
            let line = text.get(..start).unwrap_or_default().lines().count().max(1);
            problems.add("", format!("line {line} is not TOML"), "see toml.io for the form");
            None
        }
    }
}

fn kind_of(value: &Value) -> String {
    format!("it is a value of kind {} that does not fit here", value.type_str())
}
