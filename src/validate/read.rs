//! From bytes to JSON: UTF-8 only, no property twice, no NUL character, no deep nesting. serde_json's own errors quote their
//! input, so none of them leaves this file.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use zeroize::Zeroizing;

use super::document::{Fields, Node, RecordText};
use super::problem::{Check, KnownNames, Path, Problem, Step};
use crate::model::outcome::RejectCode;

/// Levels of nesting that are read. Our events use seven; the rest is room for fields that we ignore.
const MAX_DEPTH: usize = 32;
/// Values in one record, at any depth. Each may be wrong in several ways, and telling them all must stay cheap: an
/// event of fifty people with ten aliases each has some three thousand.
const MAX_VALUES: u32 = 20_000;

/// Fields that an object has room for at once; ours have up to a dozen.
const FIELDS: usize = 12;

/// An object with more fields than this has them looked up, to find one that came twice.
const FEW_FIELDS: usize = 32;

/// Reads a record's bytes. A UTF-8 byte order mark is tolerated, since Windows tools write it and RFC 8259 lets a
/// reader ignore it; UTF-16 and UTF-32 are not.
pub(super) fn read<'a>(bytes: &'a [u8], known: &KnownNames) -> Result<Node<'a>, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
    // ASCII in UTF-16 or UTF-32 without a mark passes as UTF-8 with NUL bytes between the letters.
    if bytes.iter().take(4).any(|byte| *byte == 0) {
        return Err(not_utf8());
    }
    let fault = Fault::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Reader { fault: &fault, depth: 0 }.deserialize(&mut json);
    match read {
        Ok(document) if json.end().is_ok() => Ok(document),
        Ok(_) => Err(not_json()),
        Err(_) => Err(fault.into_problem(known)),
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
    refused: Cell<Option<Refused>>,
    values: Cell<u32>,
    inner_steps: RefCell<Vec<InnerStep>>,
}

enum InnerStep {
    Index(usize),
    Name(Zeroizing<String>),
}

impl Fault {
    fn into_problem(self, known: &KnownNames) -> Problem {
        let Some(refused) = self.refused.get() else { return not_json() };
        let steps = self.inner_steps.into_inner();
        let steps = steps.iter().rev().map(|step| match step {
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
    fault: &'a Fault,
    depth: usize,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(&self, refused: Refused) -> E {
        self.fault.refused.set(Some(refused));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(Refused::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn came_through(&self, step: InnerStep) {
        self.fault.inner_steps.borrow_mut().push(step);
    }

    fn came_through_field(&self, name: &str) {
        self.came_through(InnerStep::Name(Zeroizing::new(name.to_owned())));
    }

    /// Reads the properties of one object.
    fn read_fields<'de, A: MapAccess<'de>>(self, access: &mut A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::with_capacity(FIELDS);
        // Whoever sends thousands of them must not have each compared with each.
        let mut many: BTreeSet<RecordText<'de>> = BTreeSet::new();
        while let Some(name) = access.next_key_seed(Name)? {
            if name.as_bytes().contains(&0) {
                self.came_through_field(&name);
                return Err(self.refuse(Refused::Nul));
            }
            let is_known = if fields.len() < FEW_FIELDS {
                fields.get(&name).is_some()
            } else {
                if many.is_empty() {
                    many.extend(fields.iter().map(|(name, _)| name.again()));
                }
                !many.insert(name.again())
            };
            if is_known {
                self.came_through_field(&name);
                return Err(self.refuse(Refused::Duplicate));
            }
            match access.next_value_seed(self) {
                Ok(value) => fields.push(name, value),
                Err(error) => {
                    self.came_through_field(&name);
                    return Err(error);
                }
            }
        }
        Ok(fields)
    }
}

/// The name of a property.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = RecordText<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<RecordText<'de>, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = RecordText<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a property")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<RecordText<'de>, E> {
        Ok(RecordText::borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<RecordText<'de>, E> {
        Ok(RecordText::copied(name))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Node<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<Node<'de>, D::Error> {
        let values = self.fault.values.get() + 1;
        self.fault.values.set(values);
        if values > MAX_VALUES {
            return Err(self.refuse(Refused::Values));
        }
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Node<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node<'de>, E> {
        Number::from_f64(value).map(Node::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Node<'de>, E> {
        // What stands in the record unescaped has no NUL: JSON allows none.
        Ok(Node::Text(RecordText::borrowed(text)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Node<'de>, E> {
        if text.as_bytes().contains(&0) {
            return Err(self.refuse(Refused::Nul));
        }
        Ok(Node::Text(RecordText::copied(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        loop {
            match access.next_element_seed(inner) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Node::List(items)),
                Err(error) => {
                    self.came_through(InnerStep::Index(items.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node<'de>, A::Error> {
        self.deeper()?.read_fields(&mut access).map(Node::Object)
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use super::*;

    fn refused(text: &str) -> Option<(RejectCode, String)> {
        let known = KnownNames(FxHashSet::from_iter(["scope".to_owned()]));
        let rejection = read(text.as_bytes(), &known).err()?.into_rejection();
        Some((rejection.code, rejection.path))
    }

    #[test]
    fn a_property_that_comes_twice_is_found_among_few_and_among_many() {
        for fields in [2, FEW_FIELDS - 1, FEW_FIELDS, FEW_FIELDS + 1, 3 * FEW_FIELDS] {
            let object = |last: &str| {
                // One is written with an escape: what it says counts.
                let others = (1..fields).map(|field| format!(r#""f\u0069eld{field}":{field},"#));
                format!(r#"{{"scope":0,{}"{last}":1}}"#, others.collect::<String>())
            };
            assert_eq!(refused(&object("id")), None, "{fields} fields, each once");
            let twice = |path: &str| Some((RejectCode::DuplicateProperty, path.to_owned()));
            assert_eq!(refused(&object("scope")), twice("/scope"), "the first of {fields} again");
            for again in [1, fields - 1] {
                assert_eq!(refused(&object(&format!("field{again}"))), twice("/?"), "field {again} of {fields} again");
            }
        }
    }
}
