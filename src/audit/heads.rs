//! Signed heads: what a chain and its tree were at a moment, in a form that the signer stands for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::ids::hex;

/// Where one partition's chain ended, and the root of its tree. What is signed is its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// Whose chain.
    pub partition: i32,
    /// Number of the last record, which is the size of the tree.
    pub seq: u64,
    /// Its hash.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub hash: [u8; 32],
    /// Root of the Merkle tree over the hashes of all records (RFC 9162 §2.1).
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub root: [u8; 32],
    /// When it was signed.
    pub at: String,
}

fn to_hex<S: Serializer>(bytes: &[u8; 32], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&hex(bytes))
}

fn from_hex<'de, D: Deserializer<'de>>(input: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(input)?;
    super::find::hash_of(&text).ok_or_else(|| serde::de::Error::custom("a hash is 64 hexadecimal digits"))
}
