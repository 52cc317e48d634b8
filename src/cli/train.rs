//! `priorityd train`: a linkage model from records, as a file that says where it comes from. Tokens only: rows of a table
//! are made blind before they are looked at, and a register holds nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::civil::Date;
use rustc_hash::FxHashMap;

use super::deployment::Deployment;
use super::failure::{Failure, Kind};
use super::link::{LinkError, linkage_key, read};
use super::simulate::{COLUMN_MAP, TRUTH_COLUMN, write_rows};
use super::tables::{BlindRow, Columns};
use crate::link::{LinkageModel, Linker, Provenance, Truth};
use crate::log::Polled;
use crate::model::ids::ScopeId;
use crate::model::register::RowKind;
use crate::pipeline::{linkage_scope, read_key};
use crate::pseudonymise::Pseudonymiser;
use crate::simulate::City;

/// How long to wait for the log to say which partitions there are.
const PATIENCE: Duration = Duration::from_secs(60);

/// Trains a linkage model on a register, on tables or on a synthetic city, and writes it as a file. Given none of them, it
/// writes the model to start from under a name of its own.
#[derive(Args, Debug)]
pub(super) struct TrainArgs {
    /// Train on the register of this deployment, which must not be running: records, and decisions as known pairs.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["simulate", "files"])]
    config: Option<PathBuf>,
    /// Of the deployment's scopes, this one [default: the agreement's first]
    #[arg(long, requires = "config")]
    scope: Option<ScopeId>,
    /// Train on a synthetic city of so many people.
    #[arg(long, value_name = "PEOPLE", conflicts_with = "files")]
    simulate: Option<u32>,
    /// Everything in that city that is left to chance.
    #[arg(long, default_value_t = 1, requires = "simulate")]
    seed: u64,
    /// TOML map of the tables' columns, as for `link`.
    #[arg(long, value_name = "MAP.toml", requires = "files")]
    columns: Option<PathBuf>,
    /// Column that says who each row is: known pairs in place of estimates.
    #[arg(long, value_name = "COLUMN", requires = "files")]
    truth: Option<String>,
    /// Model to start from in place of the published prior.
    #[arg(long, value_name = "MODEL.toml")]
    model: Option<PathBuf>,
    /// How many people agencies may come to know [default: as many as the records look drawn from]
    #[arg(long, value_name = "PEOPLE", value_parser = clap::value_parser!(u32).range(100..))]
    population: Option<u32>,
    /// What to call the model: clusters of different versions are not comparable.
    #[arg(long)]
    version: String,
    /// The day that the file names [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<Date>,
    /// Where to write the model [default: standard output]
    #[arg(long, value_name = "MODEL.toml")]
    out: Option<PathBuf>,
    /// Tables with a header line.
    #[arg(value_name = "FILE.csv", requires = "columns")]
    files: Vec<PathBuf>,
}

/// What a model is trained on, blind.
struct Material {
    linker: Linker,
    truth: Truth,
    /// Numbers of the people whom the truth column names.
    people: FxHashMap<String, u64>,
    feeds: BTreeSet<String>,
    linkage_key_epochs: Vec<String>,
    what: &'static str,
}

/// Runs the command.
pub(super) fn run(args: &TrainArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let parent = match &args.model {
        Some(path) => LinkageModel::parse(&read(path)?).map_err(|error| LinkError::Model(path.clone(), error))?,
        None => LinkageModel::published(),
    };
    let mut material = match (&args.config, args.simulate) {
        (Some(config), _) => of_register(config, args.scope.as_ref(), &parent)?,
        (None, Some(people)) => of_city(people, args.seed, &parent)?,
        (None, None) if args.files.is_empty() => Material {
            what: "nothing was trained on: the parent's rates as they are",
            ..blank(&parent, &Pseudonymiser::new(&linkage_key(None)?))
        },
        (None, None) => of_tables(args, &parent)?,
    };
    let records = material.linker.record_count();
    let trained = match records {
        0 if args.config.is_none() && args.simulate.is_none() && args.files.is_empty() => parent.clone(),
        0..100 => {
            let line = "fewer than a hundred records: too few to learn anything from";
            return Err(Failure::new(Kind::BadData, line));
        }
        _ => material.linker.train(&material.truth),
    };
    let people =
        args.population.unwrap_or_else(|| if records == 0 { parent.population() } else { population(&trained) });
    let trained = trained.with_population(people);
    let made_on = args.on.unwrap_or_else(|| jiff::Zoned::now().date());
    let provenance = Provenance {
        method: format!(
            "{}{}{}",
            material.what,
            if records > 0 { "; shrunk towards the parent's rates" } else { "" },
            if material.truth.is_empty() { "" } else { "; pairs known by the truth column count as such" }
        ),
        made_on: made_on.to_string(),
        tool: concat!("priorityd ", env!("CARGO_PKG_VERSION")).to_owned(),
        command: command(args),
        parent: parent.version().to_owned(),
        parent_sha256: parent.sha256(),
        records: records as u64,
        feeds: material.feeds.into_iter().collect(),
        linkage_key_epochs: material.linkage_key_epochs,
        frequencies:
            "public name statistics (src/normalise/names_uk.csv), hashed at start under each scope's own key; \
            those of the records are left out, since counts of rare values could tell of people"
                .to_owned(),
        weights_sha256: String::new(),
    };
    let file = trained.to_file(&args.version, &provenance).map_err(|_| {
        Failure::new(
            Kind::BadData,
            "the model to start from: it cannot be edited; write one entry a line, as the compiled-in one has",
        )
    })?;
    match &args.out {
        Some(path) => fs::write(path, file).map_err(|error| LinkError::File(path.clone(), error.kind()).into()),
        None => Ok(out.write_all(file.as_bytes())?),
    }
}

/// How many people the odds of the records speak of.
fn population(trained: &LinkageModel) -> u32 {
    // Bounded by what the prior can be; two digits are all that the estimate is worth.
    let people = (-trained.prior_bits().to_f64()).exp2().clamp(100.0, 1e9);
    let step = 10_f64.powf(people.log10().floor() - 1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let people = ((people / step).round() * step) as u32;
    people
}

/// The command line as far as it decides what comes out; paths of data are left out, for they may name a place or a person.
fn command(args: &TrainArgs) -> String {
    let mut words = vec!["priorityd train".to_owned()];
    if let Some(people) = args.simulate {
        words.push(format!("--simulate {people} --seed {}", args.seed));
    } else if args.config.is_some() {
        words.push("--config …".to_owned());
    } else if !args.files.is_empty() {
        words.push(format!(
            "--columns … {}{} tables",
            if args.truth.is_some() { "--truth … " } else { "" },
            args.files.len()
        ));
    }
    if args.model.is_some() {
        words.push("--model (parent)".to_owned());
    }
    words.extend(args.population.map(|people| format!("--population {people}")));
    words.push(format!("--version {}", args.version));
    words.extend(args.on.map(|on| format!("--on {on}")));
    words.join(" ")
}

fn of_city(people: u32, seed: u64, parent: &LinkageModel) -> Result<Material, Failure> {
    let mut table = Vec::new();
    write_rows(City::new(seed, people, 1).stage().rows(), &mut table)?;
    let columns = Columns::parse(COLUMN_MAP).expect("our own map");
    let hash = Pseudonymiser::new(&linkage_key(None)?);
    let rows = columns.read(Some(TRUTH_COLUMN), Cursor::new(table)).expect("our own table");
    let agency = "city".parse().expect("a valid name");
    let material = Material {
        feeds: BTreeSet::from(["synthetic city".to_owned()]),
        what: "expectation and maximisation over the records, and the city's truth",
        ..blank(parent, &hash)
    };
    Ok(with_rows(material, rows.blind(&hash, &agency, 0)))
}

fn of_tables(args: &TrainArgs, parent: &LinkageModel) -> Result<Material, Failure> {
    let path = args.columns.as_ref().expect("clap requires it");
    let columns = Columns::parse(&read(path)?).map_err(|error| LinkError::Table(path.clone(), error))?;
    let hash = Pseudonymiser::new(&linkage_key(None)?);
    let mut material =
        Material { what: "expectation and maximisation over the records, unsupervised", ..blank(parent, &hash) };
    for (number, path) in args.files.iter().enumerate() {
        let table = fs::File::open(path).map_err(|error| LinkError::File(path.clone(), error.kind()))?;
        let table = columns.read(args.truth.as_deref(), std::io::BufReader::new(table));
        let table = table.map_err(|error| LinkError::Table(path.clone(), error))?;
        let agency = format!("file{number}").parse().expect("a valid name");
        material.feeds.insert(format!("table {}", number + 1));
        material = with_rows(material, table.blind(&hash, &agency, 0));
    }
    Ok(material)
}

fn blank(parent: &LinkageModel, hash: &Pseudonymiser) -> Material {
    let model = parent.clone().with_frequencies(hash.public_frequencies());
    Material {
        linker: Linker::ephemeral(Arc::new(model)),
        truth: Truth::default(),
        people: FxHashMap::default(),
        feeds: BTreeSet::new(),
        linkage_key_epochs: Vec::new(),
        what: "",
    }
}

fn with_rows(mut material: Material, rows: impl Iterator<Item = Vec<BlindRow>>) -> Material {
    for row in rows.flatten() {
        if let Some(person) = row.truth {
            let next = material.people.len() as u64;
            material.truth.insert(row.record, *material.people.entry(person).or_insert(next));
        }
        material.linker.insert(row.record, row.agency, row.local_ref, &row.tokens);
    }
    material
}

/// Reads every partition's rows as the daemon does when it starts, and writes nothing.
fn of_register(config: &Path, scope: Option<&ScopeId>, parent: &LinkageModel) -> Result<Material, Failure> {
    let deployment = Deployment::load(config)?;
    let scope = scope.or_else(|| deployment.agreement.scopes.first());
    let key = scope.and_then(|scope| deployment.keys.linkage(scope));
    let (Some(scope), Some(key)) = (scope, key) else {
        return Err(Failure::new(
            Kind::Configuration,
            "--scope: there is no linkage key for it; name a scope of the ring, see `priorityd keys list`",
        ));
    };
    let mut material = Material {
        feeds: deployment.agreement.feeds.iter().map(|feed| feed.party.to_string()).collect(),
        linkage_key_epochs: vec![format!("{scope} {}", key.epoch())],
        what: "expectation and maximisation over the register, and people's decisions on pairs",
        ..blank(parent, &Pseudonymiser::new(key))
    };
    let mut log = deployment.log_to_read()?;
    let until = Instant::now() + PATIENCE;
    let partitions = loop {
        if let Polled::Gained(partitions) = log.poll(1, Duration::from_millis(200))? {
            break partitions;
        }
        if Instant::now() > until {
            return Err(Failure::new(
                Kind::Unreachable,
                "log: it gives no partition to read; start a daemon on it first",
            ));
        }
    };
    let ours = linkage_scope(scope, key.epoch());
    let mut is_bad = false;
    for partition in partitions {
        log.restore(partition, &mut |key, value| {
            let Some((kind @ (RowKind::Record | RowKind::Decision), of, id)) = read_key(key) else { return };
            is_bad |= of == ours && material.linker.take_over(kind, id, value).is_err();
        })?;
    }
    if is_bad {
        return Err(Failure::new(
            Kind::BadData,
            "the register: it holds a row that this version cannot read; use the version of the daemon",
        ));
    }
    Ok(material)
}
