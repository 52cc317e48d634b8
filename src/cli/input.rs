//! What a file says, or standard input: as a whole, or one line at a time. Neither may be longer than is said.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::failure::Failure;
use crate::config::files;
use crate::log::MAX_RECORD_BYTES;

/// What people type or paste is no longer. There is room for it at once: a vector that grows leaves copies behind.
const PASTED: usize = 64 << 10;

/// All of a file, or of standard input for `-`, of so many bytes at the most.
pub(super) fn whole(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let read = if path == Path::new("-") {
        files::read_all(std::io::stdin().lock(), PASTED.min(most), most)
    } else {
        files::read(path, most)
    };
    read.map_err(|why| Failure::unreadable(path, why))
}

/// Lines, none longer than a record of the log, read as they are asked for: bytes, not text, since a line in a wrong encoding is not ours to lose.
pub(super) struct Lines {
    input: Box<dyn BufRead>,
    name: String,
    number: u64,
    longest: usize,
}

impl Lines {
    /// Lines of a file, or of standard input for `-`.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let (input, name): (Box<dyn BufRead>, _) = if path == Path::new("-") {
            (Box::new(std::io::stdin().lock()), "standard input".to_owned())
        } else {
            let file = File::open(path).map_err(|error| Failure::unreadable(path, &error))?;
            (Box::new(BufReader::new(file)), path.display().to_string())
        };
        Ok(Self { input, name, number: 0, longest: MAX_RECORD_BYTES })
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line as it stands, without the line feed at its end.
    ///
    /// # Errors
    /// Says which line cannot be read, or is too long; what follows such a one is not looked for.
    pub(super) fn next_raw(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        self.number += 1;
        let mut line = Zeroizing::new(Vec::new());
        let most = u64::try_from(self.longest).expect("a length") + 1;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut line);
        let read = read.map_err(|error| self.told(&format!("it cannot be read ({})", error.kind())))?;
        let has_ended = line.pop_if(|last| *last == b'\n').is_some();
        if !has_ended && line.len() > self.longest {
            return Err(self.too_long());
        }
        Ok((read > 0).then_some(line))
    }

    /// The next line that is not empty, without a carriage return at its end either.
    ///
    /// # Errors
    /// As for `next_raw`.
    pub(super) fn next_filled(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        while let Some(mut line) = self.next_raw()? {
            while line.pop_if(|last| *last == b'\r').is_some() {}
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// That the line which was read last is more than a record may be.
    pub(super) fn too_long(&self) -> String {
        self.told(&format!("it is longer than the {} bytes of the largest record; look where it ends", self.longest))
    }

    fn told(&self, what: &str) -> String {
        format!("{}: line {}: {what}", self.name, self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn lines(text: &'static str) -> Lines {
        let name = "events.ndjson".to_owned();
        Lines { input: Box::new(Cursor::new(text)), name, number: 0, longest: 4 }
    }

    #[test]
    fn lines_come_with_their_number_and_without_their_end() {
        let mut lines = lines("one\r\n\n\r\ntwo\nfour");
        for expected in [Some(("one", 1)), Some(("two", 4)), Some(("four", 5)), None] {
            let line = lines.next_filled().expect("none is too long");
            assert_eq!(line.map(|line| line.to_vec()), expected.map(|(text, _)| text.as_bytes().to_vec()));
            assert!(expected.is_none_or(|(_, number)| lines.number() == number));
        }
    }

    #[test]
    fn raw_lines_are_as_they_stand() {
        let mut lines = lines("a\r\n\nb");
        for expected in [Some("a\r"), Some(""), Some("b"), None] {
            let line = lines.next_raw().expect("none is too long");
            assert_eq!(line.map(|line| line.to_vec()), expected.map(|text| text.as_bytes().to_vec()));
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_not_read_to_its_end() {
        for text in ["four\nfive5\nsix", "four\nfive5", "four\nfive5 and so on without an end"] {
            let mut lines = lines(text);
            assert!(lines.next_filled().expect("of just the length").is_some());
            let why = lines.next_filled().expect_err("too long");
            assert!(why.starts_with("events.ndjson: line 2: it is longer than the 4 bytes"), "{why}");
        }
    }
}
