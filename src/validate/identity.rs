//! Clear identity. Only validate and normalise can name these types; nothing here shows, serialises or copies itself.

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Text that says who somebody is, or how an agency calls them. Wiped on drop; no `Debug`, `Display`, `Serialize` or `Clone`.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop, Default)]
#[serde(transparent)]
pub struct ClearText(String);

impl ClearText {
    /// Takes text in; whoever made it is responsible for having no other copy.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for normalise and pseudonymise only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl ClearIdentity {
    /// Drops everything that says where somebody lives; wiped as it goes.
    pub(super) fn forget_whereabouts(&mut self) {
        self.postcode = None;
        self.address = None;
        self.uprn = None;
    }
}

/// A former name or an alias.
#[derive(Deserialize, Default)]
pub struct ClearName {
    /// Given names, in order.
    #[serde(default)]
    pub given_names: Vec<ClearText>,
    /// Family name.
    pub family_name: Option<ClearText>,
}

/// What an agency says of who a person is. Every part may be missing; missing is no evidence.
#[derive(Deserialize, Default)]
pub struct ClearIdentity {
    /// Given names, in order, one or more words each.
    #[serde(default)]
    pub given_names: Vec<ClearText>,
    /// Family name.
    pub family_name: Option<ClearText>,
    /// Maiden, married and other earlier names.
    #[serde(default)]
    pub former_names: Vec<ClearName>,
    /// Names gone by.
    #[serde(default)]
    pub aliases: Vec<ClearName>,
    /// `YYYY-MM-DD` from events; any common format from CSV.
    pub date_of_birth: Option<ClearText>,
    /// `female`, `male`, `other` or `unknown`.
    pub sex: Option<ClearText>,
    /// UK postcode.
    pub postcode: Option<ClearText>,
    /// One line of address, for linkage only: never sealed, never shown.
    pub address: Option<ClearText>,
    /// Unique Property Reference Number.
    pub uprn: Option<ClearText>,
    /// Police National Computer id.
    pub pnc_id: Option<ClearText>,
    /// Criminal Records Office number.
    pub cro_number: Option<ClearText>,
    /// NHS number.
    pub nhs_number: Option<ClearText>,
    /// Probation case reference number.
    pub crn: Option<ClearText>,
    /// A number of another scheme, from a table only: no event has one.
    #[serde(skip)]
    pub national_number: Option<ClearText>,
    /// Prison (NOMIS) number.
    pub noms_number: Option<ClearText>,
}
