//! Rows of a CSV table to clear identities, by a map of columns.
//!
//! The map is TOML; every entry names one column or several, whose values are joined with a space:
//!
//! ```toml
//! row_id = "id"                             # optional; rows are numbered without
//! given_names = ["first_name", "middle_name"]
//! family_name = "surname"
//! former_family_name = "maiden_name"
//! alias_given_name = "known_as"
//! date_of_birth = "dob"
//! date_order = "day_first"                  # or "month_first"; found from the values when left out
//! sex = "sex"
//! postcode = "postcode"
//! address = ["house", "street", "town"]
//! uprn = "uprn"
//!
//! [identifiers]                             # pnc_id, cro_number, nhs_number, crn, noms_number, national
//! nhs_number = "nhs"
//! ```
//!
//! A column that a table lacks is missing in all its rows, so one map serves tables of several agencies.

use std::io::Read;

use serde::Deserialize;

use super::identity::{ClearIdentity, ClearName, ClearText};

/// Which columns hold what.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub struct ColumnMap {
    /// The row's own id, for output.
    pub row_id: Option<String>,
    #[serde(default)]
    given_names: Columns,
    #[serde(default)]
    family_name: Columns,
    #[serde(default)]
    former_family_name: Columns,
    #[serde(default)]
    alias_given_name: Columns,
    #[serde(default)]
    date_of_birth: Columns,
    /// The order of day and month, where it is known.
    pub date_order: Option<WrittenOrder>,
    #[serde(default)]
    sex: Columns,
    #[serde(default)]
    postcode: Columns,
    #[serde(default)]
    address: Columns,
    #[serde(default)]
    uprn: Columns,
    #[serde(default)]
    identifiers: IdentifierColumns,
}

/// How a table writes dates with the year last.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum WrittenOrder {
    /// `31/12/1999`
    DayFirst,
    /// `12/31/1999`
    MonthFirst,
}

#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
struct IdentifierColumns {
    #[serde(default)]
    pnc_id: Columns,
    #[serde(default)]
    cro_number: Columns,
    #[serde(default)]
    nhs_number: Columns,
    #[serde(default)]
    crn: Columns,
    #[serde(default)]
    noms_number: Columns,
    #[serde(default)]
    national: Columns,
}

/// One column or several.
#[derive(Debug, Clone, Default)]
struct Columns(Vec<String>);

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            One(String),
            Many(Vec<String>),
        }
        Ok(Self(match OneOrMany::deserialize(input)? {
            OneOrMany::One(column) => vec![column],
            OneOrMany::Many(columns) => columns,
        }))
    }
}

/// A table or map that cannot be used. Names columns and lines, never values.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TableError {
    /// The map is not of the form above.
    #[error("the column map does not have the form of one: {0}")]
    Map(String),
    /// The table has none of the columns that say who somebody is.
    #[error("the table has none of the columns that the map names for names, dates or identifiers")]
    NoColumns,
    /// The table lacks a column that was asked for.
    #[error("the table has no column `{0}`")]
    MissingColumn(String),
    /// A row cannot be read.
    #[error("line {line} is not CSV in UTF-8, or has another number of columns than the header")]
    Row {
        /// Which line, from 1.
        line: u64,
    },
}

/// One row.
pub struct TableRow {
    /// Its own id, or its number from 1.
    pub id: String,
    /// Who it speaks of.
    pub identity: ClearIdentity,
    /// The value of the truth column, if one was asked for.
    pub truth: Option<String>,
}

impl ColumnMap {
    /// Reads a map.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        // A map holds names of columns only, so where it is wrong may be told.
        toml::from_str(text).map_err(|error| TableError::Map(error.message().to_owned()))
    }
}

/// Reads a whole table. Empty cells are missing values.
pub fn read_table(map: &ColumnMap, truth: Option<&str>, table: impl Read) -> Result<Vec<TableRow>, TableError> {
    let mut reader = csv::ReaderBuilder::new().from_reader(table);
    let headers = reader.headers().map_err(|_| TableError::Row { line: 1 })?.clone();
    let place = |name: &str| headers.iter().position(|header| header.trim().trim_start_matches('\u{feff}') == name);
    let required = |name: &Option<String>| match name {
        Some(name) => place(name).map(Some).ok_or_else(|| TableError::MissingColumn(name.clone())),
        None => Ok(None),
    };
    let id_column = required(&map.row_id)?;
    let truth_column = required(&truth.map(str::to_owned))?;
    let layout = Layout::new(map, place);
    if layout.says_nothing() {
        return Err(TableError::NoColumns);
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record =
            record.map_err(|error| TableError::Row { line: error.position().map_or(0, csv::Position::line) })?;
        let cell =
            |column: Option<usize>| column.and_then(|column| record.get(column)).map(str::trim).map(str::to_owned);
        rows.push(TableRow {
            id: cell(id_column).unwrap_or_else(|| (rows.len() + 1).to_string()),
            identity: layout.identity(&record),
            truth: cell(truth_column),
        });
    }
    Ok(rows)
}

/// Places of the columns in one table.
struct Layout {
    given_names: Vec<usize>,
    family_name: Vec<usize>,
    former_family_name: Vec<usize>,
    alias_given_name: Vec<usize>,
    date_of_birth: Vec<usize>,
    sex: Vec<usize>,
    postcode: Vec<usize>,
    address: Vec<usize>,
    uprn: Vec<usize>,
    identifiers: [Vec<usize>; 6],
}

impl Layout {
    fn new(map: &ColumnMap, place: impl Fn(&str) -> Option<usize>) -> Self {
        let places = |columns: &Columns| columns.0.iter().filter_map(|name| place(name)).collect::<Vec<_>>();
        let numbers = &map.identifiers;
        Self {
            given_names: places(&map.given_names),
            family_name: places(&map.family_name),
            former_family_name: places(&map.former_family_name),
            alias_given_name: places(&map.alias_given_name),
            date_of_birth: places(&map.date_of_birth),
            sex: places(&map.sex),
            postcode: places(&map.postcode),
            address: places(&map.address),
            uprn: places(&map.uprn),
            identifiers: [
                &numbers.pnc_id,
                &numbers.cro_number,
                &numbers.nhs_number,
                &numbers.crn,
                &numbers.noms_number,
                &numbers.national,
            ]
            .map(places),
        }
    }

    fn says_nothing(&self) -> bool {
        let telling = [&self.given_names, &self.family_name, &self.date_of_birth];
        telling.into_iter().chain(&self.identifiers).all(Vec::is_empty)
    }

    fn identity(&self, record: &csv::StringRecord) -> ClearIdentity {
        let text = |columns: &[usize]| joined(record, columns);
        let mut identity = ClearIdentity {
            given_names: self.given_names.iter().filter_map(|column| joined(record, &[*column])).collect(),
            family_name: text(&self.family_name),
            date_of_birth: text(&self.date_of_birth),
            sex: text(&self.sex),
            postcode: text(&self.postcode),
            address: text(&self.address),
            uprn: text(&self.uprn),
            pnc_id: text(&self.identifiers[0]),
            cro_number: text(&self.identifiers[1]),
            nhs_number: text(&self.identifiers[2]),
            crn: text(&self.identifiers[3]),
            noms_number: text(&self.identifiers[4]),
            national_number: text(&self.identifiers[5]),
            ..ClearIdentity::default()
        };
        if let Some(family_name) = text(&self.former_family_name) {
            identity.former_names.push(ClearName { given_names: Vec::new(), family_name: Some(family_name) });
        }
        if let Some(given_name) = text(&self.alias_given_name) {
            identity.aliases.push(ClearName { given_names: vec![given_name], family_name: None });
        }
        identity
    }
}

/// Values joined with a space; `None` where all are empty, or what tables write for it.
fn joined(record: &csv::StringRecord, columns: &[usize]) -> Option<ClearText> {
    let empty = |value: &str| {
        value.is_empty() || ["nan", "null", "none", "n/a"].iter().any(|word| value.eq_ignore_ascii_case(word))
    };
    let values: Vec<&str> =
        columns.iter().filter_map(|column| record.get(*column)).map(str::trim).filter(|value| !empty(value)).collect();
    (!values.is_empty()).then(|| ClearText::new(values.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "row_id = 'id'\ngiven_names = ['first', 'second']\nfamily_name = 'last'\ndate_of_birth = 'dob'\n";

    #[test]
    fn rows_become_identities() {
        let map = ColumnMap::parse(MAP).expect("a map");
        let table = "id,first,second,last,dob,who\n7,Sarah,,Smith,1985-03-07,a\n8,,,,,b\n";
        let rows = read_table(&map, Some("who"), table.as_bytes()).expect("a table");
        assert_eq!((rows[0].id.as_str(), rows[0].truth.as_deref()), ("7", Some("a")));
        assert_eq!(rows[0].identity.given_names.len(), 1);
        assert_eq!(rows[0].identity.family_name.as_ref().map(ClearText::expose), Some("Smith"));
        assert!(rows[1].identity.date_of_birth.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_said_without_values() {
        assert!(matches!(ColumnMap::parse("surprise = 1"), Err(TableError::Map(_))));
        let map = ColumnMap::parse(MAP).expect("a map");
        let read = |table: &str| read_table(&map, None, table.as_bytes()).err();
        assert_eq!(read("id,a\n1,2\n"), Some(TableError::NoColumns));
        assert_eq!(read("first\nx\n"), Some(TableError::MissingColumn("id".into())));
        assert_eq!(read("id,first\n1,Sarah,surplus\n"), Some(TableError::Row { line: 2 }));
    }
}
