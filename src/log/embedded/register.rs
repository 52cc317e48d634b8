//! The register's rows in the file. They lie in the order in which they came, so that a commit writes to the ends of a few
//! runs of pages and costs the same however large the register is: keys are keyed ids, that is random, and rows in their
//! order would make every change a page of its own. Where a row lies its owner remembers.
//!
//! Count and sum over all rows go along with every change, so that a row that damage has made vanish is missed.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};

use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;

use super::only_partition;
use super::store::{damaged, explain, sum};
use crate::log::{LogError, RegisterRow};

/// Bits of a place that count within a shelf; the rest is the shelf, which is the first byte of the key.
const SHELF_BITS: u32 = 48;

/// How many rows there are, and the sum of their checksums: the same in whatever order they came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) row_count: i64,
    row_sum: i64,
}

impl Totals {
    pub(super) const EMPTY: Self = Self { row_count: 0, row_sum: 0 };

    pub(super) fn read(sqlite: &Connection) -> Result<Self, LogError> {
        sqlite
            .prepare_cached("SELECT row_count, row_sum FROM register_totals")
            .and_then(|mut find| {
                find.query_row([], |row| Ok(Self { row_count: row.get(0)?, row_sum: row.get(1)? })).optional()
            })
            .map_err(explain)?
            .ok_or_else(damaged)
    }

    pub(super) fn write(self, sqlite: &Connection) -> Result<(), LogError> {
        sqlite
            .prepare_cached("UPDATE register_totals SET row_count = ?, row_sum = ?")
            .and_then(|mut update| update.execute((self.row_count, self.row_sum)))
            .map_err(explain)?;
        Ok(())
    }

    pub(super) fn add(&mut self, sum: i64) {
        self.row_count += 1;
        self.row_sum = self.row_sum.wrapping_add(sum);
    }

    fn subtract(&mut self, sum: i64) {
        self.row_count -= 1;
        self.row_sum = self.row_sum.wrapping_sub(sum);
    }
}

/// Where each row lies: 16 bytes a row, by a hash of its key. Made by reading the register, kept by writing to it.
#[derive(Default)]
pub(super) struct Places<S = RandomState> {
    by_hash: FxHashMap<u64, i64>,
    /// Rows whose hash another one has.
    twins: BTreeMap<Vec<u8>, i64>,
    /// The last place taken on each shelf.
    last: BTreeMap<u8, i64>,
    hasher: S,
}

/// A row that is there.
struct Held {
    place: i64,
    sum: i64,
}

impl<S: BuildHasher> Places<S> {
    fn clear(&mut self) {
        (self.by_hash, self.twins, self.last) = Default::default();
    }

    /// Notes where a row lies that no other has the key of.
    fn put(&mut self, key: &[u8], place: i64) {
        let last = self.last.entry(shelf(key)).or_insert(place);
        *last = place.max(*last);
        match self.by_hash.entry(self.hasher.hash_one(key)) {
            Entry::Vacant(free) => drop(free.insert(place)),
            Entry::Occupied(_) => drop(self.twins.insert(key.to_vec(), place)),
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if self.twins.remove(key).is_none() {
            self.by_hash.remove(&self.hasher.hash_one(key));
        }
    }

    /// The next place on the shelf of a key.
    fn next(&self, key: &[u8]) -> Result<i64, LogError> {
        let first = first_place(key);
        let next = self.last.get(&shelf(key)).map_or(first, |last| last + 1);
        if next >> SHELF_BITS == first >> SHELF_BITS {
            Ok(next)
        } else {
            Err(LogError::Fatal("the register has used all its places".into()))
        }
    }

    /// The row of a key, if there is one.
    fn find(&self, sqlite: &Connection, key: &[u8]) -> Result<Option<Held>, LogError> {
        let place = self.twins.get(key).or_else(|| self.by_hash.get(&self.hasher.hash_one(key)));
        let Some(place) = place.copied() else { return Ok(None) };
        let mut find = sqlite.prepare_cached("SELECT xxh3, key FROM register WHERE place = ?").map_err(explain)?;
        let found = find
            .query_row([place], |row| Ok((row.get(0)?, row.get_ref(1)?.as_blob()? == key)))
            .optional()
            .map_err(explain)?;
        match found {
            Some((sum, true)) => Ok(Some(Held { place, sum })),
            // Of another key that has the same hash.
            Some((_, false)) => Ok(None),
            None => Err(damaged()),
        }
    }
}

/// Writes changed rows. After an error the places are those of nothing, and the register has to be read anew.
pub(super) fn write<S: BuildHasher>(
    sqlite: &Connection,
    places: &mut Places<S>,
    rows: Vec<RegisterRow>,
) -> Result<(), LogError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut totals = Totals::read(sqlite)?;
    let mut insert = sqlite.prepare_cached("INSERT INTO register VALUES (?, ?, ?, ?)").map_err(explain)?;
    let mut update =
        sqlite.prepare_cached("UPDATE register SET xxh3 = ?, value = ? WHERE place = ?").map_err(explain)?;
    let mut remove = sqlite.prepare_cached("DELETE FROM register WHERE place = ?").map_err(explain)?;
    for RegisterRow { partition, key, value } in rows {
        only_partition(partition)?;
        let held = places.find(sqlite, &key)?;
        if let Some(held) = &held {
            totals.subtract(held.sum);
        }
        match (held, value) {
            (None, Some(value)) => {
                let place = places.next(&key)?;
                let sum = row_sum(place, &key, &value);
                totals.add(sum);
                places.put(&key, place);
                insert.execute((place, sum, &key, &value)).map_err(explain)?;
            }
            (Some(Held { place, .. }), Some(value)) => {
                let sum = row_sum(place, &key, &value);
                totals.add(sum);
                update.execute((sum, &value, place)).map_err(explain)?;
            }
            (Some(Held { place, .. }), None) => {
                places.remove(&key);
                remove.execute([place]).map_err(explain)?;
            }
            (None, None) => {}
        }
    }
    totals.write(sqlite)
}

/// Hands every row to `row`, shelf by shelf, and learns where they lie.
pub(super) fn read_back<S: BuildHasher>(
    sqlite: &Connection,
    places: &mut Places<S>,
    row: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<(), LogError> {
    places.clear();
    read(sqlite, |place, key, value| {
        places.put(key, place);
        row(key, value);
    })
}

/// Hands every row to `row` with its place, shelf by shelf, and checks each and all.
pub(super) fn read(sqlite: &Connection, mut row: impl FnMut(i64, &[u8], &[u8])) -> Result<(), LogError> {
    let mut read =
        sqlite.prepare_cached("SELECT place, xxh3, key, value FROM register ORDER BY place").map_err(explain)?;
    let mut rows = read.query([]).map_err(explain)?;
    let mut totals = Totals::EMPTY;
    while let Some(found) = rows.next().map_err(explain)? {
        let place: i64 = found.get(0).map_err(explain)?;
        let key = found.get_ref(2).map_err(explain)?.as_blob().map_err(|_| damaged())?;
        let value = found.get_ref(3).map_err(explain)?.as_blob().map_err(|_| damaged())?;
        let sum = row_sum(place, key, value);
        if found.get::<_, i64>(1).map_err(explain)? != sum {
            return Err(damaged());
        }
        totals.add(sum);
        row(place, key, value);
    }
    if totals == Totals::read(sqlite)? { Ok(()) } else { Err(damaged()) }
}

/// Rows whose keys begin alike stand together, so that they come back in the order of that byte.
fn shelf(key: &[u8]) -> u8 {
    key.first().copied().unwrap_or_default()
}

/// The first place on the shelf of a key.
pub(super) fn first_place(key: &[u8]) -> i64 {
    i64::from(shelf(key)) << SHELF_BITS
}

pub(super) fn row_sum(place: i64, key: &[u8], value: &[u8]) -> i64 {
    sum("register", &[&place.to_be_bytes(), key, value])
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, Hasher};

    use super::super::store;
    use super::*;

    /// Every key has one hash.
    #[derive(Default)]
    struct Same;

    impl Hasher for Same {
        fn finish(&self) -> u64 {
            7
        }

        fn write(&mut self, _: &[u8]) {}
    }

    fn row(key: &str, value: Option<&str>) -> RegisterRow {
        RegisterRow { partition: 0, key: key.into(), value: value.map(Into::into) }
    }

    fn rows<S: BuildHasher>(file: &Connection, places: &mut Places<S>) -> Vec<String> {
        let mut rows = Vec::new();
        let mut note = |key: &[u8], value: &[u8]| {
            rows.push(format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
        };
        read_back(file, places, &mut note).expect("it is whole");
        rows
    }

    #[test]
    fn keys_of_one_hash_are_rows_of_their_own() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let file = store::open(&folder.path().join("log"), 1_000).expect("opens");
        let mut places = Places::<BuildHasherDefault<Same>>::default();
        let write = |places: &mut _, rows| write(&file, places, rows).expect("writes");
        write(
            &mut places,
            vec![row("b1", Some("x")), row("b2", Some("y")), row("a1", Some("z")), row("b2", Some("yy"))],
        );
        assert_eq!(rows(&file, &mut places), ["a1=z", "b1=x", "b2=yy"]);
        write(&mut places, vec![row("b1", None), row("a2", None), row("b2", Some("again"))]);
        assert_eq!(rows(&file, &mut places), ["a1=z", "b2=again"]);
        write(&mut places, vec![row("b1", Some("back")), row("a1", None), row("", Some("no key"))]);
        assert_eq!(rows(&file, &mut places), ["=no key", "b2=again", "b1=back"]);
    }
}
