//! The body of a message: a JSON object as the text that it will be, so that it is hashed, signed and sealed as it was
//! written and made once.

use serde::Serialize;
use zeroize::Zeroizing;

/// Room for nearly every body: one that grows leaves a copy behind.
const ROOM: usize = 1024;

/// A JSON object under construction. It may name people, so there is no `Debug`; wiped on drop.
pub struct Body(Zeroizing<Vec<u8>>);

impl Default for Body {
    fn default() -> Self {
        let mut text = Vec::with_capacity(ROOM);
        text.push(b'{');
        Self(Zeroizing::new(text))
    }
}

impl Body {
    /// Adds a member; names need no escaping, and each comes once.
    pub fn add(&mut self, name: &str, value: impl Serialize) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        serde_json::to_writer(&mut *self.0, &value).expect("what a message says has a JSON form");
    }

    /// Adds a member that is a body itself.
    pub fn add_body(&mut self, name: &str, body: &Self) {
        self.add(name, ());
        let without_null = self.0.len() - b"null".len();
        self.0.truncate(without_null);
        self.0.extend_from_slice(&body.0);
        self.0.push(b'}');
    }

    /// The members as they stand, in JSON: the object but for its last brace.
    #[must_use]
    pub fn open(&self) -> &[u8] {
        &self.0
    }

    /// The object.
    #[must_use]
    pub fn close(mut self) -> Zeroizing<Vec<u8>> {
        self.0.push(b'}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_the_order_in_which_they_came() {
        let (mut body, mut inner) = (Body::default(), Body::default());
        inner.add("b", "q\"é\n");
        inner.add("a", [1, 2]);
        body.add("z", None::<u8>);
        body.add_body("in", &inner);
        body.add_body("empty", &Body::default());
        let text = String::from_utf8(body.close().to_vec()).expect("JSON is text");
        assert_eq!(text, r#"{"z":null,"in":{"b":"q\"é\n","a":[1,2]},"empty":{}}"#);
    }
}
