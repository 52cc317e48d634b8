//! The body of a message: a JSON object as the text that it will be, so that it is hashed, signed and sealed as it was
//! written and made once.

use std::io::{self, Write};

use serde::Serialize;
use zeroize::Zeroizing;

/// Room for nearly every body and the event around it: one that grows is written twice.
const ROOM: usize = 2048;

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
        self.begin(name);
        serde_json::to_writer(&mut *self, &value).expect("what a message says has a JSON form");
    }

    /// Adds a member that is a body itself.
    pub fn add_body(&mut self, name: &str, body: &Self) {
        self.begin(name);
        self.extend(&body.0);
        self.extend(b"}");
    }

    fn begin(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.extend(b",");
        }
        self.extend(b"\"");
        self.extend(name.as_bytes());
        self.extend(b"\":");
    }

    /// Writes on. Where the room ends, what stands there is copied by hand: a vector that grows by itself leaves it unwiped.
    fn extend(&mut self, text: &[u8]) {
        let length = self.0.len() + text.len();
        if length > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(text);
    }

    /// The members as they stand, in JSON: the object but for its last brace.
    #[must_use]
    pub fn open(&self) -> &[u8] {
        &self.0
    }

    /// The object.
    #[must_use]
    pub fn close(mut self) -> Zeroizing<Vec<u8>> {
        self.extend(b"}");
        self.0
    }
}

impl Write for Body {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

    #[test]
    fn one_that_outgrows_its_room_says_the_same() {
        let (mut body, mut inner) = (Body::default(), Body::default());
        let long = "né".repeat(ROOM);
        inner.add("long", &long);
        inner.add("list", [&long, &long]);
        body.add_body("in", &inner);
        body.add("after", 1);
        let value: serde_json::Value = serde_json::from_slice(&body.close()).expect("JSON");
        assert_eq!(value, serde_json::json!({"in": {"long": long, "list": [long, long]}, "after": 1}));
    }
}
