//! `priorityd simulate`: the synthetic city's feeds as files, with the truth beside them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::failure::Failure;
use crate::model::ids::PartyId;
use crate::simulate::{City, Place, Row, WireName};

/// Write the synthetic city's feeds as files, with the truth beside them.
#[derive(Debug, clap::Args)]
pub(super) struct SimulateArgs {
    /// Directory for `feeds/<party>.ndjson`, `truth.csv`, and `people.csv` with its map of columns for `link`; made if it
    /// is not there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// As many incidents a year as this place has published, and figures like its: portsmouth or stockton.
    #[arg(long, value_name = "PLACE", value_parser = place, conflicts_with_all = ["months", "people"])]
    pub city: Option<Place>,
    /// How many years it plays, with --city, up to the end of 2025.
    #[arg(long, default_value_t = 1, requires = "city", value_parser = clap::value_parser!(u32).range(1..=20))]
    pub years: u32,
    /// How many months it plays, up to the end of 2025.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub months: u32,
    /// How many people agencies may come to know.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000_000))]
    pub people: u32,
    /// Further people whose every particular is a distinctive made-up string.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=40_000))]
    pub canaries: u32,
    /// Malformed and invalid lines for each good one, 0 to 1.
    #[arg(long, default_value_t = 0.005, value_parser = share)]
    pub bad_share: f64,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Simulated {
    /// Lines by party.
    pub events: BTreeMap<PartyId, u64>,
    /// Linkage rows.
    pub rows: u64,
    /// People, canaries included.
    pub people: u64,
}

impl Simulated {
    /// Says what was written.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub(super) fn print(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let events: u64 = self.events.values().sum();
        writeln!(
            out,
            "{events} events of {} feeds, {} linkage rows, {} people",
            self.events.len(),
            self.rows,
            self.people
        )?;
        Ok(())
    }
}

/// Writes everything.
///
/// # Errors
///
/// When a file cannot be made or written.
pub(super) fn run(args: &SimulateArgs) -> io::Result<Simulated> {
    let city = match args.city {
        Some(place) => City::like(place, args.seed, args.years),
        None => City::new(args.seed, args.people, args.months),
    };
    let city = City { canaries: args.canaries, bad_share: args.bad_share, ..city };
    let stage = city.stage();
    let truth = stage.truth();
    let mut written = Simulated { people: truth.households.len() as u64, ..Simulated::default() };
    let feeds = args.out.join("feeds");
    fs::create_dir_all(&feeds)?;
    let mut files: BTreeMap<PartyId, BufWriter<File>> = BTreeMap::new();
    let mut truths = csv::Writer::from_path(args.out.join("truth.csv"))?;
    truths.write_record(["source", "id", "nature", "index", "person", "household"])?;
    for line in stage.lines() {
        if !files.contains_key(&line.party) {
            let file = File::create(feeds.join(format!("{}.ndjson", line.party)))?;
            files.insert(line.party.clone(), BufWriter::new(file));
        }
        if let Some(file) = files.get_mut(&line.party) {
            writeln!(file, "{}", line.json)?;
        }
        *written.events.entry(line.party).or_default() += 1;
        let (source, nature) = (line.truth.source(), line.truth.nature.as_str());
        if line.truth.persons.is_empty() {
            truths.write_record([&source, &line.truth.id, nature, "", "", ""])?;
        }
        for (index, person) in line.truth.persons.iter().enumerate() {
            let household = truth.households[*person as usize].to_string();
            let (index, person) = (index.to_string(), person.to_string());
            truths.write_record([&source, &line.truth.id, nature, &index, &person, &household])?;
        }
    }
    truths.flush()?;
    files.values_mut().try_for_each(Write::flush)?;
    written.rows = write_rows(stage.rows(), File::create(args.out.join("people.csv"))?)?;
    fs::write(args.out.join("people.toml"), COLUMN_MAP)?;
    if args.canaries > 0 {
        let mut canaries = csv::Writer::from_path(args.out.join("canaries.csv"))?;
        canaries.write_record(["person", "kind", "text"])?;
        for canary in stage.canaries() {
            canaries.write_record([&canary.person.to_string(), canary.kind.as_str(), &canary.text])?;
        }
        canaries.flush()?;
    }
    Ok(written)
}

/// Which column of the rows holds what, for `priorityd link --columns`.
pub(super) const COLUMN_MAP: &str = r#"row_id = "row_id"
given_names = "given_names"
family_name = "family_name"
former_family_name = "former_family_name"
alias_given_name = "alias_given_name"
date_of_birth = "date_of_birth"
sex = "sex"
postcode = "postcode"
address = "address"
uprn = "uprn"

[identifiers]
pnc_id = "pnc_id"
cro_number = "cro_number"
nhs_number = "nhs_number"
crn = "crn"
noms_number = "noms_number"
"#;

/// The column of the rows that says who somebody truly is.
pub(super) const TRUTH_COLUMN: &str = "true_person";

/// Writes linkage rows as CSV and counts them.
pub(super) fn write_rows(rows: impl Iterator<Item = Row>, out: impl Write) -> io::Result<u64> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    let mut written = 0;
    for row in rows {
        table.write_record(fields(&row))?;
        written += 1;
    }
    table.flush()?;
    Ok(written)
}

const COLUMNS: [&str; 20] = [
    "row_id",
    "agency",
    "given_names",
    "family_name",
    "former_family_name",
    "alias_given_name",
    "date_of_birth",
    "sex",
    "postcode",
    "address",
    "uprn",
    "pnc_id",
    "cro_number",
    "nhs_number",
    "crn",
    "noms_number",
    TRUTH_COLUMN,
    "true_household",
    "custom",
    "true_role",
];

fn fields(row: &Row) -> [String; 20] {
    let identity = &row.identity;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    [
        row.id.clone(),
        row.agency.to_owned(),
        identity.name.given_names.join(" "),
        text(&identity.name.family_name),
        first(&identity.former_names, |name| name.family_name.clone()),
        first(&identity.aliases, |name| Some(name.given_names.join(" "))),
        identity.date_of_birth.map(|born| born.to_string()).unwrap_or_default(),
        identity.sex.unwrap_or_default().to_owned(),
        text(&identity.postcode),
        text(&identity.address),
        text(&identity.uprn),
        text(&identity.pnc_id),
        text(&identity.cro_number),
        text(&identity.nhs_number),
        text(&identity.crn),
        text(&identity.noms_number),
        row.person.to_string(),
        row.household.to_string(),
        row.custom.as_str().to_owned(),
        row.part.to_owned(),
    ]
}

/// A part of the first of several names; the simulator makes no more than one of a kind.
fn first(names: &[WireName], part: impl Fn(&WireName) -> Option<String>) -> String {
    names.first().and_then(part).unwrap_or_default()
}

/// A place by its name.
pub(super) fn place(text: &str) -> Result<Place, String> {
    let place = Place::CALIBRATED.into_iter().find(|place| place.as_str() == text);
    place.ok_or_else(|| "a place is portsmouth or stockton".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_and_counted() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let args = SimulateArgs {
            out: dir.path().join("city"),
            seed: 3,
            city: None,
            years: 1,
            months: 2,
            people: 200,
            canaries: 3,
            bad_share: 0.01,
        };
        let written = run(&args).expect("a writable directory");
        let police = fs::read_to_string(args.out.join("feeds/police.ndjson")).expect("the feed");
        assert_eq!(police.lines().count() as u64, written.events["police"]);
        let people = fs::read_to_string(args.out.join("people.csv")).expect("the rows");
        assert_eq!(people.lines().count() as u64, written.rows + 1);
        assert!(args.out.join("canaries.csv").exists());
    }
}
