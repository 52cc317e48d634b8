//! Our documents as the schema library reads them: in place, without another copy of who somebody is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node as Instance, NodeIdentity, Object, cmp, unique};
use serde_json::{Number, Value};

use super::document::{Fields, Node, Text};

static NOTHING: Value = Value::Null;

/// The representation.
pub(super) struct Borrowed;

impl Json for Borrowed {
    type Node<'a> = &'a Node<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Self::Node<'_>) -> T) -> T {
        f(&Node::Text(Text::borrowed(string)))
    }
}

impl<'a> Instance<'a, Borrowed> for &'a Node<'a> {
    type Object = &'a Fields<'a>;
    type Array = &'a [Node<'a>];
    type Number = &'a Number;

    fn as_object(&self) -> Option<Self::Object> {
        Node::as_object(self)
    }

    fn as_array(&self) -> Option<Self::Array> {
        Node::as_list(self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        Node::as_str(self).map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self {
            Node::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Node::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Node::Null => JsonType::Null,
            Node::Bool(_) => JsonType::Boolean,
            Node::Number(_) => JsonType::Number,
            Node::Text(_) => JsonType::String,
            Node::List(_) => JsonType::Array,
            Node::Object(_) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        let text = Node::as_str(self)?;
        Some(if text.is_ascii() { text.len() } else { text.chars().count() } as u64)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self, expected) {
            (Node::Text(text), Value::String(expected)) => **text == **expected,
            (Node::Text(_), _) | (_, Value::String(_)) => false,
            _ => cmp::equal(&value(self), expected),
        }
    }

    /// What errors quote: nothing. Where they are is what is told.
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Borrowed(&NOTHING)
    }

    /// Schemas of events hold no schema of themselves: there is no cycle to find.
    fn identity(&self) -> Option<NodeIdentity> {
        None
    }
}

impl<'a> Object<'a, Borrowed> for &'a Fields<'a> {
    type Node = &'a Node<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Fields::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Node<'a>> {
        Fields::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

/// The properties of an object.
pub(super) struct Members<'a>(std::slice::Iter<'a, (Text<'a>, Node<'a>)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (&**name, value))
    }
}

impl<'a> Array<'a, Borrowed> for &'a [Node<'a>] {
    type Node = &'a Node<'a>;
    type ElementsIter = std::slice::Iter<'a, Node<'a>>;

    fn len(&self) -> usize {
        <[Node<'_>]>::len(self)
    }

    fn elements(&self) -> Self::ElementsIter {
        self.iter()
    }

    fn is_unique(&self) -> bool {
        let mut seen = BTreeSet::new();
        match self.iter().map(Node::as_str).collect::<Option<Vec<_>>>() {
            Some(texts) => texts.into_iter().all(|text| seen.insert(text)),
            None => unique::is_unique(&self.iter().map(value).collect::<Vec<_>>()),
        }
    }
}

/// A copy, for the few comparisons that are not of texts.
fn value(node: &Node<'_>) -> Value {
    serde_json::to_value(node).expect("what was JSON is JSON")
}
