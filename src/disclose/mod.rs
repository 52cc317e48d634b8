//! What leaves, to whom, by which clause, sealed how. Deny by default (I5).
//!
//! Owns the sealed identities, what each recipient was told, the views and the sealing. Opens an identity only to put it
//! into a message that is sealed to a recipient whom the agreement lets see it.

mod around;
pub mod body;
pub mod decide;
pub mod identities;
mod jose;
pub mod message;
pub mod open;
mod permit;
pub mod seal;
pub mod statement;
pub mod told;
pub mod view;
