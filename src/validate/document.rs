//! A record's JSON: texts stay where they lie in its bytes, unless an escape stands in them. What had to be copied is wiped
//! when it is dropped; the bytes are the log's to wipe.

use std::borrow::Cow;
use std::ops::Deref;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;
use zeroize::Zeroize;

/// One value. No `Debug`: it holds clear identity.
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(RecordText<'a>),
    List(Vec<Node<'a>>),
    Object(Fields<'a>),
}

impl<'a> Node<'a> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn as_object(&self) -> Option<&Fields<'a>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// A property, where it is an object that has it.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// Puts the properties of every object in it into the order of their names.
    pub(super) fn sort_all_objects(&mut self) {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
            Self::List(items) => items.iter_mut().for_each(Self::sort_all_objects),
            Self::Object(fields) => {
                fields.0.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                fields.0.iter_mut().for_each(|(_, value)| value.sort_all_objects());
            }
        }
    }
}

/// A text or the name of a property.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordText<'a>(Cow<'a, str>);

impl<'a> RecordText<'a> {
    /// As it stands in the record.
    pub(super) fn borrowed(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Written there with escapes.
    pub(super) fn copied(text: &str) -> Self {
        Self(Cow::Owned(text.to_owned()))
    }

    /// The same once more, for as long as an object is read.
    pub(super) fn again(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Deref for RecordText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for RecordText<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

/// The properties of an object, in the order in which they came.
pub(super) struct Fields<'a>(Vec<(RecordText<'a>, Node<'a>)>);

impl<'a> Fields<'a> {
    /// With room for so many.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// Adds one; whoever adds minds that it is not there yet.
    pub(super) fn push(&mut self, name: RecordText<'a>, value: Node<'a>) {
        self.0.push((name, value));
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.position(name).map(|at| &self.0[at].1)
    }

    /// The value at a position that [`Self::position`] gave.
    pub(super) fn at(&self, position: usize) -> &Node<'a> {
        &self.0[position].1
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Node<'a>> {
        self.position(name).map(|at| &mut self.0[at].1)
    }

    /// Objects of a record have a dozen properties: to look at each is quicker than to hash.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let last = name.as_bytes().last();
        self.0.iter().position(|(known, _)| {
            // Most names of one length end otherwise.
            known.len() == name.len() && known.as_bytes().last() == last && **known == *name
        })
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, (RecordText<'a>, Node<'a>)> {
        self.0.iter()
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => out.serialize_unit(),
            Self::Bool(value) => out.serialize_bool(*value),
            Self::Number(number) => number.serialize(out),
            Self::Text(text) => out.serialize_str(text),
            Self::List(items) => out.collect_seq(items),
            Self::Object(fields) => out.collect_map(fields.iter().map(|(name, value)| (&**name, value))),
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Number(number) => number.deserialize_any(visitor),
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::List(items) => {
                let mut items = SeqDeserializer::new(items.iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end().map(|()| value)
            }
            Node::Object(fields) => visitor.visit_map(map(fields)),
        }
    }

    /// JSON Schema counts 3.0 as an integer; serde does not. All small numbers of our events are of this type.
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let whole = match self {
            Node::Number(number) if number.is_f64() => number.as_f64(),
            _ => None,
        };
        match whole {
            Some(number) if number.fract() == 0.0 && (0.0..=255.0).contains(&number) => visitor.visit_u8(number as u8),
            Some(_) | None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self {
            Node::Text(text) => visitor.visit_enum((&**text).into_deserializer()),
            Node::Object(fields) => visitor.visit_enum(MapAccessDeserializer::new(map(fields))),
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

fn map<'de>(
    fields: &'de Fields<'_>,
) -> MapDeserializer<'de, impl Iterator<Item = (&'de str, &'de Node<'de>)>, serde_json::Error> {
    MapDeserializer::new(fields.iter().map(|(name, value)| (&**name, value)))
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for &'de Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
