//! The daemon's settings: defaults, then the file, then `PRIORITYD__SECTION__KEY`, then flags; checked once, all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;
use jiff::civil::Date;
use toml::{Table, Value};

use super::reader::{Problem, Problems, Reader, read_toml};
use super::rules::Rules;
use crate::model::ids::PartyId;

/// Records in one transaction at the most, unless the file says otherwise. Under a backlog large ones cost less an event: who is
/// spoken of several times in one is assessed and told once.
pub const BATCH_RECORDS: u64 = 5_000;

/// Everything the daemon needs to know, checked. Paths are relative to the configuration file's folder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where feeds come from and outputs go.
    pub log: LogSettings,
    /// The agreement file.
    pub agreement: PathBuf,
    /// Files of the public keys that may have signed the agreement.
    pub agreement_signers: Vec<PathBuf>,
    /// The key ring's directory.
    pub keys: PathBuf,
    /// Tables of frequencies from the agencies, one a scope, where only events are taken that were pseudonymised at the
    /// source; `None` where identity may come in clear.
    pub tokens_only: Option<Vec<PathBuf>>,
    /// Tokens of the addresses of refuges, which are kept out of everything.
    pub refuge_addresses: Option<PathBuf>,
    /// A linkage model file in place of the one compiled in.
    pub linkage_model: Option<PathBuf>,
    /// How many people agencies may come to know in a scope, in place of the model's number.
    pub linkage_population: Option<u32>,
    /// Act as if it were this day; for replays and demonstrations. Without it, today in UTC.
    pub as_of: Option<Date>,
    /// Records in one transaction at the most.
    pub batch_records: usize,
    /// How long a poll waits for more, milliseconds.
    pub poll_ms: u64,
    /// The largest record taken, bytes.
    pub record_bytes: usize,
    /// Health, metrics and public keys over HTTP; loopback only until it has TLS and a token.
    pub listen: Option<SocketAddr>,
    /// Who may sign in to the page /review: a line each, made by `priorityd review token`. Without it nobody may.
    pub review_token_file: Option<PathBuf>,
    /// Metrics alone, over HTTP, for a Prometheus on another machine: they say nothing about anybody.
    pub metrics_listen: Option<SocketAddr>,
    /// Logs as JSON lines rather than text.
    pub json_logs: bool,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: tracing::Level,
    /// Where traces go; without it there are none.
    pub traces: Option<TraceSettings>,
    /// Rules of assessment.
    pub rules: Rules,
    /// Counts below it are withheld from everything published.
    pub suppress_below: u64,
}

/// A collector of traces.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// Its address, without the path of OTLP.
    pub otlp_endpoint: Uri,
    /// How many of all traces are sent, from 0 to 1.
    pub sampling_ratio: f64,
}

impl TraceSettings {
    /// Where traces are posted to.
    #[must_use]
    pub fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.otlp_endpoint.to_string().trim_end_matches('/'))
    }
}

/// The log behind the seam.
#[derive(Debug, Clone)]
pub enum LogSettings {
    /// One SQLite file.
    Embedded {
        /// The file.
        path: PathBuf,
        /// Feed records already processed are wiped after so many hours.
        feed_hours: u64,
    },
    /// Apache Kafka.
    Kafka(Box<KafkaSettings>),
}

/// How to reach Kafka. Secrets are files, read when connecting.
#[derive(Debug, Clone, Default)]
pub struct KafkaSettings {
    /// `host:port`, comma separated.
    pub bootstrap: String,
    /// Consumer group, also the prefix of transactional ids.
    pub group: String,
    /// Name of this instance, unique within the group and the same after a restart.
    pub instance: String,
    /// Put before the name of every topic, where a cluster is shared with others.
    pub topic_prefix: String,
    /// An instance that gave no sign of life for so long has lost its partitions to the others.
    pub session_ms: u64,
    /// The longest that a transaction may take; one that nobody ends holds readers back for that long.
    pub transaction_ms: u64,
    /// Certificate authority's file (PEM); with it, TLS.
    pub ca_file: Option<PathBuf>,
    /// Client certificate's file (PEM), for mutual TLS.
    pub certificate_file: Option<PathBuf>,
    /// Client key's file (PEM), for mutual TLS.
    pub key_file: Option<PathBuf>,
    /// SASL/SCRAM user.
    pub user: Option<String>,
    /// File that holds the user's password.
    pub password_file: Option<PathBuf>,
    /// SCRAM-SHA-256 rather than SCRAM-SHA-512.
    pub scram_sha_256: bool,
    /// Partitions of every topic.
    pub partitions: u32,
    /// Copies of each partition.
    pub replicas: u32,
    /// Raw feed records are kept for so many hours.
    pub feed_hours: u64,
    /// The daemon's principal on the access lists; without it they are left alone.
    pub principal: Option<String>,
    /// The parties' principals.
    pub principals: BTreeMap<PartyId, String>,
}

impl Settings {
    /// Reads the file and the environment, lays them over the defaults and checks the whole.
    ///
    /// # Errors
    /// Every problem, each with its key and what would be right.
    pub fn load(file: &Path) -> Result<Self, Vec<Problem>> {
        read_toml(file)?;
        let mut problems = Problems::of(file);
        let environment = config::Environment::with_prefix("PRIORITYD").prefix_separator("__").separator("__");
        let layered = config::Config::builder()
            .add_source(config::File::from(file).format(config::FileFormat::Toml))
            .add_source(environment.try_parsing(true))
            .build()
            .and_then(config::Config::try_deserialize::<Table>);
        let Ok(table) = layered else {
            problems.add("", "its layers do not fit together", "check the PRIORITYD__ variables against the file");
            return problems.or(None);
        };
        Self::check(&table, file)
    }

    /// Checks settings already read as TOML; `file` is for the report, and its folder for relative paths.
    ///
    /// # Errors
    /// As `load`.
    pub fn check(table: &Table, file: &Path) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::of(file);
        let home = file.parent().unwrap_or(Path::new("")).to_owned();
        let mut root = Reader::new(table, "");
        let log = read_log(&mut root, &home, &mut problems);
        let agreement = root.required("agreement", &mut problems).map(|path| home.join(path));
        let signers = root.texts("agreement_signers", &mut problems);
        let agreement_signers: Vec<_> = signers.into_iter().map(|path| home.join(path)).collect();
        if agreement_signers.is_empty() {
            let fix = "name the files of the public keys whose signature of the agreement counts";
            problems.add("agreement_signers", "there is none", fix);
        }
        let keys = root.required("keys", &mut problems).map(|path| home.join(path));
        let tokens_only = read_intake(&mut root, &home, &mut problems);
        let refuge_addresses = root.text("refuge_addresses", &mut problems).map(|path| home.join(path));
        let linkage_model = root.text("linkage_model", &mut problems).map(|path| home.join(path));
        let people = root.number("linkage_population", 0, (100, 1_000_000_000), &mut problems);
        let as_of = root.date("as_of", &mut problems);
        let batch_records = root.number("batch_records", BATCH_RECORDS, (1, 100_000), &mut problems);
        let poll_ms = root.number("poll_ms", 200, (1, 60_000), &mut problems);
        let record_bytes = root.number("record_bytes", 1 << 20, (1 << 10, 1 << 24), &mut problems);
        let listen = read_listen(&mut root, &mut problems);
        let review_token_file = root.text("review_token_file", &mut problems).map(|path| home.join(path));
        let metrics_listen = read_address(&mut root, "metrics_listen", &mut problems);
        let json_logs = read_or(&mut root, "log_format", &[("text", false), ("json", true)], true, &mut problems);
        let levels = ["error", "warn", "info", "debug", "trace"];
        let levels = levels.map(|level| (level, tracing::Level::from_str(level).expect("tracing knows its levels")));
        let log_level = read_or(&mut root, "log_level", &levels, tracing::Level::INFO, &mut problems);
        let traces = read_traces(&mut root, &mut problems);
        let rules = Rules::read_all(&mut root, &mut problems);
        let suppress_below = match root.table("report", &mut problems) {
            Some(mut from) => {
                // Ten is the rule; the custom of the field permits five.
                let below = from.number("suppress_below", 10, (5, 100), &mut problems);
                from.finish(&mut problems);
                below
            }
            None => 10,
        };
        root.finish(&mut problems);
        let settings = log.zip(agreement).zip(keys).map(|((log, agreement), keys)| Self {
            log,
            agreement,
            agreement_signers,
            keys,
            tokens_only,
            refuge_addresses,
            linkage_model,
            linkage_population: u32::try_from(people).ok().filter(|people| *people > 0),
            as_of,
            batch_records: usize::try_from(batch_records).expect("at most 100,000"),
            poll_ms,
            record_bytes: usize::try_from(record_bytes).unwrap_or(1 << 20),
            listen,
            review_token_file,
            metrics_listen,
            json_logs,
            log_level,
            traces,
            rules,
            suppress_below,
        });
        problems.or(settings)
    }
}

fn read_log(root: &mut Reader<'_>, home: &Path, problems: &mut Problems) -> Option<LogSettings> {
    let is_kafka = root.one_of("log", &[("embedded", false), ("kafka", true)], problems)?;
    let embedded = root.table("embedded", problems);
    let kafka = root.table("kafka", problems);
    if is_kafka {
        let Some(mut from) = kafka else {
            problems.add("kafka", "it is missing", "add [kafka] with bootstrap and group");
            return None;
        };
        let (bootstrap, group) =
            (from.required("bootstrap", problems).map(str::to_owned), from.text("group", problems));
        let group = group.unwrap_or("priorityd").to_owned();
        let instance = from.text("instance", problems).unwrap_or("1").to_owned();
        if instance.contains('/') {
            problems.add(
                "kafka.instance",
                "it holds a '/', which sets our transactional ids apart",
                "use another sign",
            );
        }
        let topic_prefix = from.text("topic_prefix", problems).unwrap_or_default().to_owned();
        if !topic_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
            problems.add("kafka.topic_prefix", "it cannot begin a topic's name", "use letters, digits, '.' and '-'");
        }
        let session_ms = from.number("session_ms", 10_000, (1_000, 300_000), problems);
        let transaction_ms = from.number("transaction_ms", 30_000, (1_000, 900_000), problems);
        let mut path = |key| from.text(key, problems).map(|path| home.join(path));
        let (ca_file, certificate_file) = (path("ca_file"), path("certificate_file"));
        let (key_file, password_file) = (path("key_file"), path("password_file"));
        let user = from.text("user", problems).map(str::to_owned);
        if user.is_some() != password_file.is_some() {
            problems.add("kafka.user", "it stands alone", "give both user and password_file, or neither");
        }
        if certificate_file.is_some() != key_file.is_some() {
            problems.add("kafka.certificate_file", "it stands alone", "give both certificate_file and key_file");
        }
        let mechanisms = [("SCRAM-SHA-256", true), ("SCRAM-SHA-512", false)];
        let scram_sha_256 = read_or(&mut from, "sasl_mechanism", &mechanisms, false, problems);
        let number = |number: u64| u32::try_from(number).expect("it is within the bounds given with it");
        let partitions = number(from.number("partitions", 6, (1, 10_000), problems));
        let replicas = number(from.number("replicas", 3, (1, 9), problems));
        let feed_hours = from.number("feed_hours", 24 * 7, (1, 24 * 90), problems);
        let (principal, principals) = read_principals(&mut from, problems);
        from.finish(problems);
        let bootstrap = bootstrap?;
        Some(LogSettings::Kafka(Box::new(KafkaSettings {
            bootstrap,
            group,
            instance,
            topic_prefix,
            session_ms,
            transaction_ms,
            ca_file,
            certificate_file,
            key_file,
            user,
            password_file,
            scram_sha_256,
            partitions,
            replicas,
            feed_hours,
            principal,
            principals,
        })))
    } else {
        let Some(mut from) = embedded else {
            problems.add("embedded", "it is missing", "add [embedded] with path");
            return None;
        };
        let path = from.required("path", problems).map(|path| home.join(path));
        let feed_hours = from.number("feed_hours", 72, (0, 24 * 90), problems);
        from.finish(problems);
        Some(LogSettings::Embedded { path: path?, feed_hours })
    }
}

/// The daemon's principal and the parties'. Two parties behind one principal could read each other's messages.
fn read_principals(from: &mut Reader<'_>, problems: &mut Problems) -> (Option<String>, BTreeMap<PartyId, String>) {
    const FORM: &str = "write it as the cluster names it, e.g. \"User:police\" or \"User:CN=police\"";
    let is_one = |text: &str| text.strip_prefix("User:").is_some_and(|name| !["", "*", "ANONYMOUS"].contains(&name));
    let principal = from.text("principal", problems).map(str::to_owned);
    if principal.as_deref().is_some_and(|principal| !is_one(principal)) {
        problems.add(from.key("principal"), "it is not a principal", FORM);
    }
    let key = from.key("principals");
    let mut principals = BTreeMap::new();
    let table = match from.value("principals").map(|value| value.as_table()) {
        None => return (principal, principals),
        Some(table) => table,
    };
    let Some(table) = table else {
        problems.add(&key, "it is no table", format!("write [{key}], a line for each party"));
        return (principal, principals);
    };
    if principal.is_none() {
        problems.add(from.key("principal"), "it is missing", "name the daemon's principal as well as the parties'");
    }
    let mut taken: BTreeSet<_> = principal.iter().map(String::as_str).collect();
    for (at, (party, named)) in table.iter().enumerate() {
        // A party that does not read as one is told by its place, as any value would be.
        let Ok(party) = party.parse::<PartyId>() else {
            problems.add(format!("{key}, line {}", at + 1), "its key is no party", "use the agreement's names");
            continue;
        };
        let key = format!("{key}.{party}");
        match named.as_str().filter(|named| is_one(named)) {
            None => problems.add(key, "it is not a principal", FORM),
            Some(named) if !taken.insert(named) => {
                problems.add(key, "its principal was named before", "give the daemon and each party one of their own");
            }
            Some(named) => drop(principals.insert(party, named.to_owned())),
        }
    }
    (principal, principals)
}

fn read_intake(root: &mut Reader<'_>, home: &Path, problems: &mut Problems) -> Option<Vec<PathBuf>> {
    let tokens_only = read_or(root, "intake", &[("any", false), ("tokens-only", true)], false, problems);
    let frequencies: Vec<_> = root.texts("frequencies", problems).into_iter().map(|file| home.join(file)).collect();
    match (tokens_only, frequencies.is_empty()) {
        (true, true) => {
            let fix = "name the files that an agency writes with `priorityd pseudonymise --frequencies`, one a scope";
            problems.add("frequencies", "it is missing, and intake is tokens-only", fix);
            None
        }
        (true, false) => Some(frequencies),
        (false, true) => None,
        (false, false) => {
            problems.add("frequencies", "it has no effect", "leave it out, or set intake to tokens-only");
            None
        }
    }
}

fn read_listen(root: &mut Reader<'_>, problems: &mut Problems) -> Option<SocketAddr> {
    let address = read_address(root, "listen", problems)?;
    if !address.ip().is_loopback() {
        problems.add("listen", "it is reachable from outside", "listen on 127.0.0.1 or [::1]");
        return None;
    }
    Some(address)
}

fn read_address(root: &mut Reader<'_>, key: &'static str, problems: &mut Problems) -> Option<SocketAddr> {
    root.value(key)?;
    root.parsed(key, "write address:port, e.g. 127.0.0.1:9464", problems)
}

fn read_traces(root: &mut Reader<'_>, problems: &mut Problems) -> Option<TraceSettings> {
    let mut from = root.table("telemetry", problems)?;
    let endpoint = from.text("otlp_endpoint", problems);
    let ratio = match from.value("sampling_ratio") {
        None => Some(1.0),
        Some(Value::Float(ratio)) => Some(*ratio),
        // The bounds may be written without a point.
        Some(Value::Integer(whole)) => u8::try_from(*whole).ok().map(f64::from),
        Some(_) => None,
    };
    let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
    if ratio.is_none() {
        problems.add(from.key("sampling_ratio"), "it is no share of all traces", "write a number from 0 to 1");
    }
    let key = from.key("otlp_endpoint");
    from.finish(problems);
    const FORM: &str = "write http://HOST:PORT of a collector, e.g. http://127.0.0.1:4318; /v1/traces is put after it";
    let endpoint: Option<Uri> = match endpoint?.parse::<Uri>() {
        Ok(uri) if uri.scheme_str() == Some("https") => {
            let fix =
                "send them in the clear to a collector on this machine or in this pod, which has TLS to go on with";
            problems.add(key, "it is https, and traces are sent without TLS", fix);
            None
        }
        Ok(uri) if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            let fix = "leave that out; OTEL_EXPORTER_OTLP_HEADERS has what a collector asks for";
            problems.add(key, "it holds a user", fix);
            None
        }
        Ok(uri)
            if uri.scheme_str() == Some("http")
                && uri.host().is_some_and(|host| !host.is_empty())
                && uri.query().is_none() =>
        {
            Some(uri)
        }
        _ => {
            problems.add(key, "it is no address of a collector", FORM);
            None
        }
    };
    Some(TraceSettings { otlp_endpoint: endpoint?, sampling_ratio: ratio? })
}

fn read_or<T: Copy>(
    root: &mut Reader<'_>,
    key: &'static str,
    words: &[(&str, T)],
    default: T,
    problems: &mut Problems,
) -> T {
    if root.value(key).is_none() {
        return default;
    }
    root.one_of(key, words, problems).unwrap_or(default)
}
