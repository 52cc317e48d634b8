//! How fast records link: a register is filled, restored from its rows, and then grows record by record, each settled
//! by itself, by the code that the daemon runs. Rates are by CPU time of one core; the machine may be busy with others. A
//! synthetic city is linked under the model for as many people as it has, as its configuration would say.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::super::failure::{Failure, Kind};
use super::super::format::Format;
use super::super::link::read;
use super::super::measure::{cpu_seconds, rss_mb, thread_cpu_seconds};
use super::super::simulate::{COLUMN_MAP, TRUTH_COLUMN, write_rows};
use super::super::tables::{BlindRow, Columns};
use crate::keys::linkage::LinkageKey;
use crate::link::{LinkageModel, Linker};
use crate::model::ids::RecordId;
use crate::model::register::{RowChange, RowKind};
use crate::pseudonymise::Pseudonymiser;
use crate::simulate::City;

/// Records made blind at a time.
const CHUNK: usize = 10_000;

/// Fill a register, restore it, then link record by record.
#[derive(clap::Args, Debug)]
pub(super) struct LinkBenchArgs {
    /// How many records are linked one by one.
    #[arg(long, default_value_t = 50_000)]
    records: usize,
    /// How many the register holds before.
    #[arg(long, default_value_t = 0)]
    resident: usize,
    /// Everything that is left to chance: the people, and the order in which their records come.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// TOML map of the columns of FILE.csv.
    #[arg(long, value_name = "MAP.toml", requires = "file")]
    columns: Option<PathBuf>,
    /// Column of FILE.csv that says who each row is.
    #[arg(long, value_name = "COLUMN", requires = "file")]
    truth: Option<String>,
    /// Take these rows, one a line, in place of the synthetic city's.
    #[arg(value_name = "FILE.csv", requires = "columns")]
    file: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Runs the benchmark.
///
/// # Errors
/// When the table cannot be used, or has too few rows.
pub(super) fn run(args: &LinkBenchArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let rows = Rows::new(args)?;
    let secret = Zeroizing::new(*b"a key for measuring; none leaves");
    let hash = Pseudonymiser::new(&LinkageKey::new("bench".parse().expect("a valid scope"), 1, secret));
    let model = LinkageModel::compiled_in().with_frequencies(hash.public_frequencies());
    let model = Arc::new(match rows.people {
        Some(people) => model.with_population(people),
        None => model,
    });
    let truth = Vec::with_capacity(args.resident + args.records);
    let mut bench = Bench { rows, hash, tokenise: Clock::default(), truth };
    let mut report = serde_json::json!({"resident": args.resident, "records": args.records});

    let stored = bench.fill(&model, args.resident, &mut report)?;
    let mut linker = restore(&model, &stored, args.resident, &mut report);
    drop(stored);
    bench.stream(&mut linker, args, &mut report)?;

    let clusters = linker.clusters().map(|(_, members)| members.len()).max().unwrap_or(0);
    let mut people: BTreeMap<&str, usize> = BTreeMap::new();
    bench.truth.iter().for_each(|(_, person)| *people.entry(person).or_default() += 1);
    put(&mut report, "largest_cluster", clusters);
    put(&mut report, "largest_person", people.values().max());
    put(&mut report, "most_people_in_one_cluster", most_people(&linker, &bench.truth));
    print(&report, args.format, out)
}

/// The lines of a table in the order in which they come.
struct Rows {
    columns: Columns,
    truth: Option<String>,
    header: String,
    text: String,
    lines: Vec<std::ops::Range<usize>>,
    /// Of how many people of a city they are.
    people: Option<u32>,
    taken: usize,
}

impl Rows {
    fn new(args: &LinkBenchArgs) -> Result<Self, Failure> {
        let wanted = args.resident + args.records;
        let (map, truth, text, people) = match (&args.file, &args.columns) {
            (Some(file), Some(columns)) => {
                let table = std::fs::read_to_string(file).map_err(|error| Failure::unreadable(file, &error))?;
                (read(columns)?, args.truth.clone(), table, None)
            }
            _ => {
                let (text, people) = simulated(args.seed, wanted)?;
                (COLUMN_MAP.to_owned(), Some(TRUTH_COLUMN.to_owned()), text, Some(people))
            }
        };
        let columns = Columns::parse(&map).map_err(|error| Failure::new(Kind::BadData, error.to_string()))?;
        let header = text.lines().next().unwrap_or_default().to_owned();
        let mut lines = Vec::new();
        let mut start = header.len() + 1;
        for line in text.get(start..).unwrap_or_default().split_inclusive('\n') {
            lines.push(start..start + line.len());
            start += line.len();
        }
        if lines.len() < wanted {
            let line = format!("the table has {} rows of the {wanted} that were asked for", lines.len());
            return Err(Failure::new(Kind::BadData, line));
        }
        lines.truncate(wanted);
        lines.shuffle(&mut ChaCha20Rng::seed_from_u64(args.seed));
        Ok(Self { columns, truth, header, text, lines, people, taken: 0 })
    }

    /// The next rows as a table of their own.
    fn next(&mut self, count: usize) -> Cursor<String> {
        let lines = &self.lines[self.taken..self.taken + count];
        let mut table = self.header.clone();
        for line in lines {
            table.push('\n');
            table.push_str(self.text[line.clone()].trim_end());
        }
        self.taken += count;
        Cursor::new(table)
    }
}

/// At least so many linkage rows of a synthetic city, of whole persons but for the last; and how many people it has.
fn simulated(seed: u64, rows: usize) -> Result<(String, u32), Failure> {
    let mut people = u32::try_from(rows).unwrap_or(u32::MAX).clamp(1_000, 20_000_000);
    loop {
        let mut text = Vec::new();
        let written = write_rows(City::new(seed, people, 12).stage().rows().take(rows), &mut text)?;
        if written >= rows as u64 || people == 20_000_000 {
            let text = String::from_utf8(text).map_err(|_| Failure::new(Kind::Bug, "the simulator writes UTF-8"))?;
            return Ok((text, people));
        }
        people = people.saturating_mul(2).min(20_000_000);
    }
}

/// CPU time spent on a number of records.
#[derive(Default)]
struct Clock {
    seconds: f64,
    records: usize,
}

impl Clock {
    #[allow(clippy::cast_precision_loss)]
    fn rate(&self) -> f64 {
        self.records as f64 / self.seconds.max(1e-9)
    }
}

struct Bench {
    rows: Rows,
    hash: Pseudonymiser,
    tokenise: Clock,
    truth: Vec<(RecordId, String)>,
}

impl Bench {
    /// The next rows, blind.
    fn blind(&mut self, count: usize) -> Result<Vec<BlindRow>, Failure> {
        let first = self.rows.taken;
        let table = self.rows.next(count);
        let bad = |error: super::super::tables::TableError| Failure::new(Kind::BadData, error.to_string());
        let clear = self.rows.columns.read(self.rows.truth.as_deref(), table).map_err(bad)?;
        let before = cpu_seconds().unwrap_or_default();
        let agency = "bench".parse().expect("a valid name");
        let blind: Vec<BlindRow> = clear.blind(&self.hash, &agency, first).flatten().collect();
        self.tokenise.seconds += cpu_seconds().unwrap_or_default() - before;
        self.tokenise.records += blind.len();
        self.truth.extend(blind.iter().filter_map(|row| Some((row.record, row.truth.clone()?))));
        Ok(blind)
    }

    /// Fills a register in batches, and hands back its rows.
    fn fill(
        &mut self,
        model: &Arc<LinkageModel>,
        resident: usize,
        report: &mut serde_json::Value,
    ) -> Result<Stored, Failure> {
        let mut stored = Stored::default();
        let mut linker = Linker::new(Arc::clone(model));
        let mut clock = Clock::default();
        // What a batch is worked in, the first makes; the register begins beside it.
        let mut first = None;
        while self.rows.taken < resident {
            let rows = self.blind(CHUNK.min(resident - self.rows.taken))?;
            clock.records += rows.len();
            let before = cpu_seconds().unwrap_or_default();
            rows.into_iter().for_each(|row| linker.insert(row.record, row.agency, row.local_ref, &row.tokens));
            let settled = linker.settle();
            clock.seconds += cpu_seconds().unwrap_or_default() - before;
            stored.parts.push(StoredPart::of(&settled.rows));
            drop(settled);
            first = first.or_else(|| Some((self.rows.taken, self.held_beside(&stored)?)));
        }
        if let Some(counted) = linker.bytes().checked_div(resident) {
            put(report, "fill_records_per_cpu_second", clock.rate().round());
            put(report, "register_bytes_a_record", counted);
        }
        if let Some(((before, least), most)) =
            first.zip(self.held_beside(&stored)).filter(|((before, _), _)| *before < resident)
        {
            #[allow(clippy::cast_precision_loss)]
            put(report, "resident_memory_bytes_a_record", ((most - least) / (resident - before) as f64).round());
        }
        Ok(stored)
    }

    /// Bytes that the process holds beside what is remembered here to measure by, where the system tells.
    #[allow(clippy::cast_precision_loss)]
    fn held_beside(&self, stored: &Stored) -> Option<f64> {
        // As the allocator rounds.
        let names: usize = self.truth.iter().map(|(_, person)| person.len().next_multiple_of(16)).sum();
        let remembered = stored.bytes() + self.truth.len() * size_of::<(RecordId, String)>() + names;
        Some(rss_mb()? * 1_048_576.0 - remembered as f64)
    }

    /// Links record by record.
    fn stream(
        &mut self,
        linker: &mut Linker,
        args: &LinkBenchArgs,
        report: &mut serde_json::Value,
    ) -> Result<(), Failure> {
        let wanted = args.resident + args.records;
        let mut took: Vec<f64> = Vec::with_capacity(args.records);
        let mut clock = Clock::default();
        self.tokenise = Clock::default();
        while self.rows.taken < wanted {
            let rows = self.blind(CHUNK.min(wanted - self.rows.taken))?;
            clock.records += rows.len();
            let before = thread_cpu_seconds().unwrap_or_default();
            for row in rows {
                let started = Instant::now();
                linker.insert(row.record, row.agency, row.local_ref, &row.tokens);
                let settled = linker.settle();
                took.push(started.elapsed().as_secs_f64() * 1e3);
                drop(settled);
            }
            clock.seconds += thread_cpu_seconds().unwrap_or_default() - before;
        }
        took.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| took.get((took.len().saturating_sub(1)) * share / 1000).copied().unwrap_or_default();
        let both = Clock { seconds: clock.seconds + self.tokenise.seconds, records: clock.records };
        put(report, "tokenise_records_per_cpu_second", self.tokenise.rate().round());
        put(report, "link_records_per_cpu_second", clock.rate().round());
        put(report, "both_records_per_cpu_second", both.rate().round());
        put(report, "p50_ms", rounded(at(500)));
        put(report, "p99_ms", rounded(at(990)));
        put(report, "max_ms", rounded(at(1000)));
        Ok(())
    }
}

fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 1e3).round() / 1e3
}

/// Rows of a register, in parts: nothing moves as they grow, which would show in what is measured.
#[derive(Default)]
struct Stored {
    parts: Vec<StoredPart>,
}

/// Some rows, end to end.
struct StoredPart {
    bytes: Vec<u8>,
    rows: Vec<(RowKind, u32, u32)>,
}

impl Stored {
    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.capacity() + size_of_val(part.rows.as_slice())).sum()
    }
}

impl StoredPart {
    fn of(rows: &[RowChange]) -> Self {
        // Nothing leaves a register that only fills but edges that a crowded key supported; those stay as they were.
        let kept = || rows.iter().filter_map(|row| Some((row.kind, &row.id, row.value.as_ref()?)));
        let mut bytes = Vec::with_capacity(kept().map(|(_, id, value)| id.len() + value.len()).sum());
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a row is small");
        let mut lengths = Vec::with_capacity(rows.len());
        for (kind, id, value) in kept() {
            lengths.push((kind, length(id), length(value)));
            bytes.extend_from_slice(id);
            bytes.extend_from_slice(value);
        }
        Self { bytes, rows: lengths }
    }
}

/// A register from its rows.
fn restore(model: &Arc<LinkageModel>, stored: &Stored, resident: usize, report: &mut serde_json::Value) -> Linker {
    let mut linker = Linker::new(Arc::clone(model));
    let (started, before) = (Instant::now(), cpu_seconds().unwrap_or_default());
    for part in &stored.parts {
        let mut rest = part.bytes.as_slice();
        for (kind, id, value) in &part.rows {
            let (row, after) = rest.split_at((id + value) as usize);
            rest = after;
            let (id, value) = row.split_at(*id as usize);
            linker.restore(*kind, id, value).expect("the register's own rows");
        }
    }
    linker.settle_restored().expect("the register's own rows");
    if resident > 0 {
        let seconds = cpu_seconds().unwrap_or_default() - before;
        put(report, "restore_records_per_cpu_second", Clock { seconds, records: resident }.rate().round());
        let wall = Clock { seconds: started.elapsed().as_secs_f64(), records: resident };
        put(report, "restore_records_per_second", wall.rate().round());
    }
    linker
}

/// How many true persons the most mixed cluster holds.
fn most_people(linker: &Linker, truth: &[(RecordId, String)]) -> usize {
    let who: BTreeMap<RecordId, &str> = truth.iter().map(|(record, person)| (*record, person.as_str())).collect();
    let people = |members: &[RecordId]| {
        let mut people: Vec<&str> = members.iter().filter_map(|member| who.get(member).copied()).collect();
        people.sort_unstable();
        people.dedup();
        people.len()
    };
    linker.clusters().map(|(_, members)| people(members)).max().unwrap_or(0)
}

fn put(report: &mut serde_json::Value, name: &str, value: impl serde::Serialize) {
    let value = serde_json::to_value(value).expect("a number serialises");
    report.as_object_mut().expect("it is an object").insert(name.to_owned(), value);
}

fn print(report: &serde_json::Value, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    match format {
        Format::Json => writeln!(out, "{report}")?,
        Format::Human => {
            for (name, value) in report.as_object().into_iter().flatten() {
                writeln!(out, "{:<32} {value}", name.replace('_', " "))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_register_is_filled_restored_and_grown() {
        let args = LinkBenchArgs {
            records: 200,
            resident: 800,
            seed: 5,
            columns: None,
            truth: None,
            file: None,
            format: Format::Json,
        };
        let mut out = Vec::new();
        run(&args, &mut out).expect("it runs");
        let report: serde_json::Value = serde_json::from_slice(&out).expect("one JSON object");
        for rate in ["link_records_per_cpu_second", "restore_records_per_second", "p99_ms", "largest_person"] {
            assert!(report[rate].as_f64().is_some_and(|rate| rate > 0.0), "{rate}");
        }
    }
}
