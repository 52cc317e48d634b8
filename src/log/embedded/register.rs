//! The register's rows in the file. Count and sum over all of them go along with every change, so that a row that
//! damage has made vanish is missed.

use rusqlite::{Connection, OptionalExtension};

use super::only_partition;
use super::store::{damaged, explain, sum};
use crate::log::{LogError, RegisterRow};

/// How many rows there are, and the sum of their checksums: the same in whatever order they came.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Totals {
    row_count: i64,
    row_sum: i64,
}

impl Totals {
    const EMPTY: Self = Self { row_count: 0, row_sum: 0 };

    fn read(sqlite: &Connection) -> Result<Self, LogError> {
        sqlite
            .prepare_cached("SELECT row_count, row_sum FROM register_totals")
            .and_then(|mut find| {
                find.query_row([], |row| Ok(Self { row_count: row.get(0)?, row_sum: row.get(1)? })).optional()
            })
            .map_err(explain)?
            .ok_or_else(damaged)
    }

    fn add(&mut self, sum: i64) {
        self.row_count += 1;
        self.row_sum = self.row_sum.wrapping_add(sum);
    }

    fn subtract(&mut self, sum: i64) {
        self.row_count -= 1;
        self.row_sum = self.row_sum.wrapping_sub(sum);
    }
}

/// Writes changed rows.
pub(super) fn write(sqlite: &Connection, mut rows: Vec<RegisterRow>) -> Result<(), LogError> {
    if rows.is_empty() {
        return Ok(());
    }
    // In the order of the tree, so that each of its pages is visited once; of one key the last change stays the last.
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    let mut totals = Totals::read(sqlite)?;
    let mut find = sqlite.prepare_cached("SELECT sum FROM register WHERE key = ?").map_err(explain)?;
    let mut put = sqlite.prepare_cached("INSERT OR REPLACE INTO register VALUES (?, ?, ?)").map_err(explain)?;
    let mut remove = sqlite.prepare_cached("DELETE FROM register WHERE key = ?").map_err(explain)?;
    for RegisterRow { partition, key, value } in rows {
        only_partition(partition)?;
        if let Some(earlier) = find.query_row([&key], |row| row.get(0)).optional().map_err(explain)? {
            totals.subtract(earlier);
        }
        match value {
            Some(value) => {
                let sum = row_sum(&key, &value);
                totals.add(sum);
                put.execute((&key, sum, &value))
            }
            None => remove.execute([&key]),
        }
        .map_err(explain)?;
    }
    sqlite
        .prepare_cached("UPDATE register_totals SET row_count = ?, row_sum = ?")
        .and_then(|mut update| update.execute((totals.row_count, totals.row_sum)))
        .map_err(explain)?;
    Ok(())
}

/// Hands every row to `row`, in key order.
pub(super) fn read(sqlite: &Connection, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
    let mut read = sqlite.prepare_cached("SELECT key, sum, value FROM register ORDER BY key").map_err(explain)?;
    let mut rows = read.query([]).map_err(explain)?;
    let mut totals = Totals::EMPTY;
    while let Some(found) = rows.next().map_err(explain)? {
        let key = found.get_ref(0).map_err(explain)?.as_blob().map_err(|_| damaged())?;
        let value = found.get_ref(2).map_err(explain)?.as_blob().map_err(|_| damaged())?;
        let sum = row_sum(key, value);
        if found.get::<_, i64>(1).map_err(explain)? != sum {
            return Err(damaged());
        }
        totals.add(sum);
        row(key, value);
    }
    if totals == Totals::read(sqlite)? { Ok(()) } else { Err(damaged()) }
}

fn row_sum(key: &[u8], value: &[u8]) -> i64 {
    sum("register", &[key, value])
}
