//! One text for one value: object keys sorted by their bytes, no spaces.

use serde_json::Value;
use smallvec::SmallVec;

/// Renders a value canonically. Does not rely on how serde_json orders objects: a feature of it changes that.
#[must_use]
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    render(value, &mut out);
    out
}

pub(super) fn render(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            serde_json::to_writer(out, value).expect("writing to memory cannot fail");
        }
        Value::String(text) => render_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                render(item, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: SmallVec<[_; 16]> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (index, (name, field)) in fields.into_iter().enumerate() {
                separate(index, out);
                render_text(name, out);
                out.push(b':');
                render(field, out);
            }
            out.push(b'}');
        }
    }
}

fn render_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing to memory cannot fail");
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = json!({"b": [1, {"z": null, "a": true}], "a": "q\"\u{e9}\n", "B": -1.5});
        let text = String::from_utf8(canonical_json(&value)).expect("JSON is text");
        assert_eq!(text, r#"{"B":-1.5,"a":"q\"é\n","b":[1,{"a":true,"z":null}]}"#);
    }
}
