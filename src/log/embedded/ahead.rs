//! A look at the write-ahead log before SQLite reads it.
//!
//! SQLite takes the first frame that is not whole for the log's end, as it has to: a power cut may tear the last commit. Of
//! commits that lie behind it says nothing, and writes over them. But each of our commits was synced before the next began, so
//! a commit behind a frame that is not whole is no torn write: something damaged what had been kept.
//!
//! The form is <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>. A flaw in the very last commit cannot be told from a torn
//! write, nor one that takes the mark from a commit's end, which makes one long commit of two; and a log that is gone or was
//! cut leaves nothing to be seen.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use super::store::damaged;
use crate::log::LogError;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// How often the same has to be seen, and how long lies between: another process may be writing while this one looks.
const LOOKS: (usize, Duration) = (3, Duration::from_millis(20));

/// Refuses a write-ahead log that lost commits to damage.
pub(super) fn check(ahead: &Path) -> Result<(), LogError> {
    let told = |error: io::Error| LogError::Fatal(format!("the write-ahead log cannot be read: {}", error.kind()));
    let seen = look(ahead).map_err(told)?;
    if seen.is_none() {
        return Ok(());
    }
    for _ in 1..LOOKS.0 {
        std::thread::sleep(LOOKS.1);
        if look(ahead).map_err(told)? != seen {
            return Ok(());
        }
    }
    Err(damaged())
}

/// Where damage begins that commits lie behind: the log's header, and the number of the first frame that is not whole.
type Broken = ([u8; HEADER_BYTES], u64);

fn look(ahead: &Path) -> io::Result<Option<Broken>> {
    let file = match File::open(ahead) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.metadata()?.len();
    let mut log = BufReader::with_capacity(1 << 20, file);
    let mut head = [0; HEADER_BYTES];
    if length <= (HEADER_BYTES + FRAME_HEADER_BYTES) as u64 || !is_read(&mut log, &mut head)? {
        return Ok(None);
    }
    let is_big_endian = head[3] & 1 == 1;
    let page_bytes = word(&head, 8) as usize;
    let known = matches!(word(&head, 0), 0x377f_0682 | 0x377f_0683) && page_bytes.is_power_of_two();
    let mut running = Sum { words: (0, 0), is_big_endian };
    running.add(&head[..24]);
    if !known || !(512..=65_536).contains(&page_bytes) || running.words != stored(&head, 24) {
        // A header is synced before the frames behind it are written.
        return Ok(Some((head, 0)));
    }
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let (mut number, mut broken, mut before) = (0, None, None);
    while is_read(&mut log, &mut frame)? {
        number += 1;
        let is_ours = frame[8..16] == head[16..24];
        let kept = stored(&frame, 16);
        let sum_after = |mut sum: Sum| {
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER_BYTES..]);
            sum.words
        };
        // Where a frame's own sum alone is damaged, what lies behind it goes on from what that was.
        let mut meant = kept;
        if broken.is_none() {
            meant = sum_after(running);
            if is_ours && meant == kept {
                running.words = kept;
                continue;
            }
            broken = Some((head, number));
        } else if is_ours && before.into_iter().flatten().any(|words| sum_after(Sum { words, is_big_endian }) == kept) {
            return Ok(broken);
        }
        // A frame that ends a commit says how many pages the file then has.
        before = (word(&frame, 4) != 0).then_some([kept, meant]);
    }
    Ok(None)
}

/// The sum that goes through all frames.
#[derive(Clone, Copy)]
struct Sum {
    words: (u32, u32),
    is_big_endian: bool,
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let read = if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (mut one, mut other) = self.words;
        let (pairs, _) = bytes.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in pairs {
            one = one.wrapping_add(read([a, b, c, d])).wrapping_add(other);
            other = other.wrapping_add(read([e, f, g, h])).wrapping_add(one);
        }
        self.words = (one, other);
    }
}

fn stored(bytes: &[u8], at: usize) -> (u32, u32) {
    (word(bytes, at), word(bytes, at + 4))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Fills `bytes`, unless the log ends before.
fn is_read(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
