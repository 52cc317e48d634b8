//! What a record says, field by field, each rendered once: most records are made where much is made, and no tree of values
//! need be.

use serde::Serialize;
use serde_json::Value;
use smallvec::SmallVec;

use super::canonical::{canonical_json, render};

/// What a record says: fields in any order, each name once, no values but canonical ones.
#[derive(Clone, Default)]
pub struct Said {
    /// One field after another: its name, and its value as canonical JSON.
    text: Vec<u8>,
    fields: SmallVec<[Field; 16]>,
}

/// Where a field's value begins and ends; its name begins where the field before ends.
#[derive(Clone, Copy)]
struct Field {
    value: u32,
    end: u32,
}

impl Said {
    /// Adds a field. Of a value with fields these must come in alphabetical order: one text for one value.
    pub fn add(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.field(name, |text| {
            serde_json::to_writer(text, &value).expect("ids, codes and counts have a JSON form");
        });
        debug_assert!(self.last_is_canonical(), "the fields of {name} are not in order");
        self
    }

    fn field(&mut self, name: &str, render: impl FnOnce(&mut Vec<u8>)) {
        let so_far =
            |text: &Vec<u8>| u32::try_from(text.len()).expect("a line is far below what a log takes as a record");
        self.text.extend_from_slice(name.as_bytes());
        let value = so_far(&self.text);
        render(&mut self.text);
        self.fields.push(Field { value, end: so_far(&self.text) });
    }

    fn last_is_canonical(&self) -> bool {
        self.fields().last().is_some_and(|(_, value)| {
            serde_json::from_slice::<Value>(value).is_ok_and(|read| canonical_json(&read) == value)
        })
    }

    /// Names and values.
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().scan(0, |start, Field { value, end }| {
            let (value, end) = (*value as usize, *end as usize);
            Some((&self.text[std::mem::replace(start, end)..value], &self.text[value..end]))
        })
    }

    /// The fields of a kind by name, as an object with one more if there is one; `None` where none is of that kind.
    pub(super) fn render(
        &self,
        wanted: impl Fn(&[u8]) -> bool,
        more: Option<(&str, &[u8])>,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut fields: SmallVec<[(&[u8], &[u8]); 16]> = self.fields().filter(|(name, _)| wanted(name)).collect();
        let is_empty = fields.is_empty();
        fields.extend(more.filter(|_| !is_empty).map(|(name, value)| (name.as_bytes(), value)));
        fields.sort_unstable_by_key(|(name, _)| *name);
        out.push(b'{');
        for (at, (name, value)) in fields.into_iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(name);
            out.extend_from_slice(b"\":");
            out.extend_from_slice(value);
        }
        out.push(b'}');
        !is_empty
    }
}

/// The fields of an object; whatever else it is says nothing.
impl From<Value> for Said {
    fn from(value: Value) -> Self {
        let mut said = Self::default();
        for (name, value) in value.as_object().into_iter().flatten() {
            said.field(name, |text| render(value, text));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_sorted_however_they_came() {
        let mut said = Said::default();
        said.add("clause", "C-1").add("agency", "police").add("n", [1.5, -2.0]);
        let mut text = Vec::new();
        assert!(said.render(|_| true, Some(("b", b"null")), &mut text));
        assert_eq!(String::from_utf8_lossy(&text), r#"{"agency":"police","b":null,"clause":"C-1","n":[1.5,-2.0]}"#);
        let other = Said::from(json!({"n": [1.5, -2.0], "clause": "C-1", "b": null, "agency": "police"}));
        let mut same = Vec::new();
        other.render(|_| true, None, &mut same);
        assert_eq!(same, text);
        assert!(!said.render(|_| false, Some(("b", b"null")), &mut text), "one more is none by itself");
        assert!(text.ends_with(b"{}"));
    }
}
