//! `priorityd link`: a table in, clusters out, by the same linker as the daemon's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use zeroize::Zeroizing;

use super::format::Format;
use super::measure::{cpu_seconds, peak_rss_mb};
use super::tables::{BlindRow, Columns, TableError};
use crate::config::files::{LARGEST_FILE, Unreadable, read_text};
use crate::keys::linkage::LinkageKey;
use crate::link::{LinkageModel, Linker};
use crate::model::frequencies::Frequencies;
use crate::model::ids::{PartyId, RecordId};
use crate::pseudonymise::Pseudonymiser;

/// Links the rows of one table, or of several, and writes who is who.
#[derive(Args, Debug)]
pub(super) struct LinkArgs {
    /// TOML map of columns: which column holds which part of an identity.
    #[arg(long, value_name = "MAP.toml")]
    columns: PathBuf,
    /// Column that says who each row is; only to measure, never to link.
    #[arg(long, value_name = "COLUMN")]
    truth: Option<String>,
    /// Linkage key: a file of 64 hexadecimal digits. Tokens never leave this command, so a fixed key serves without.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Linkage model in place of the compiled-in one.
    #[arg(long, value_name = "MODEL.toml")]
    model: Option<PathBuf>,
    /// Take the model as it is, as the daemon does, in place of fitting prior and frequencies to the tables.
    #[arg(long)]
    frozen: bool,
    /// Where to write clusters, as CSV: file, row, cluster.
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    /// Precision and recall of pairs by threshold as well.
    #[arg(long, requires = "truth")]
    curve: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Tables with a header line.
    #[arg(required = true, value_name = "FILE.csv")]
    files: Vec<PathBuf>,
}

/// Why nothing was linked. Names files, columns and lines, never values.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A file cannot be read or written.
    #[error("{0}: it cannot be read or written ({1}); check the path, who owns it and the room left")]
    File(PathBuf, io::ErrorKind),
    /// A file cannot be read as a whole.
    #[error("{0}: {1}; check the path and who owns it")]
    Unread(PathBuf, Unreadable),
    /// A table or map is not usable.
    #[error("{0}: {1}")]
    Table(PathBuf, TableError),
    /// The model is not usable.
    #[error("{0}: {1}")]
    Model(PathBuf, crate::link::ModelError),
    /// The key is not usable.
    #[error("{0}: it is no linkage key; write 64 hexadecimal digits")]
    Key(PathBuf),
}

impl LinkError {
    /// The exit code of the family `sysexits`.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::File(..) | Self::Unread(..) | Self::Key(_) | Self::Model(..) => ExitCode::from(78),
            Self::Table(..) => ExitCode::from(65),
        }
    }
}

/// One row, blind but for where it stands.
struct Row {
    file: usize,
    id: String,
    truth: Option<String>,
    record: RecordId,
}

/// Runs the command.
pub(super) fn run(args: LinkArgs) -> Result<ExitCode, LinkError> {
    let started = Instant::now();
    let map = read(&args.columns)?;
    let map = Columns::parse(&map).map_err(|error| LinkError::Table(args.columns.clone(), error))?;
    let model = match &args.model {
        Some(path) => LinkageModel::parse(&read(path)?).map_err(|error| LinkError::Model(path.clone(), error))?,
        None => LinkageModel::compiled_in(),
    };
    let hash = Pseudonymiser::new(&linkage_key(args.key.as_deref())?);
    let (rows, linker) = link(&args, &map, model, &hash)?;

    let clusters = number_clusters(&rows, &linker);
    if let Some(path) = &args.out {
        write_clusters(path, &args.files, &rows, &clusters)?;
    }
    let truth: Option<Vec<&str>> = rows.iter().map(|row| row.truth.as_deref()).collect();
    let quality = truth.as_ref().map(|truth| Quality::of_partition(truth, &clusters));
    let mut report = serde_json::json!({
        "records": rows.len(),
        "clusters": clusters.iter().max().map_or(0, |last| last + 1),
        "pairs": pairs_within(clusters.iter()),
        "largest_cluster": sizes(clusters.iter()).into_values().max().unwrap_or(0),
        "seconds": started.elapsed().as_secs_f64(),
        "cpu_seconds": cpu_seconds(),
        "peak_rss_mb": peak_rss_mb(),
        "register_bytes_per_record": linker.bytes() / rows.len().max(1),
        "model": linker.model().version(),
        "prior_bits": linker.model().prior_bits().to_f64(),
    });
    if let (Some(quality), Some(fields)) = (quality, report.as_object_mut()) {
        fields.insert("precision".into(), quality.precision().into());
        fields.insert("recall".into(), quality.recall().into());
        fields.insert("f1".into(), quality.f1().into());
    }
    if let (true, Some(truth), Some(fields)) = (args.curve, &truth, report.as_object_mut()) {
        fields.insert("curve".into(), curve(&rows, truth, &linker).into());
    }
    let mut out = io::stdout().lock();
    let printed = match args.format {
        Format::Json => writeln!(out, "{report}"),
        Format::Human => human(&mut out, &report),
    };
    printed.map_err(|error| LinkError::File("standard output".into(), error.kind()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn read(path: &Path) -> Result<String, LinkError> {
    read_text(path, LARGEST_FILE).map_err(|why| LinkError::Unread(path.to_owned(), why))
}

pub(super) fn linkage_key(path: Option<&Path>) -> Result<LinkageKey, LinkError> {
    let mut secret = Zeroizing::new(*b"a fixed key: tokens do not leave");
    if let Some(path) = path {
        let text = Zeroizing::new(read(path)?);
        let digits = text.trim().as_bytes();
        let bad = || LinkError::Key(path.to_owned());
        if digits.len() != 64 {
            return Err(bad());
        }
        for (byte, pair) in secret.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
    }
    let scope = "link".parse().expect("a valid scope");
    Ok(LinkageKey::new(scope, 1, secret))
}

/// Reads, pseudonymises and links. Clear text is gone when this returns.
fn link(
    args: &LinkArgs,
    map: &Columns,
    model: LinkageModel,
    hash: &Pseudonymiser,
) -> Result<(Vec<Row>, Linker), LinkError> {
    let mut rows = Vec::new();
    let mut people: Vec<Vec<BlindRow>> = Vec::new();
    for (file, path) in args.files.iter().enumerate() {
        let table = fs::File::open(path).map_err(|error| LinkError::File(path.clone(), error.kind()))?;
        let table = map
            .read(args.truth.as_deref(), io::BufReader::with_capacity(1 << 16, table))
            .map_err(|error| LinkError::Table(path.clone(), error))?;
        // Each file is an agency.
        let agency: PartyId = format!("file{file}").parse().expect("a valid name");
        for mut part in table.blind(hash, &agency, 0) {
            // Tokens are much, and stay where they are.
            rows.extend(part.iter_mut().map(|row| {
                let (id, truth) = (std::mem::take(&mut row.id), row.truth.take());
                Row { file, id, truth, record: row.record }
            }));
            people.push(part);
        }
    }
    // The file at hand is an epoch of its own: its frequencies are frozen before the first comparison.
    let frequencies = if args.frozen {
        hash.public_frequencies()
    } else {
        Frequencies::counted(people.iter().flatten().map(|row| &row.tokens))
    };
    let mut linker = Linker::ephemeral(Arc::new(model.with_frequencies(frequencies)));
    for row in people.into_iter().flatten() {
        linker.insert(row.record, row.agency, row.local_ref, &row.tokens);
    }
    if !args.frozen {
        linker.calibrate();
    }
    linker.settle();
    Ok((rows, linker))
}

/// The cluster of each row, numbered from 0 in order of first row.
fn number_clusters(rows: &[Row], linker: &Linker) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    let number = |row: &Row| {
        let next = numbers.len();
        *numbers.entry(linker.cluster_of(row.record)).or_insert(next)
    };
    rows.iter().map(number).collect()
}

fn write_clusters(path: &Path, files: &[PathBuf], rows: &[Row], clusters: &[usize]) -> Result<(), LinkError> {
    let failed = |error: csv::Error| {
        let kind = if let csv::ErrorKind::Io(error) = error.kind() { error.kind() } else { io::ErrorKind::Other };
        LinkError::File(path.to_owned(), kind)
    };
    let mut out = csv::Writer::from_path(path).map_err(failed)?;
    out.write_record(["file", "row", "cluster"]).map_err(failed)?;
    for (row, cluster) in rows.iter().zip(clusters) {
        let file = files[row.file].to_string_lossy();
        out.write_record([file.as_ref(), &row.id, &cluster.to_string()]).map_err(failed)?;
    }
    out.flush().map_err(|error| LinkError::File(path.to_owned(), error.kind()))
}

/// Pairs found and true, counted over pairs that clusters imply.
#[derive(Debug, Clone, Copy)]
struct Quality {
    found: u64,
    truly: u64,
    both: u64,
}

impl Quality {
    fn of_partition(truth: &[&str], clusters: &[usize]) -> Self {
        let both = clusters.iter().zip(truth);
        Self { found: pairs_within(clusters.iter()), truly: pairs_within(truth.iter()), both: pairs_within(both) }
    }

    fn precision(self) -> f64 {
        ratio(self.both, self.found)
    }

    fn recall(self) -> f64 {
        ratio(self.both, self.truly)
    }

    fn f1(self) -> f64 {
        ratio(2 * self.both, self.found + self.truly)
    }
}

#[allow(clippy::cast_precision_loss)]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn sizes<T: Ord>(groups: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    let mut sizes = BTreeMap::new();
    for group in groups {
        *sizes.entry(group).or_insert(0) += 1;
    }
    sizes
}

fn pairs_within<T: Ord>(groups: impl Iterator<Item = T>) -> u64 {
    sizes(groups).into_values().map(|size| size * (size - 1) / 2).sum()
}

/// Precision and recall of single pairs, before clustering, at each whole bit.
fn curve(rows: &[Row], truth: &[&str], linker: &Linker) -> Vec<serde_json::Value> {
    let who: BTreeMap<RecordId, &str> = rows.iter().zip(truth).map(|(row, truth)| (row.record, *truth)).collect();
    let truly = pairs_within(truth.iter());
    let mut scored: Vec<(f64, bool)> =
        linker.scored_pairs().map(|(a, b, weight)| (weight.to_f64(), who[&a] == who[&b])).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let bars = (-10..=40).map(f64::from);
    let point = |bar: f64| {
        let found = scored.partition_point(|(weight, _)| *weight >= bar);
        let both = scored[..found].iter().filter(|(_, same)| *same).count();
        let quality = Quality { found: found as u64, truly, both: both as u64 };
        serde_json::json!({"bits": bar, "precision": quality.precision(), "recall": quality.recall(), "f1": quality.f1()})
    };
    bars.map(point).collect()
}

fn human(out: &mut impl Write, report: &serde_json::Value) -> io::Result<()> {
    for (name, value) in report.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::Array(points) => {
                writeln!(out, "bits  precision  recall  f1")?;
                for point in points {
                    let number = |name: &str| point[name].as_f64().unwrap_or_default();
                    let (precision, recall, f1) = (number("precision"), number("recall"), number("f1"));
                    writeln!(out, "{:>4}  {precision:>9.4}  {recall:>6.4}  {f1:.4}", number("bits"))?;
                }
            }
            value => writeln!(out, "{name:<16} {value}")?,
        }
    }
    Ok(())
}
