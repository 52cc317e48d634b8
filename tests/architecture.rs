//! The shape of the house, enforced: who may import whom, which crates live in which room, what a file looks like.
//!
//! The tables below are the rules; `src/lib.rs` tells the reasons. The scanner reads text, not types: it sees every path
//! that is written down outside comments, strings and tests, and that is where a breach begins. The last tests plant a
//! breach of each rule, so that a rule which has gone blind fails.

#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// Rooms and what each may import of ours, besides itself. A longer path allows only what is below it.
const IMPORTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("keys", &["model"]),
    // The six stages, in order: the nouns, checked settings, and the output of the stage before.
    ("validate", &["model", "config"]),
    ("normalise", &["model", "validate::event", "validate::identity"]),
    ("pseudonymise", &["model", "keys", "normalise"]),
    ("link", &["model"]),
    ("assess", &["model", "config::rules"]),
    ("disclose", &["model", "config", "keys", "assess"]),
    // The shell.
    ("log", &["model", "config"]),
    ("audit", &["model", "config"]),
    ("ops", &["model", "config"]),
    ("report", &["model", "config"]),
    ("simulate", &["model", "config"]),
    (
        "pipeline",
        &[
            "model",
            "config",
            "keys",
            "validate",
            "normalise",
            "pseudonymise",
            "link",
            "assess",
            "disclose",
            "log",
            "audit",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "config",
            "keys",
            "validate",
            "normalise",
            "pseudonymise",
            "link",
            "assess",
            "disclose",
            "log",
            "audit",
            "ops",
            "report",
            "simulate",
            "pipeline",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Where clear identity lives (I4), and who may name it: what is exact stands alone, the rest with all below it.
const CLEAR: &[&str] =
    &["crate::validate::event", "crate::validate::identity", "crate::validate::rows", "crate::normalise"];
const MAY_NAME_CLEAR: &[&str] = &["validate", "normalise", "pseudonymise", "cli::tables"];
/// The pipeline passes clear identity on without looking at it: it may call this, and name no type.
const PASSES_CLEAR: (&str, &str) = ("pipeline", "crate::normalise::event::normalise");

/// Files of types that hold clear identity, and what they must not derive. Types listed after hold none.
const CLEAR_FILES: &[&str] =
    &["src/validate/event.rs", "src/validate/identity.rs", "src/validate/rows.rs", "src/normalise/"];
const NOT_CLEAR: &[&str] =
    &["DateOrder", "Sex", "ColumnMap", "WrittenOrder", "IdentifierColumns", "Columns", "TableError"];
const SHOWING: &[&str] = &["Debug", "Display", "Serialize", "Clone", "Copy", "Hash", "PartialEq"];

/// Rooms that decide purely: time, nonces and candidates come in as arguments, and nothing goes out but the result.
const PURE: &[&str] = &[
    "model",
    "validate",
    "normalise",
    "pseudonymise",
    "link",
    "assess",
    "disclose",
    "audit",
    "report",
    "simulate",
    "pipeline",
];

/// What reaches outside. A path is caught when it starts with one of these.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stderr",
    "std::os",
    "getrandom",
    "tokio",
    "rdkafka",
    "openssl",
    "openssl_probe",
    "rusqlite",
    "axum",
    // The order of their entries is random, which makes them a source of randomness too.
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map::HashMap",
];
/// Names that tell the time or make random numbers, in whatever path they stand.
const CLOCKS_AND_DICE: &[&str] =
    &["SystemTime", "Instant", "now", "elapsed", "SysRng", "OsRng", "ThreadRng", "rng", "thread_rng", "RandomState"];
/// All that pure rooms may take from `rand`: traits of a generator that came in as an argument.
const RAND_TRAITS: &[&str] = &["rand::CryptoRng", "rand::Rng", "rand::RngExt", "rand::TryCryptoRng"];
/// These rooms make a generator from the seed, or the generator, that they are given.
const SEEDED: (&[&str], &[&str]) = (&["simulate", "pipeline"], &["rand::SeedableRng", "rand::seq", "rand_chacha"]);

/// Crates that live in one place, and where. Whoever needs them elsewhere needs that room's help.
const HOMES: &[(&str, &[&str])] = &[
    ("rdkafka", &["log::kafka"]),
    ("kafka_protocol", &["log::kafka"]),
    ("openssl", &["keys", "log::kafka"]),
    ("openssl_probe", &["log::kafka"]),
    ("rusqlite", &["log::embedded"]),
    ("twox_hash", &["log::embedded"]),
    ("tokio", &["ops", "cli"]),
    ("axum", &["ops"]),
    ("prometheus_client", &["ops"]),
    ("tracing_subscriber", &["ops"]),
    // Traces leave through one file, which takes off what may not.
    ("opentelemetry", &["ops::traces"]),
    ("opentelemetry_sdk", &["ops::traces"]),
    ("opentelemetry_otlp", &["ops::traces"]),
    ("opentelemetry_http", &["ops::traces"]),
    ("tracing_opentelemetry", &["ops::traces"]),
    ("hyper_util", &["ops::traces"]),
    ("async_trait", &["ops::traces"]),
    ("config", &["config"]),
    ("cedar_policy", &["config"]),
    ("miette", &["config"]),
    ("toml", &["config", "link", "validate::rows", "cli"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("indicatif", &["cli"]),
    ("csv", &["cli", "simulate::calibration", "validate::rows", "report"]),
    ("jsonschema", &["validate"]),
    ("deunicode", &["normalise"]),
    ("unicode_normalization", &["normalise"]),
    ("rphonetic", &["normalise"]),
    ("p256", &["keys", "disclose"]),
    ("aes_gcm", &["keys", "disclose"]),
    ("aes_kw", &["keys", "disclose"]),
    ("ct_merkle", &["audit"]),
    ("hkdf", &["keys"]),
    ("hmac", &["keys"]),
    ("tikv_jemallocator", &["main"]),
    ("microlp", &["report"]),
    ("maud", &["ops"]),
    ("subtle", &["ops"]),
    ("procfs", &["cli", "ops"]),
    ("plotters", &["report"]),
    ("rayon", &["model::arriving", "disclose", "link", "pipeline", "cli::tables", "cli::batch", "cli::bench"]),
    ("rand_chacha", &["log::memory", "simulate", "pipeline", "cli"]),
];

/// Names of the terminal and the process: the command line's own.
const TERMINAL: &[&str] = &["std::io::stdout", "std::io::stdin", "std::env"];

/// What a room may compile in, besides files of its own folder.
const COMPILED_IN: &[(&str, &str)] =
    &[("validate", "schemas/"), ("config", "schemas/"), ("cli", "deploy/"), ("cli", "schemas/outputs/")];

/// Lines of one file at the most, and the files that are tables.
const LONGEST: usize = 600;
const TABLES: &[&str] = &["src/simulate/name_tables.rs"];

/// Words of unfinished work, and paths of one person's machine. Spelled apart, for this file is read too.
const UNFINISHED: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!"), concat!("unimpl", "emented!")];
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("../sha", "red"),
    concat!("/tm", "p/"),
];

/// A rule broken: where, which, and what to do about it.
#[derive(Debug)]
struct Breach {
    place: String,
    rule: String,
    fix: &'static str,
}

impl fmt::Display for Breach {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}; {}", self.place, self.rule, self.fix)
    }
}

/// A file of ours and where it belongs.
struct Tenant<'a> {
    source: &'a Source,
    module: String,
    room: String,
    breaches: Vec<Breach>,
}

impl Tenant<'_> {
    fn breach(&mut self, line: usize, rule: String, fix: &'static str) {
        self.breaches.push(Breach { place: format!("{}:{line}", self.source.file), rule, fix });
    }
}

/// Is `path` the same as `above`, or below it?
fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_within_any(path: &str, above: &[&str]) -> bool {
    above.iter().any(|above| is_within(path, above))
}

/// Every breach in one file of `src/`.
fn check(source: &Source) -> Vec<Breach> {
    let module = source.file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let module = module.replace('/', "::");
    let room = module.split("::").next().unwrap_or_default().to_owned();
    let mut tenant = Tenant { source, module, room, breaches: Vec::new() };
    check_imports(&mut tenant);
    check_clear_identity(&mut tenant);
    check_purity(&mut tenant);
    check_homes(&mut tenant);
    check_inclusions(&mut tenant);
    check_form(&mut tenant);
    tenant.breaches
}

fn check_imports(tenant: &mut Tenant<'_>) {
    let Some((_, allowed)) = IMPORTS.iter().find(|(room, _)| *room == tenant.room) else {
        let rule = format!("the room `{}` has no rule", tenant.room);
        return tenant.breach(1, rule, "say in IMPORTS of tests/architecture.rs what it may import");
    };
    for used in &tenant.source.paths {
        let Some(path) = used.path.strip_prefix("crate::").or_else(|| used.path.strip_prefix("priorityd::")) else {
            continue;
        };
        let is_room = path.split("::").next().is_some_and(|first| IMPORTS.iter().any(|(room, _)| *room == first));
        if is_room && !is_within(path, &tenant.room) && !is_within_any(path, allowed) {
            let rule = format!("`{}` may not import `{path}`", tenant.room);
            tenant.breach(used.line, rule, "take it as an argument, or move the type down to model");
        }
        if path == "*" {
            tenant.breach(used.line, "`crate::*` hides what is imported".to_owned(), "name it");
        }
    }
}

fn check_clear_identity(tenant: &mut Tenant<'_>) {
    for used in &tenant.source.paths {
        let passes = (tenant.room.as_str(), used.path.as_str()) == PASSES_CLEAR;
        if is_within_any(&used.path, CLEAR) && !is_within_any(&tenant.module, MAY_NAME_CLEAR) && !passes {
            let rule = format!("`{}` holds clear identity, which `{}` may not name (I4)", used.path, tenant.module);
            tenant.breach(used.line, rule, "work on tokens");
        }
    }
    if !CLEAR_FILES.iter().any(|start| tenant.source.file.starts_with(start)) {
        return;
    }
    for derive in &tenant.source.derives {
        let shown: Vec<_> = SHOWING.iter().copied().filter(|name| derive.traits.contains(*name)).collect();
        if !shown.is_empty() && !NOT_CLEAR.contains(&derive.type_name.as_str()) {
            let rule = format!("`{}` holds clear identity and derives {} (I4)", derive.type_name, shown.join(", "));
            tenant.breach(derive.line, rule, "leave it out; if it holds none, list it in NOT_CLEAR");
        }
    }
}

fn check_purity(tenant: &mut Tenant<'_>) {
    if !PURE.contains(&tenant.room.as_str()) {
        return;
    }
    for used in &tenant.source.paths {
        let path = used.path.as_str();
        let is_seeded = SEEDED.0.contains(&tenant.room.as_str()) && is_within_any(path, SEEDED.1);
        let is_dice = is_within_any(path, &["rand", "rand_chacha"]) && !RAND_TRAITS.contains(&path);
        let is_outside = is_within_any(path, OUTSIDE) || path.split("::").any(|name| CLOCKS_AND_DICE.contains(&name));
        if (is_dice || is_outside) && !is_seeded && !path.starts_with("crate::") {
            let rule = format!("`{path}` reaches outside, and `{}` decides purely", tenant.room);
            tenant.breach(used.line, rule, "take the time, the generator or the bytes as an argument");
        }
    }
}

fn check_homes(tenant: &mut Tenant<'_>) {
    let is_terminal = ["cli", "main"].contains(&tenant.room.as_str());
    let is_pure = PURE.contains(&tenant.room.as_str());
    for used in &tenant.source.paths {
        let first = used.path.split("::").next().unwrap_or_default();
        let home = HOMES.iter().find(|(name, _)| *name == first);
        if let Some((_, rooms)) = home.filter(|(_, rooms)| !is_within_any(&tenant.module, rooms)) {
            let rule = format!("the crate `{first}` lives in `{}`", rooms.join("`, `"));
            tenant.breach(used.line, rule, "ask that room for what you need, or give the crate a second home in HOMES");
        }
        if is_within_any(&used.path, TERMINAL) && !is_terminal && !is_pure {
            let rule = format!("`{}` is the command line's", used.path);
            tenant.breach(used.line, rule, "return what is to be printed; take settings from config");
        }
    }
}

fn check_inclusions(tenant: &mut Tenant<'_>) {
    for inclusion in &tenant.source.inclusions {
        let folder = Path::new(&tenant.source.file).parent().unwrap_or(Path::new(""));
        let mut target = PathBuf::new();
        for part in folder.join(&inclusion.target).components() {
            match part {
                std::path::Component::ParentDir => drop(target.pop()),
                other => target.push(other),
            }
        }
        let own = format!("src/{}/", tenant.room);
        let granted = COMPILED_IN.iter().filter(|(room, _)| *room == tenant.room).map(|(_, folder)| *folder);
        if inclusion.macro_name == "include" || !granted.chain([own.as_str()]).any(|folder| target.starts_with(folder))
        {
            let rule = format!("`{}!` of `{}` crosses rooms", inclusion.macro_name, target.display());
            tenant.breach(inclusion.line, rule, "compile in only files of the room's own folder, or see COMPILED_IN");
        }
    }
}

fn check_form(tenant: &mut Tenant<'_>) {
    let text = &tenant.source.text;
    if !text.starts_with("//! ") {
        tenant.breach(1, "the file does not open with `//!`".to_owned(), "say what it owns");
    }
    let lines = text.lines().count();
    if lines > LONGEST && !TABLES.contains(&tenant.source.file.as_str()) {
        tenant.breach(lines, format!("{lines} lines, and {LONGEST} are the most"), "find the second subject in it");
    }
    tenant.breaches.extend(forbidden_words(&tenant.source.file, text));
}

/// Unfinished work and paths of one machine, in any file of the repository.
fn forbidden_words(file: &str, text: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut add = |word: &str, fix| {
            let place = format!("{file}:{}", number + 1);
            breaches.push(Breach { place, rule: format!("`{word}` does not belong here"), fix });
        };
        UNFINISHED.iter().filter(|word| line.contains(*word)).for_each(|word| add(word, "finish it or leave it out"));
        MACHINE_PATHS.iter().filter(|path| line.contains(*path)).for_each(|path| add(path, "use a relative path"));
    }
    breaches
}

/// Dependencies of Cargo.toml that no file names.
fn unused_dependencies(manifest: &str, sources: &[Source]) -> Vec<String> {
    let named: BTreeSet<&str> =
        sources.iter().flat_map(|source| &source.paths).filter_map(|used| used.path.split("::").next()).collect();
    let section = manifest.split("\n[dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next());
    let names = section.unwrap_or_default().lines().filter_map(|line| line.split_once(" =")).map(|(name, _)| name);
    let names = names.filter(|name| !name.starts_with('#'));
    names.filter(|name| !named.contains(name.replace('-', "_").as_str())).map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder that have one of these endings, as text, by their name from the repository's root.
fn read(folder: &str, endings: &[&str]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the repository has the folder") {
            let path = entry.expect("it can be listed").path();
            let name = path.strip_prefix(root()).expect("it is below the root").to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                files.insert(name, fs::read_to_string(&path).expect("it is text"));
            }
        }
    }
    files
}

fn sources() -> Vec<Source> {
    let mut sources: Vec<_> = read("src", &[".rs"]).iter().map(|(file, text)| Source::read(file, text)).collect();
    let tests: BTreeSet<_> = sources
        .iter()
        .flat_map(|source| {
            let folder = source.file.trim_end_matches(".rs").trim_end_matches("/mod").to_owned();
            source.test_modules.iter().map(move |name| format!("{folder}/{name}.rs"))
        })
        .collect();
    // Files that only tests are built from may import what they like; they keep the form.
    for source in sources.iter_mut().filter(|source| tests.contains(&source.file)) {
        source.paths.clear();
        source.derives.clear();
        source.inclusions.clear();
    }
    sources
}

fn report(breaches: &[Breach]) -> String {
    breaches.iter().map(|breach| format!("\n  {breach}")).collect()
}

#[test]
fn every_room_keeps_its_rules() {
    let breaches: Vec<_> = sources().iter().flat_map(check).collect();
    assert!(breaches.is_empty(), "{} breaches:{}", breaches.len(), report(&breaches));
}

#[test]
fn no_unfinished_work_and_no_machine_paths_elsewhere() {
    let mut files = read("tests", &[".rs", ".py", ".mjs", ".sh", "/run", "/setup", ".xml"]);
    files.extend(read("deploy", &[".toml", ".yaml", ".yml", "Dockerfile"]));
    files.extend(read("schemas", &[".json"]));
    for file in ["README.md", "Cargo.toml", "clippy.toml", "deny.toml", ".ci/run"] {
        files.insert(file.to_owned(), fs::read_to_string(root().join(file)).expect("the repository has it"));
    }
    let breaches: Vec<_> = files.iter().flat_map(|(file, text)| forbidden_words(file, text)).collect();
    assert!(breaches.is_empty(), "{} breaches:{}", breaches.len(), report(&breaches));
}

#[test]
fn every_dependency_is_named_by_some_file() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("there is a manifest");
    assert_eq!(unused_dependencies(&manifest, &sources()), Vec::<String>::new(), "take them out of Cargo.toml");
}

#[test]
fn every_room_of_the_tree_is_in_the_birds_eye_view() {
    let view = fs::read_to_string(root().join("src/lib.rs")).expect("there is a library");
    let rooms: BTreeSet<_> = sources()
        .iter()
        .filter_map(|source| source.file.strip_prefix("src/")?.split(['/', '.']).next().map(str::to_owned))
        .collect();
    for room in rooms.iter().filter(|room| !["lib", "main"].contains(&room.as_str())) {
        assert!(view.contains(&format!("| [`{room}`]")), "src/lib.rs does not say what `{room}` is for");
    }
}

/// The scanner sees the tree: without this, a rule over nothing would pass.
#[test]
fn the_tree_is_read() {
    let sources = sources();
    assert!(sources.len() > 100, "{} files", sources.len());
    let names = |file: &str, path: &str| {
        let source = sources.iter().find(|source| source.file == file).expect("the tree has it");
        source.paths.iter().any(|used| used.path == path)
    };
    assert!(names("src/normalise/mod.rs", "crate::validate::identity::ClearIdentity"), "a `use` with branches");
    assert!(names("src/pipeline/mod.rs", "rand::CryptoRng"), "a foreign crate");
    assert!(names("src/main.rs", "priorityd::cli::run"), "an expression");
    assert!(
        sources.iter().any(|source| source.derives.iter().any(|derive| derive.type_name == "ClearIdentity")),
        "derives"
    );
    assert!(sources.iter().map(|source| source.inclusions.len()).sum::<usize>() > 4, "inclusions");
}

/// Plants `text` as a file and expects exactly these breaches: line, and words of the rule.
#[track_caller]
fn expect(file: &str, text: &str, expected: &[(usize, &str)]) {
    let text = if text.starts_with("//!") { text.to_owned() } else { format!("//! Planted.\n{text}") };
    let breaches = check(&Source::read(file, &text));
    let told = report(&breaches);
    assert_eq!(breaches.len(), expected.len(), "{told}");
    for (breach, (line, words)) in breaches.iter().zip(expected) {
        assert_eq!(breach.place, format!("{file}:{line}"), "{told}");
        assert!(breach.rule.contains(words), "{words:?} is not in {told}");
    }
}

#[test]
fn planted_imports_against_the_flow_are_found() {
    let not = "may not import";
    expect("src/model/x.rs", "use crate::config::settings::Settings;", &[(2, not)]);
    expect("src/link/x.rs", "use crate::model::ids::PartyId;\nuse crate::keys::KeyRing;", &[(3, not)]);
    expect("src/link/x.rs", "fn f() {\n    crate::assess::assess();\n}", &[(3, not)]);
    expect("src/link/a/b.rs", "use super::super::super::log::Log;", &[(2, not)]);
    expect("src/link/mod.rs", "mod inner {\n    use super::super::audit::Chain;\n}", &[(3, not)]);
    expect("src/assess/x.rs", "use crate::config::rules::Rules;\nuse crate::config::settings::Settings;", &[(3, not)]);
    expect("src/assess/x.rs", "use crate::{\n    model::ids::{self, PartyId},\n    disclose as d,\n};", &[(4, not)]);
    expect("src/audit/x.rs", "macro_rules! m { () => { $crate::link::Linker } }", &[(2, not)]);
    expect("src/simulate/x.rs", "pub use crate::pipeline::Engine;", &[(2, not)]);
    expect("src/pipeline.rs", "use crate::cli::Failure;", &[(2, not)]);
    expect("src/main.rs", "use priorityd::pipeline::Engine;", &[(2, not)]);
    expect("src/log/x.rs", "use crate::*;", &[(2, "hides")]);
    expect("src/elsewhere/mod.rs", "", &[(1, "has no rule")]);
}

#[test]
fn planted_clear_identity_is_found() {
    let not = "holds clear identity";
    expect(
        "src/pipeline.rs",
        "use crate::normalise::event::normalise;\nuse crate::normalise::event::Normalised;",
        &[(3, not)],
    );
    expect(
        "src/cli/x.rs",
        "use crate::validate::Validator;\nfn f(_: crate::validate::identity::ClearText) {}",
        &[(3, not)],
    );
    expect("src/cli/tables.rs", "use crate::validate::identity::ClearText;", &[]);
    let derived = "#[derive(Default, Debug)]\npub struct ClearX;\n#[derive(Clone, Copy)]\npub enum DateOrder {}";
    expect("src/validate/identity.rs", derived, &[(3, "derives Debug")]);
    expect("src/normalise/x.rs", derived, &[(3, "derives Debug")]);
    expect("src/validate/problem.rs", derived, &[]);
}

#[test]
fn planted_reaches_outside_are_found() {
    let outside = "reaches outside";
    for line in [
        "use std::fs;",
        "use std::{fmt, net::TcpStream};",
        "fn f() { let _ = std::env::var(\"X\"); }",
        "use std::time::{Duration, Instant};",
        "use std::time::SystemTime as Clock;",
        "fn f() { jiff::Timestamp::now(); }",
        "use rand::rngs::ThreadRng;",
        "fn f() { rand::random::<u8>(); }",
        "fn f() { getrandom::fill(&mut []); }",
        "use std::collections::{BTreeMap, HashMap};",
        "fn f() { std::thread::spawn(|| ()); }",
    ] {
        expect("src/assess/x.rs", line, &[(2, outside)]);
        expect("src/pipeline.rs", line, &[(2, outside)]);
    }
    expect("src/link/x.rs", "use rand::CryptoRng;\nuse std::time::Duration;\nuse std::collections::BTreeMap;", &[]);
    expect("src/simulate/x.rs", "use rand_chacha::ChaCha8Rng;\nuse rand::SeedableRng;", &[]);
    expect("src/simulate/x.rs", "fn f() { rand::rng(); }", &[(2, outside)]);
    let chacha = "use rand_chacha::ChaCha20Rng;";
    expect("src/link/x.rs", chacha, &[(2, outside), (2, "the crate `rand_chacha` lives in")]);
    expect("src/cli/x.rs", "use std::time::Instant;\nuse std::fs;", &[]);
}

#[test]
fn planted_crates_away_from_home_are_found() {
    expect("src/log/mod.rs", "use rdkafka::ClientConfig;", &[(2, "the crate `rdkafka` lives in `log::kafka`")]);
    expect("src/log/kafka/x.rs", "use rdkafka::ClientConfig;\nuse rusqlite::Connection;", &[(3, "`rusqlite`")]);
    expect("src/log/x.rs", "async fn f() { tokio::spawn(async {}); }", &[(2, "`tokio`")]);
    expect("src/keys/x.rs", "use clap::Parser;", &[(2, "`clap`")]);
    expect("src/ops/x.rs", "use std::io::{self, stdout};", &[(2, "is the command line's")]);
    expect("src/config/x.rs", "use config::Config;\nuse super::reader::Problem;", &[]);
}

#[test]
fn planted_inclusions_across_rooms_are_found() {
    expect("src/link/x.rs", "const A: &str = include_str!(\"../normalise/nicknames.csv\");", &[(2, "crosses rooms")]);
    expect("src/link/x.rs", "include!(\"other.rs\");", &[(2, "crosses rooms")]);
    expect(
        "src/cli/x.rs",
        "const A: &str = include_str!(concat!(\"../../schemas/\", \"a.json\"));",
        &[(2, "schemas/a.json")],
    );
    expect("src/validate/x.rs", "const A: &str = include_str!(\"../../schemas/a.json\");", &[]);
    expect("src/link/x.rs", "const A: &str = include_str!(\"model/default.toml\");", &[]);
}

#[test]
fn planted_bad_form_is_found() {
    let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
    expect("src/link/x.rs", &long, &[(601, "601 lines")]);
    expect("src/simulate/name_tables.rs", &long, &[]);
    let source = Source::read("src/link/x.rs", "use crate::model::ids::PartyId;");
    assert!(report(&check(&source)).contains("src/link/x.rs:1: the file does not open with `//!`"));
    for word in UNFINISHED.iter().chain(MACHINE_PATHS) {
        expect("src/link/x.rs", &format!("// {word}\n"), &[(2, word)]);
        assert_eq!(forbidden_words("README.md", &format!("x\n{word}")).len(), 1);
    }
}

#[test]
fn planted_unused_dependencies_are_found() {
    let manifest =
        "[package]\n\n[dependencies]\n# Names.\nrayon-core = \"1\"\nserde_json = \"1\"\n\n[profile.dev]\nx = 1\n";
    let source = Source::read("src/link/x.rs", "use serde_json::Value;");
    assert_eq!(unused_dependencies(manifest, &[source]), ["rayon-core"]);
}

#[test]
fn comments_strings_and_tests_are_passed_over() {
    let text = r##"
// use crate::cli::Failure;
/* use crate::cli; /* use crate::cli; */ std::fs::read */
/// [`crate::cli`]
const A: &str = "use crate::cli; \" std::fs::read";
const B: &str = r#"std::fs::read("crate::cli")"#;
const C: char = '"';
const D: [char; 2] = ['\'', '{'];
fn f<'a>(text: &'a str) -> &'a str { text }
#[cfg(test)]
#[allow(dead_code)]
fn g(_: [u8; 3]) -> std::time::Instant { std::time::Instant::now() }
#[cfg(test)]
mod tests {
    use crate::cli::Failure;
    #[test]
    fn t() { std::fs::read("{").expect("}"); }
}
#[cfg(test)]
mod further;
#[cfg(not(test))]
use std::fs;
"##;
    expect("src/link/x.rs", text, &[(23, "`std::fs` reaches outside")]);
    assert_eq!(Source::read("src/link/x.rs", text).test_modules, ["further"]);
}
