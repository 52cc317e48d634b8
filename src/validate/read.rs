//! From bytes to JSON: UTF-8 only, no property twice, no NUL character, no deep nesting. What is read is wiped when it
//! is dropped. serde_json's own errors quote their input, so none of them leaves this file.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use zeroize::Zeroize;

use super::problem::{Check, KnownNames, Path, Problem, Step};
use crate::model::outcome::RejectCode;

/// Levels of nesting that are read. Our events use seven; the rest is room for fields that we ignore.
const MAX_DEPTH: usize = 32;
/// Values in one record, at any depth. Each may be wrong in several ways, and telling them all must stay cheap: an
/// event of fifty people with ten aliases each has some three thousand.
const MAX_VALUES: u32 = 20_000;

/// Fields that an object has room for at once; ours have up to a dozen.
const FIELDS: usize = 12;

/// A JSON document of a record, wiped on drop. No `Debug`: it holds clear identity.
pub(super) struct Document(pub(super) Value);

impl Drop for Document {
    fn drop(&mut self) {
        wipe(self.0.take());
    }
}

/// Overwrites every text and property name in a value.
pub(super) fn wipe(value: Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(mut text) => text.zeroize(),
        Value::Array(items) => items.into_iter().for_each(wipe),
        Value::Object(fields) => fields.into_iter().for_each(|(mut name, value)| {
            name.zeroize();
            wipe(value);
        }),
    }
}

/// Reads a record's bytes. A UTF-8 byte order mark is tolerated, since Windows tools write it and RFC 8259 lets a
/// reader ignore it; UTF-16 and UTF-32 are not.
pub(super) fn read(bytes: &[u8], known: &KnownNames) -> Result<Document, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
    // ASCII in UTF-16 or UTF-32 without a mark passes as UTF-8 with NUL bytes between the letters.
    if bytes.iter().take(4).any(|byte| *byte == 0) {
        return Err(not_utf8());
    }
    let fault = RefCell::new(Fault::default());
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Reader { fault: &fault, depth: 0 }.deserialize(&mut json);
    match read.map(Document) {
        Ok(document) if json.end().is_ok() => Ok(document),
        Ok(_) => Err(not_json()),
        Err(_) => Err(fault.into_inner().into_problem(known)),
    }
}

fn not_utf8() -> Problem {
    let help = "write the record as UTF-8; UTF-16, UTF-32 and code pages are not read";
    Problem::new(Check::Reading, RejectCode::NotUtf8, Path::default(), "a record is UTF-8", help)
}

fn not_json() -> Problem {
    let help = "one JSON value and nothing after it (RFC 8259): no NaN, no number beyond a double, no lone surrogate";
    Problem::new(Check::Reading, RejectCode::NotJson, Path::default(), "a record is JSON", help)
}

/// What a reader found that JSON allows and we do not.
#[derive(Clone, Copy)]
enum Refused {
    Duplicate,
    Nul,
    Depth,
    Values,
}

/// Why reading stopped, and where: steps from the inside out, as the readers return.
#[derive(Default)]
struct Fault {
    refused: Option<Refused>,
    values: u32,
    inner_steps: Vec<InnerStep>,
}

enum InnerStep {
    Index(usize),
    Name(String),
}

impl Drop for InnerStep {
    fn drop(&mut self) {
        match self {
            Self::Index(_) => {}
            Self::Name(name) => name.zeroize(),
        }
    }
}

impl Fault {
    fn into_problem(self, known: &KnownNames) -> Problem {
        let Some(refused) = self.refused else { return not_json() };
        let steps = self.inner_steps.iter().rev().map(|step| match step {
            InnerStep::Index(index) => Step::Index(*index),
            InnerStep::Name(name) => known.step(name),
        });
        let mut path = Path(steps.collect());
        let (code, rule, help) = match refused {
            Refused::Duplicate => {
                (RejectCode::DuplicateProperty, "an object has each property once", "send each field once")
            }
            Refused::Nul => (RejectCode::WrongForm, "text has no NUL character", "remove U+0000 from the text"),
            Refused::Values => {
                path = Path::default();
                (RejectCode::TooLarge, "a record has at most 20000 values", "send the fields of the schema only")
            }
            Refused::Depth => {
                // A path as long as the nesting helps nobody.
                path.0.truncate(8);
                (RejectCode::TooDeep, "a record is nested at most 32 levels deep", "send the fields of the schema only")
            }
        };
        Problem::new(Check::Reading, code, path, rule, help)
    }
}

/// Builds one value, and remembers why it would not.
#[derive(Clone, Copy)]
struct Reader<'a> {
    fault: &'a RefCell<Fault>,
    depth: usize,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(&self, refused: Refused) -> E {
        self.fault.borrow_mut().refused = Some(refused);
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(Refused::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn came_through(&self, step: InnerStep) {
        self.fault.borrow_mut().inner_steps.push(step);
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        let values = self.fault.borrow().values + 1;
        self.fault.borrow_mut().values = values;
        if values > MAX_VALUES {
            return Err(self.refuse(Refused::Values));
        }
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if text.as_bytes().contains(&0) {
            return Err(self.refuse(Refused::Nul));
        }
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        loop {
            match access.next_element_seed(inner) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Value::Array(items)),
                Err(error) => {
                    self.came_through(InnerStep::Index(items.len()));
                    wipe(Value::Array(items));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Map::with_capacity(FIELDS);
        match read_fields(inner, &mut access, &mut fields) {
            Ok(()) => Ok(Value::Object(fields)),
            Err(error) => {
                wipe(Value::Object(fields));
                Err(error)
            }
        }
    }
}

/// Reads the properties of one object.
fn read_fields<'de, A: MapAccess<'de>>(
    inner: Reader<'_>,
    access: &mut A,
    fields: &mut Map<String, Value>,
) -> Result<(), A::Error> {
    while let Some(name) = access.next_key::<String>()? {
        if name.as_bytes().contains(&0) {
            inner.came_through(InnerStep::Name(name));
            return Err(inner.refuse(Refused::Nul));
        }
        match fields.entry(name) {
            Entry::Occupied(entry) => {
                inner.came_through(InnerStep::Name(entry.key().clone()));
                return Err(inner.refuse(Refused::Duplicate));
            }
            Entry::Vacant(entry) => match access.next_value_seed(inner) {
                Ok(value) => {
                    entry.insert(value);
                }
                Err(error) => {
                    inner.came_through(InnerStep::Name(entry.key().clone()));
                    return Err(error);
                }
            },
        }
    }
    Ok(())
}
