//! Rows of the register on their way back from the log: they come one by one and are read many at a time, on all cores.

use rayon::prelude::*;

/// How many rows are read at a time.
const AT_ONCE: usize = 1024;

/// Rows that wait to be read, and what was read of those before them and counts for nothing yet.
pub struct Arriving<T, E> {
    /// The rows end to end.
    bytes: Vec<u8>,
    /// Where each begins, where its id ends, and where it ends.
    rows: Vec<(usize, usize, usize)>,
    read: Vec<Result<T, E>>,
}

impl<T, E> Default for Arriving<T, E> {
    fn default() -> Self {
        Self { bytes: Vec::new(), rows: Vec::new(), read: Vec::new() }
    }
}

impl<T: Send, E: Send> Arriving<T, E> {
    /// Keeps a row until it is read; says whether so many wait that it is time for a [`Arriving::turn`].
    #[must_use]
    pub fn push(&mut self, id: &[u8], value: &[u8]) -> bool {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(id);
        self.bytes.extend_from_slice(value);
        self.rows.push((start, start + id.len(), self.bytes.len()));
        self.rows.len() >= AT_ONCE
    }

    /// Reads the rows that wait, each by its id and value, while those that were read before are taken in. After the last row
    /// it is called twice: once to read, once to take in.
    pub fn turn<R: Send>(
        &mut self,
        read: impl Fn(&[u8], &[u8]) -> Result<T, E> + Sync,
        take_in: impl FnOnce(Vec<Result<T, E>>) -> R + Send,
    ) -> R {
        let Self { bytes, rows, read: before } = self;
        let before = std::mem::take(before);
        let read = |(start, middle, end): &(usize, usize, usize)| read(&bytes[*start..*middle], &bytes[*middle..*end]);
        let (next, taken) = rayon::join(|| rows.par_iter().map(read).collect(), || take_in(before));
        self.read = next;
        self.bytes.clear();
        self.rows.clear();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_taken_in_once_and_in_order() {
        let mut arriving = Arriving::<String, String>::default();
        let mut taken = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let read = |id: &[u8], value: &[u8]| {
            if value.is_empty() { Err(text(id)) } else { Ok(format!("{}={}", text(id), text(value))) }
        };
        let rows: Vec<_> = (0..2 * AT_ONCE + 1).map(|row| (row.to_string(), if row == 3 { "" } else { "v" })).collect();
        for (id, value) in &rows {
            if arriving.push(id.as_bytes(), value.as_bytes()) {
                arriving.turn(read, |some| taken.extend(some));
            }
        }
        assert_eq!(taken.len(), AT_ONCE, "the others wait, or were read and wait");
        arriving.turn(read, |some| taken.extend(some));
        arriving.turn(read, |some| taken.extend(some));
        arriving.turn(read, |some| taken.extend(some));
        let expected: Vec<_> = rows.iter().map(|(id, value)| read(id.as_bytes(), value.as_bytes())).collect();
        assert_eq!(taken, expected);
    }
}
