//! Key ring: purposes, epochs, states, files. Nobody else reads a key file.
//!
//! A ring is a directory that only its owner can enter. Each secret is one JWK file (RFC 7517) that only its owner can
//! read, with one member of ours, `priorityd`, that says what the key is for and where it stands in its life. A secret may
//! lie there encrypted by a PKCS#11 token. Ten purposes, and one key never serves two:
//!
//! | Purpose    | Kind            | One per         | What it does                                            |
//! |------------|-----------------|-----------------|---------------------------------------------------------|
//! | linkage    | 256-bit secret  | scope and epoch | hashes identity to tokens                               |
//! | identifier | 256-bit secret  | scope           | hashes ids, for as long as there is a register          |
//! | vault      | 256-bit secret  | epoch           | seals what lies on our own disk                         |
//! | register   | 256-bit secret  | epoch           | seals the register at rest                              |
//! | intake     | 256-bit secret  | agency, epoch   | seals what an agency that hashes at source sends us     |
//! | output     | 256-bit secret  | epoch           | gives each recipient pseudonyms that no other can join  |
//! | signing    | P-256 pair      | epoch           | signs every message                                     |
//! | audit      | P-256 pair      | epoch           | signs what the audit rests on                           |
//! | recipient  | P-256 public    | recipient       | seals messages; the private half never is in the ring   |
//! | agreement  | P-256 public    | signer          | signs agreements; the private half never is in the ring |
//!
//! Invariants: a secret lives in a wiped, private field of a type without `Serialize` or `Clone`, whose `Debug` shows ids
//! only; a file that others could read is refused; an error names the file, the rule and the remedy, never content.

pub mod agreement;
mod create;
mod file;
mod install;
pub(crate) mod jwk;
pub mod linkage;
pub mod meta;
pub mod output;
pub mod recipient;
mod ring;
pub mod rotate;
pub mod signing;
pub mod source;
mod stamp;
pub mod token;
pub mod vault;
mod whole;

pub use create::NewKeys;
pub use install::install;
pub use ring::{KeyListing, KeyRing};
pub use stamp::Stamp;
