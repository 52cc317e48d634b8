//! Configuration: what is shipped is in order, and every mistake is reported at once without its value.

use std::path::Path;

use priorityd::config::settings::{LogSettings, Settings};

fn shipped(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn keys_of(problems: &[priorityd::config::Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.key.as_str()).collect()
}

#[test]
fn the_shipped_configuration_is_in_order() {
    let settings = Settings::load(&shipped("priorityd.toml")).expect("the shipped file is right");
    assert!(matches!(settings.log, LogSettings::Embedded { feed_hours: 72, .. }));
    assert_eq!(settings.agreement, shipped("agreement.toml"));
    assert_eq!(settings.rules, priorityd::config::rules::Rules::default(), "the file shows the defaults");
}

#[test]
fn the_shipped_kafka_section_is_in_order_once_its_comment_signs_are_gone() {
    let text = std::fs::read_to_string(shipped("priorityd.toml")).expect("it is there");
    let text = text.replace("log = \"embedded\"", "log = \"kafka\"");
    let from = text.find("# [kafka]").expect("the section is there");
    let until = text[from..].find("\n\n").map_or(text.len(), |length| from + length);
    let section = text[from..until].replace("\n# ", "\n").replacen("# ", "", 1);
    let table = format!("{}{section}{}", &text[..from], &text[until..]).parse().expect("TOML");
    let settings = Settings::check(&table, Path::new("priorityd.toml")).expect("right");
    let LogSettings::Kafka(kafka) = settings.log else { panic!("kafka was asked for") };
    assert_eq!(kafka.user.as_deref(), Some("priorityd"));
}

#[test]
fn every_mistake_of_a_configuration_is_reported_at_once() {
    let text = r#"
        log = "carrier-pigeon"
        agreement = ""
        batch_records = 0
        listen = "0.0.0.0:80"
        colour = "blue"
        as_of = 2025-02-30T
        [rules]
        repeat_days = "a year"
        serial = 2
    "#;
    let text = text.replace("as_of = 2025-02-30T", "as_of = \"2025-02-30\"");
    let problems = Settings::check(&text.parse().expect("TOML"), Path::new("p.toml")).expect_err("all wrong");
    let keys = keys_of(&problems);
    for key in
        ["log", "agreement", "keys", "batch_records", "listen", "colour", "as_of", "rules.repeat_days", "rules.serial"]
    {
        assert!(keys.contains(&key), "{key} is missing from {keys:?}");
    }
    let report = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for value in ["carrier-pigeon", "0.0.0.0", "blue", "a year", "02-30"] {
        assert!(!report.contains(value), "a value is repeated: {report}");
    }
    assert!(problems.iter().all(|problem| !problem.fix.is_empty()));
}

#[test]
fn every_mistake_about_principals_is_reported_at_once() {
    let text = r#"
        log = "kafka"
        agreement = "a.toml"
        agreement_signers = ["signers.jwks.json"]
        keys = "keys"
        [kafka]
        bootstrap = "kafka-1:9093"
        replicas = 12
        [kafka.principals]
        police = "User:*"
        crc = "User:both"
        idva = "User:both"
        parcs = "Group:parcs"
        "Up 2 U" = "User:up2u"
    "#;
    let problems = Settings::check(&text.parse().expect("TOML"), Path::new("p.toml")).expect_err("all wrong");
    let expected = [
        "kafka.replicas",
        "kafka.principal",
        "kafka.principals, line 1",
        "kafka.principals.idva",
        "kafka.principals.parcs",
        "kafka.principals.police",
    ];
    assert_eq!(keys_of(&problems), expected);
    assert!(!problems.iter().any(|problem| problem.to_string().contains("both")), "a value is repeated");
}

#[test]
fn a_collector_of_traces_is_beside_the_daemon() {
    let read = |section: &str| {
        let text = std::fs::read_to_string(shipped("priorityd.toml")).expect("it is there");
        let table = text.replace("# [telemetry]", &format!("[telemetry]\n{section}")).parse().expect("TOML");
        Settings::check(&table, Path::new("p.toml"))
    };
    for (endpoint, url) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://[::1]:4318/", "http://[::1]:4318/v1/traces"),
        ("http://collector/behind", "http://collector/behind/v1/traces"),
    ] {
        let settings = read(&format!("otlp_endpoint = \"{endpoint}\"\nsampling_ratio = 1")).expect("right");
        assert_eq!(settings.traces.map(|traces| traces.traces_url()).as_deref(), Some(url));
    }
    assert!(read("sampling_ratio = 0.25").expect("right").traces.is_none(), "nowhere to send them");
    for (endpoint, told) in [
        ("https://traces.example.org", "TLS"),
        ("http://user:word@127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("127.0.0.1:4318", "http://HOST:PORT"),
        ("http://127.0.0.1:4318/?key=word", "http://HOST:PORT"),
        ("grpc://127.0.0.1:4317", "http://HOST:PORT"),
        ("http://", "http://HOST:PORT"),
    ] {
        let section = format!("otlp_endpoint = \"{endpoint}\"\nsampling_ratio = 1.5\ncolour = 1");
        let problems = read(&section).expect_err("all wrong");
        let keys = ["telemetry.sampling_ratio", "telemetry.colour", "telemetry.otlp_endpoint"];
        assert_eq!(keys_of(&problems), keys, "{endpoint}");
        assert!(problems[2].to_string().contains(told) && !problems[2].to_string().contains("word"), "{}", problems[2]);
    }
}

#[test]
fn a_syntax_error_is_told_by_its_line_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("priorityd.toml");
    std::fs::write(&file, "log = \"embedded\"\nsecret = = 5\n").expect("written");
    let problems = Settings::load(&file).expect_err("not TOML");
    assert_eq!(problems.len(), 1);
    assert!(problems[0].found.contains("line 2"));
    assert!(!problems[0].to_string().contains("secret"));
}
