//! Logs: a static message with fields from a closed list, a line each, to stderr.
//!
//! What is not on the list is not written, whoever logs it and at whatever level, and what a field may hold is told by its
//! kind: a number, a code, or words of our own error types, which quote nothing. Libraries below us are heard from warnings
//! on, by name only: what they would say may show bytes of what passes through them. So no level shows who anybody is.

use std::fmt;
use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::traces::Traces;

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// How many, or which.
    Number,
    /// A configured name, an id, a place in the source: one word.
    Code,
    /// Words of our own, or of the Kafka client about its brokers.
    Words,
}

/// Every field that a line may have, besides `timestamp`, `level`, `message` and `target`, and every attribute of a span.
pub const FIELDS: &[(&str, Holds)] = &[
    ("accepted", Holds::Number),
    ("earlier", Holds::Number),
    ("epoch", Holds::Number),
    ("error", Holds::Words),
    ("facility", Holds::Code),
    ("feed", Holds::Code),
    ("http.request.method", Holds::Code),
    ("http.response.status_code", Holds::Number),
    ("http.route", Holds::Code),
    ("kind", Holds::Words),
    ("level_now", Holds::Code),
    ("line", Holds::Words),
    ("offset", Holds::Number),
    ("outcome", Holds::Code),
    ("partition", Holds::Number),
    ("place", Holds::Code),
    ("problem", Holds::Words),
    ("read", Holds::Number),
    ("reason", Holds::Words),
    ("recipient", Holds::Code),
    ("records", Holds::Number),
    ("rejected", Holds::Number),
    ("rows", Holds::Number),
    ("scope", Holds::Code),
    ("serial", Holds::Number),
    ("took_ms", Holds::Number),
    ("version", Holds::Code),
];

/// Longer words are cut.
const LONGEST: usize = 400;
/// The part of a target that is ours.
const OURS: &str = "priorityd";
/// In place of what a library says.
const LIBRARY: &str = "a library warns";

/// The level of the logs while they are written.
#[derive(Clone)]
pub struct Logs(reload::Handle<Targets, Registry>);

impl Logs {
    /// From now on this level counts.
    pub fn set_level(&self, level: Level) {
        // The subscriber lives as long as the process; without one there is nothing to set.
        self.0.reload(targets(level)).ok();
    }
}

/// Starts logging and, where there is somewhere to send them, tracing.
pub fn start(level: Level, json: bool, traces: Option<&Traces>) -> Logs {
    let (filter, handle) = reload::Layer::new(targets(level));
    let lines = Lines { json, write: |line: &str| drop(std::io::stderr().lock().write_all(line.as_bytes())) };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    // A second start, as in tests, keeps the first.
    subscriber.with(traces.map(Traces::layer)).try_init().ok();
    Logs(handle)
}

fn targets(level: Level) -> Targets {
    Targets::new().with_default(LevelFilter::WARN).with_target(OURS, level)
}

/// Writes one line for each event.
struct Lines<W> {
    json: bool,
    write: W,
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut said = Said::default();
        if is_ours(target) {
            event.record(&mut said);
        } else {
            said.message = LIBRARY.to_owned();
        }
        let at = Timestamp::now();
        let Said { message, fields } = said;
        let line = if self.json {
            let mut line = Map::new();
            line.insert("timestamp".to_owned(), json!(at.to_string()));
            line.insert("level".to_owned(), json!(level.as_str()));
            line.insert("message".to_owned(), json!(message));
            line.extend(fields);
            line.insert("target".to_owned(), json!(target));
            format!("{}\n", Value::Object(line))
        } else {
            let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{at} {level:>5} {target}: {message}{fields}\n")
        };
        (self.write)(&line);
    }
}

/// Is it our own code that speaks?
pub(super) fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What an event says, as far as the list lets it.
#[derive(Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl Said {
    fn note(&mut self, field: &Field, number: Option<Value>, text: &dyn Fn() -> String) {
        if field.name() == "message" {
            self.message = cut(&text());
            return;
        }
        let Some((name, holds)) = FIELDS.iter().find(|(name, _)| *name == field.name()) else { return };
        let value = match (holds, number) {
            (Holds::Number, number) => number,
            (Holds::Code, _) => Some(text()).filter(|text| is_code(text)).map(Value::String),
            (Holds::Words, _) => Some(Value::String(cut(&text()))),
        };
        if let Some(value) = value {
            self.fields.insert((*name).to_owned(), value);
        }
    }
}

impl Visit for Said {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, Some(json!(value)), &|| value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, Some(json!(value)), &|| value.to_string());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.note(field, u64::try_from(value).ok().map(Value::from), &|| value.to_string());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, None, &|| value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, None, &|| format!("{value:?}"));
    }
}

/// One word of a hundred letters at the most.
pub(super) fn is_code(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-{}".contains(&byte);
    text.len() <= 100 && !text.is_empty() && text.bytes().all(fits)
}

fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn logged(json: bool, level: Level, say: impl FnOnce(&Logs)) -> String {
        let text = Arc::new(Mutex::new(String::new()));
        let to = Arc::clone(&text);
        let (filter, handle) = reload::Layer::new(targets(level));
        let lines = Lines { json, write: move |line: &str| to.lock().expect("nobody panics").push_str(line) };
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        tracing::subscriber::with_default(subscriber, || say(&Logs(handle)));
        std::mem::take(&mut *text.lock().expect("nobody panics"))
    }

    const NAME: &str = "Quxzvyxofja Kqewuqpzo";

    #[test]
    fn only_what_is_on_the_list_is_written_at_any_level() {
        for json in [true, false] {
            let text = logged(json, Level::TRACE, |_| {
                tracing::error!(name = NAME, ?NAME, person = %NAME, "unknown fields");
                tracing::trace!(recipient = NAME, feed = %NAME, rows = NAME, "known fields that hold what they may not");
                tracing::info!(recipient = "idva", rows = 3, records = 4_usize, took_ms = 5_u128, "known fields");
                tracing::error!(target: "hyper::proto", recipient = "idva", "{NAME}");
                tracing::error!(target: "prioritydx", "{NAME}");
                tracing::info!(target: "hyper::proto", "beneath notice");
            });
            assert!(!text.contains("Quxz") && !text.contains("beneath notice"), "{text}");
            assert_eq!(text.lines().count(), 5, "{text}");
            assert_eq!(text.matches(LIBRARY).count(), 2, "{text}");
            assert_eq!(text.matches("idva").count(), 1, "{text}");
        }
    }

    #[test]
    fn a_json_line_has_its_fields_and_no_others() {
        let text = logged(true, Level::INFO, |_| {
            tracing::warn!(partition = -1, error = "line one\nline two", more = 1, "it failed");
        });
        let mut line: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
        assert!(
            line.remove("timestamp").is_some_and(|at| at.as_str().is_some_and(|at| at.parse::<Timestamp>().is_ok()))
        );
        let rest = json!({
            "level": "WARN", "message": "it failed", "partition": -1, "error": "line oneline two",
            "target": "priorityd::ops::telemetry::tests",
        });
        assert_eq!(Value::Object(line), rest);
    }

    #[test]
    fn the_level_changes_while_it_runs() {
        let text = logged(true, Level::WARN, |logs| {
            tracing::debug!("one");
            logs.set_level(Level::DEBUG);
            tracing::debug!("two");
            tracing::trace!("three");
            logs.set_level(Level::ERROR);
            tracing::warn!("four");
        });
        assert!(text.contains("two") && text.lines().count() == 1, "{text}");
    }

    #[test]
    fn the_list_is_in_order_and_names_no_field_twice() {
        assert!(FIELDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
