//! Identifiers. Everything here is a keyed hash, a configured name or a number: none of it says who a person is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(2 * bytes.len());
    push_hex(bytes, &mut text);
    String::from_utf8(text).expect("digits are ASCII")
}

/// The same, appended to a text.
pub fn push_hex(bytes: &[u8], text: &mut Vec<u8>) {
    bytes.iter().for_each(|byte| text.extend(digits(*byte)));
}

/// A byte as two hexadecimal digits.
fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)])
}

/// What hexadecimal digits of either case say; `None` if they are something else, or an odd number.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    pairs.map(|pair| u8::from_str_radix(pair.filter(|pair| !pair.starts_with('+'))?, 16).ok()).collect()
}

/// Declares a 128-bit identifier that is the truncated output of a keyed hash: shown and serialised as 32 hex digits
/// in text forms and as 16 raw bytes in binary ones.
macro_rules! hashed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The digits, for whatever takes a text: no id is worth an allocation.
            fn with_digits<T>(&self, take: impl FnOnce(&str) -> T) -> T {
                let pairs = self.0.map(digits);
                take(std::str::from_utf8(pairs.as_flattened()).expect("digits are ASCII"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.with_digits(|digits| out.write_str(digits))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                unhex(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(BadId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                match out.is_human_readable() {
                    true => self.with_digits(|digits| out.serialize_str(digits)),
                    false => self.0.serialize(out),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                if input.is_human_readable() {
                    String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(input).map(Self)
                }
            }
        }
    };
}

hashed_id! {
    /// One event: a keyed hash of its CloudEvents `(source, id)`.
    EventId
}
hashed_id! {
    /// One agency's own reference for a person: a keyed hash of `(agency, local_ref)`.
    LocalRefId
}
hashed_id! {
    /// One distinct identity of one `(agency, local_ref)`: a keyed hash of the three.
    RecordId
}
hashed_id! {
    /// One linked person: the id of the cluster's earliest record, hashed apart from it.
    ClusterId
}
hashed_id! {
    /// One finding: its kind, the event that triggered it and the record it speaks of.
    FindingId
}

/// A hashed identifier that is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is 32 hexadecimal digits")]
pub struct BadId;

/// Declares a configured name: lower-case letters, digits, `_` and `-`, at most 32 characters, starting with a letter.
macro_rules! configured_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The name as written in configuration.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let starts_with_letter = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
                let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
                if starts_with_letter && text.len() <= 32 && text.bytes().all(allowed) {
                    Ok(Self(super::text::shared(text)))
                } else {
                    Err(BadName)
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(&self.0)
            }
        }
    };
}

configured_name! {
    /// The partnership that the agreement covers, e.g. `portsmouth`. Links never cross scopes.
    ScopeId
}
configured_name! {
    /// A party to the agreement: an agency that feeds, a specialist service that feeds and receives.
    PartyId
}

/// A name that breaks the form of configured names. The text itself is not repeated: it may come from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1-32 lower-case letters, digits, _ and -, starting with a letter")]
pub struct BadName;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_ids_read_back_what_they_show() {
        let id = RecordId([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("abcd".parse::<RecordId>(), Err(BadId));
        assert_eq!("zz".repeat(16).parse::<RecordId>(), Err(BadId));
    }

    #[test]
    fn only_pairs_of_digits_are_bytes() {
        assert_eq!(unhex(&hex(&[0, 0xab, 0xff])), Some(vec![0, 0xab, 0xff]));
        for bad in ["a", "abc", "zz", "+f", "é"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn configured_names_keep_to_their_form() {
        assert!("local_authority".parse::<PartyId>().is_ok());
        for bad in ["", "Police", "9lives", "a b", "x".repeat(33).as_str(), "café"] {
            assert_eq!(bad.parse::<PartyId>(), Err(BadName));
        }
    }
}
