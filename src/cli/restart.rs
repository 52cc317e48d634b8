//! The register read back from the log, whenever a partition is ours from now on.

use std::sync::{Arc, mpsc};

use crate::log::{Log, LogError};
use crate::pipeline::{Engine, Setup};

/// Rows on their way from the log to the engine, one after the other.
#[derive(Default)]
struct Portion {
    bytes: Vec<u8>,
    /// Where each row's key and value end.
    ends: Vec<(usize, usize)>,
}

impl Portion {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key_end, self.bytes.len()));
    }

    fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, (key, end))| (&self.bytes[start..*key], &self.bytes[*key..*end]))
    }
}

/// How much of the register is on its way at once: three portions of so many bytes.
const PORTION_BYTES: usize = 1 << 20;

/// An engine with what the log holds of a partition, and how many rows that is. One thread reads and opens them while the
/// other takes them in.
pub(super) fn restored(log: &mut dyn Log, setup: &Arc<Setup>, partition: i32) -> Result<(Engine, u64), LogError> {
    let mut engine = Engine::new(Arc::clone(setup), partition);
    let (mut rows, mut bad) = (0, None);
    let (sender, portions) = mpsc::sync_channel(1);
    std::thread::scope(|threads| {
        let reading = threads.spawn(move || {
            let mut portion = Portion::default();
            // Whoever takes them in ends last, unless by a fault of ours, which is told where it is waited for.
            log.restore(partition, &mut |key, value| {
                portion.push(key, value);
                if portion.bytes.len() >= PORTION_BYTES {
                    sender.send(std::mem::take(&mut portion)).ok();
                }
            })?;
            sender.send(portion).ok();
            Ok::<_, LogError>(())
        });
        for portion in portions {
            for (key, value) in portion.rows() {
                rows += 1;
                bad = bad.or(engine.restore_row(key, value).err());
            }
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    if let Some(bad) = bad {
        return Err(LogError::Fatal(bad.to_string()));
    }
    engine.finish_restore().map_err(|bad| LogError::Fatal(bad.to_string()))?;
    Ok((engine, rows))
}
