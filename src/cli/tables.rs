//! Tables of clear rows to blind people: the one place of the command line that sees who a row speaks of.

use std::io::Read;

use rayon::prelude::*;

use crate::model::ids::{LocalRefId, PartyId, RecordId};
use crate::model::tokens::PersonTokens;
use crate::normalise::event::{Normalised, normalise};
use crate::normalise::{DateOrder, find_date_order, normalise_identity_with};
use crate::pseudonymise::Pseudonymiser;
use crate::validate::event::Validated;
pub(super) use crate::validate::rows::TableError;
use crate::validate::rows::{ColumnMap, TableRow, WrittenOrder, read_table};

/// Rows of one part of a table.
const PART: usize = 4096;

/// Which columns hold what.
pub(super) struct Columns(ColumnMap);

/// One row, blind but for its own id.
pub(super) struct BlindRow {
    /// Its own id, or its number from 1.
    pub id: String,
    /// Who it is, where that is known to measure by.
    pub truth: Option<String>,
    /// The id of its record.
    pub record: RecordId,
    /// The agency that is taken to have written it.
    pub agency: PartyId,
    /// The agency's reference: each row's is its own, so that nothing is linked by position.
    pub local_ref: LocalRefId,
    /// What linkage compares.
    pub tokens: PersonTokens,
}

/// Rows read and normalised, still in the clear: to be made blind at once.
pub(super) struct ClearRows {
    rows: Vec<TableRow>,
    order: DateOrder,
}

impl Columns {
    /// Reads a TOML map of columns.
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        ColumnMap::parse(text).map(Self)
    }

    /// Reads a whole table.
    pub(super) fn read(&self, truth: Option<&str>, table: impl Read) -> Result<ClearRows, TableError> {
        let rows = read_table(&self.0, truth, table)?;
        let order = match self.0.date_order {
            Some(WrittenOrder::DayFirst) => DateOrder::DayFirst,
            Some(WrittenOrder::MonthFirst) => DateOrder::MonthFirst,
            None => find_date_order(rows.iter().filter_map(|row| row.identity.date_of_birth.as_ref())),
        };
        Ok(ClearRows { rows, order })
    }
}

impl ClearRows {
    /// Normalises and pseudonymises every row, on all cores, a part of the table at a time: tokens are much, and whoever
    /// is done with a part need not hold it. `first` numbers the references.
    pub(super) fn blind(
        self,
        hash: &Pseudonymiser,
        agency: &PartyId,
        first: usize,
    ) -> impl Iterator<Item = Vec<BlindRow>> {
        let Self { rows, order } = self;
        let blind = move |(place, row): (usize, TableRow)| {
            let identity = normalise_identity_with(row.identity, order);
            let reference = (first + place).to_string();
            BlindRow {
                id: row.id,
                truth: row.truth,
                record: hash.record(agency, &reference, &identity),
                agency: agency.clone(),
                local_ref: hash.local_ref(agency, &reference),
                tokens: hash.tokens(&identity),
            }
        };
        let mut rows = rows.into_iter().enumerate();
        std::iter::from_fn(move || {
            let part: Vec<(usize, TableRow)> = rows.by_ref().take(PART).collect();
            (!part.is_empty()).then(|| part.into_par_iter().map(&blind).collect())
        })
    }
}

/// The people of checked events, normalised and still in the clear: to measure what hashing them alone takes.
pub(super) struct ClearPeople(Vec<Normalised>);

impl ClearPeople {
    /// Normalises them.
    pub(super) fn of(events: impl Iterator<Item = Validated>) -> Self {
        Self(events.map(normalise).collect())
    }

    /// Hashes everybody, and forgets it.
    pub(super) fn hash(&self, hash: &Pseudonymiser) {
        for (person, _) in self.0.iter().flat_map(|event| &event.persons) {
            std::hint::black_box(hash.tokens(&person.identity));
        }
    }
}
