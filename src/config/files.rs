//! Files that are read as a whole: none is larger than its kind can be meant to be.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// Bytes of a file that people write, or that lists places or people who work with us: far above any, far below what would
/// hurt.
pub const LARGEST_FILE: usize = 1 << 20;
/// Bytes of a table of frequencies, which lists every name and postcode that is common.
pub const LARGEST_FREQUENCIES: usize = 64 << 20;

/// Why a file was not read. Says nothing of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// The kind of the failure.
    pub kind: io::ErrorKind,
    most: usize,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            io::ErrorKind::FileTooLarge => write!(out, "it is larger than {} KiB", self.most >> 10),
            kind => write!(out, "it cannot be read ({kind})"),
        }
    }
}

impl From<&io::Error> for Unreadable {
    fn from(error: &io::Error) -> Self {
        Self { kind: error.kind(), most: usize::MAX }
    }
}

/// Reads a file of so many bytes at the most.
///
/// # Errors
/// When it cannot be read, or is larger.
pub fn read(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let unreadable = |error: io::Error| Unreadable { kind: error.kind(), most };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    read_all(file, usize::try_from(length).unwrap_or(usize::MAX), most)
}

/// Reads what is no file by its name, as `read` does. `length` is what to expect: a vector that need not grow leaves no copies
/// of its content behind.
///
/// # Errors
/// As for `read`.
pub fn read_all(input: impl Read, length: usize, most: usize) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let beyond = most + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.saturating_add(1).min(beyond)));
    let read = input.take(u64::try_from(beyond).expect("a length")).read_to_end(&mut bytes);
    let kind = match read {
        Ok(_) if bytes.len() <= most => return Ok(bytes),
        Ok(_) => io::ErrorKind::FileTooLarge,
        Err(error) => error.kind(),
    };
    Err(Unreadable { kind, most })
}

/// Reads a file of text of so many bytes at the most.
///
/// # Errors
/// As for `read`, and when it is not UTF-8.
pub fn read_text(path: &Path, most: usize) -> Result<String, Unreadable> {
    let mut bytes = read(path, most)?;
    String::from_utf8(std::mem::take(&mut *bytes)).map_err(|_| Unreadable { kind: io::ErrorKind::InvalidData, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_just_the_size_is_read_and_a_byte_more_is_not() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("file.toml");
        for (length, is_read) in [(2048, true), (2049, false), (1 << 40, false)] {
            File::create(&path).expect("created").set_len(length).expect("a hole of zeros");
            let read = read_text(&path, 2048);
            assert_eq!(read.is_ok(), is_read, "{length}");
            assert!(read.err().is_none_or(|why| why.to_string() == "it is larger than 2 KiB"));
        }
    }

    #[test]
    fn what_says_no_length_is_bounded_as_well() {
        let why = read(Path::new("/dev/zero"), 2048).expect_err("it never ends");
        assert_eq!(why.kind, io::ErrorKind::FileTooLarge);
        assert_eq!(read_all(io::repeat(b'x').take(9), 0, 9).expect("read").as_slice(), b"xxxxxxxxx");
    }

    #[test]
    fn what_cannot_be_read_says_why_without_what_it_holds() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("file.toml");
        assert_eq!(read_text(&path, 9).expect_err("not there").to_string(), "it cannot be read (entity not found)");
        std::fs::write(&path, b"\xff").expect("written");
        assert_eq!(read_text(&path, 9).expect_err("no text").kind, io::ErrorKind::InvalidData);
    }
}
