//! `priorityd asyncapi`: the description of every topic and message, AsyncAPI 3.0, from the schemas that this program is
//! built with. `schemas/asyncapi.json` is what this prints.

use std::io::Write;

use clap::Args;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::log::{AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC};
use crate::model::feed::FeedKind;
use crate::validate::types::{COMMON_SCHEMA, EVENT_TYPES};

#[derive(Debug, Args)]
#[command(after_help = "For generators of clients and of documentation. Prints one JSON document.")]
pub(super) struct AsyncapiArgs {}

/// What leaves, by name: the files of `schemas/outputs/`.
const OUTPUTS: &[(&str, &str)] = &[
    ("alert.v1", include_str!("../../schemas/outputs/alert.v1.json")),
    ("audit.v1", include_str!("../../schemas/outputs/audit.v1.json")),
    ("audit_head.v1", include_str!("../../schemas/outputs/audit_head.v1.json")),
    ("correction.v1", include_str!("../../schemas/outputs/correction.v1.json")),
    ("heartbeat.v1", include_str!("../../schemas/outputs/heartbeat.v1.json")),
    ("key_rotated.v1", include_str!("../../schemas/outputs/key_rotated.v1.json")),
    ("list_entry.v1", include_str!("../../schemas/outputs/list_entry.v1.json")),
    ("message.v1", include_str!("../../schemas/outputs/message.v1.json")),
    ("rejection.v1", include_str!("../../schemas/outputs/rejection.v1.json")),
    ("review.v1", include_str!("../../schemas/outputs/review.v1.json")),
];

/// Prints it.
pub(super) fn run(_: &AsyncapiArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let document = serde_json::to_string_pretty(&document()).expect("values have a plain form");
    writeln!(out, "{document}")?;
    Ok(())
}

fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "priorityd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Agencies send events; specialist services receive alerts about their own clients and their view of a list. Records on Kafka, keyed by scope, partitioned as Java does (murmur2), read with isolation.level=read_committed.",
            "license": { "name": "AGPL-3.0-or-later" },
        },
        "defaultContentType": "application/json",
        "channels": channels(),
        "operations": operations(),
        "components": { "messages": messages(), "schemas": schemas() },
    })
}

/// A kind of feed as it is written in names.
const FEEDS: [(FeedKind, &str); 5] = [
    (FeedKind::Police, "police"),
    (FeedKind::Crc, "crc"),
    (FeedKind::LocalAuthority, "local_authority"),
    (FeedKind::Service, "service"),
    (FeedKind::Review, "review"),
];

const SEALED: [&str; 4] = ["alert", "correction", "list_entry", "key_rotated"];

fn channels() -> Value {
    let party = json!({ "party": { "description": "A party of the agreement; an underscore in its name is written as a hyphen." } });
    let refer = |names: &[String]| -> Value {
        let refer = |name: &String| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") }));
        Value::Object(names.iter().map(refer).collect())
    };
    let mut channels = Map::new();
    for (kind, name) in FEEDS {
        let types = EVENT_TYPES.iter().filter(|of| of.feed == kind).map(message_name);
        channels.insert(
            format!("feed_{name}"),
            json!({
                "address": "feeds.{party}.v1",
                "title": format!("Feed of kind {name}"),
                "description": "What a party tells. It may write here and nobody else may read here but the hub.",
                "parameters": party,
                "messages": refer(&types.collect::<Vec<_>>()),
            }),
        );
    }
    let to_party = [
        ("rejections", "rejections.{party}.v1", "What could not be accepted, and why.", vec!["rejection"]),
        (
            "alerts",
            "alerts.{party}.v1",
            "Alerts and corrections, sealed.",
            vec!["sealed_alert", "sealed_correction", "sealed_key_rotated"],
        ),
        (
            "list",
            "list.{party}.v1",
            "The recipient's view of the list, sealed; compacted, and an empty value ends an entry.",
            vec!["sealed_list_entry"],
        ),
        (
            "status",
            "status.{party}.v1",
            "Each minute: the hub is there, and what the list should come to. Signed.",
            vec!["heartbeat"],
        ),
    ];
    for (name, address, description, messages) in to_party {
        let messages: Vec<_> = messages.into_iter().map(str::to_owned).collect();
        channels.insert(
            name.to_owned(),
            json!({ "address": address, "description": description, "parameters": party, "messages": refer(&messages) }),
        );
    }
    let own = [
        ("review", REVIEW_TOPIC, "Questions for a person; compacted, and an empty value withdraws a question."),
        ("audit", AUDIT_TOPIC, "Everything that was done, each record with the hash of the one before."),
        ("audit_head", HEADS_TOPIC, "Where the audit stood, signed."),
    ];
    for (name, address, description) in own {
        channels.insert(
            name.to_owned(),
            json!({ "address": address, "description": description, "messages": refer(&[name.to_owned()]) }),
        );
    }
    Value::Object(channels)
}

/// From the hub's side, as AsyncAPI has it: it receives feeds and sends the rest.
fn operations() -> Value {
    let of = |action: &str, channel: &str| json!({ "action": action, "channel": { "$ref": format!("#/channels/{channel}") } });
    let mut operations = Map::new();
    for (_, feed) in FEEDS {
        operations.insert(format!("take_{feed}"), of("receive", &format!("feed_{feed}")));
    }
    for channel in ["rejections", "alerts", "list", "status", "review", "audit", "audit_head"] {
        operations.insert(format!("send_{channel}"), of("send", channel));
    }
    Value::Object(operations)
}

fn message_name(of: &crate::validate::types::EventType) -> String {
    format!("{}_{}", of.feed.as_str(), of.event)
}

fn messages() -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let mut messages = Map::new();
    for of in EVENT_TYPES {
        messages.insert(
            message_name(of),
            json!({
                "name": of.name,
                "title": of.name,
                "contentType": "application/cloudevents+json",
                "payload": schema(of.file.trim_end_matches(".json")),
            }),
        );
    }
    for kind in SEALED {
        messages.insert(
            format!("sealed_{kind}"),
            json!({
                "name": format!("uk.priorityd.{kind}.v1"),
                "title": format!("uk.priorityd.{kind}.v1, sealed"),
                "description": "Compact JWE (ECDH-ES+A256KW, A256GCM, P-256) for the recipient, around a compact JWS (ES256) of the hub, around a CloudEvent. What is inside is described by x-opened and, its data, x-opened-data.",
                "contentType": "application/jose",
                "payload": { "type": "string", "pattern": "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]*){4}$" },
                "x-opened": schema("message.v1"),
                "x-opened-data": schema(&format!("{kind}.v1")),
            }),
        );
    }
    for (kind, signed) in
        [("rejection", false), ("review", false), ("audit", false), ("heartbeat", true), ("audit_head", true)]
    {
        let payload = schema(&format!("{kind}.v1"));
        let message = if signed {
            json!({
                "name": kind,
                "description": "Compact JWS (ES256). What was signed is described by x-opened.",
                "contentType": "application/jose",
                "payload": { "type": "string", "pattern": "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]*){2}$" },
                "x-opened": payload,
            })
        } else {
            json!({ "name": kind, "contentType": "application/json", "payload": payload })
        };
        messages.insert(kind.to_owned(), message);
    }
    Value::Object(messages)
}

/// Every schema in one document: whoever reads it fetches nothing.
fn schemas() -> Value {
    let events = EVENT_TYPES.iter().map(|of| (of.file.trim_end_matches(".json"), of.schema));
    let all = events.chain([("common.v1", COMMON_SCHEMA)]).chain(OUTPUTS.iter().copied());
    let bundled = all.map(|(name, text)| {
        let mut schema: Value = serde_json::from_str(text).expect("the schemas are part of this program");
        if let Some(schema) = schema.as_object_mut() {
            schema.retain(|key, _| key != "$schema" && key != "$id");
        }
        rebase(&mut schema, name);
        (name.to_owned(), schema)
    });
    Value::Object(bundled.collect())
}

/// Makes references to files, and within one, references within this document.
fn rebase(value: &mut Value, home: &str) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref") {
                let (file, place) = target.split_once('#').unwrap_or((target.as_str(), ""));
                let file = file.rsplit(':').next().filter(|file| !file.is_empty()).unwrap_or(home);
                *target = format!("#/components/schemas/{file}{place}");
            }
            map.values_mut().for_each(|value| rebase(value, home));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, home)),
        _ => {}
    }
}
