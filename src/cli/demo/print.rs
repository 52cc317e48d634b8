//! The demonstration for a person. Names stay masked: the terminal is not the service that may read them.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use super::summary::Summary;
use super::{Service, paths};
use crate::simulate::{City, Play};

/// Alerts shown of one service and month; the rest are counted.
const SHOWN: usize = 2;

pub(super) fn opening(out: &mut dyn Write, city: &City, play: &Play, recipients: usize) -> std::io::Result<()> {
    writeln!(out, "A synthetic city: {} people, {} to {}, seed {}.", city.people, city.start(), city.end, city.seed)?;
    writeln!(
        out,
        "Police, probation, the local authority and the services' own caseloads send {} events.",
        play.feeds.len()
    )?;
    writeln!(out, "{recipients} recipients read with their own keys. Names arrive sealed; here they stay masked.\n")
}

pub(super) fn alerts(out: &mut dyn Write, month: usize, service: &Service, new: &[Value]) -> std::io::Result<()> {
    for event in new.iter().take(SHOWN) {
        let data = &event["data"];
        writeln!(out, "month {month}  {} reads: {}", service.name, text(&data["headline"]))?;
        let mut said = Vec::new();
        for (name, value) in data.as_object().into_iter().flatten() {
            match name.as_str() {
                "headline" | "kind" | "alert_id" | "agreement_version" | "rules_version" | "clause" => {}
                "own_reference" => said.push(format!("own case {}", mask(value))),
                "person" => said.push(format!("person {}", mask_person(value))),
                "perpetrators" => {
                    let named: Vec<_> = value.as_array().into_iter().flatten().map(mask_person).collect();
                    said.push(format!("perpetrator {}", named.join(", ")));
                }
                _ => said.push(format!("{} {}", name.replace('_', " "), text(value))),
            }
        }
        writeln!(out, "         {} [{}]", said.join(" · "), text(&data["clause"]))?;
    }
    if new.len() > SHOWN {
        writeln!(out, "         and {} more", new.len() - SHOWN)?;
    }
    Ok(())
}

pub(super) fn closing(
    out: &mut dyn Write,
    summary: &Summary,
    services: &[Service],
    kept: Option<&Path>,
) -> std::io::Result<()> {
    if let Some(service) = services.iter().max_by_key(|service| named_entries(service)).filter(|s| named_entries(s) > 0)
    {
        list(out, service)?;
    }
    let events = &summary.events;
    writeln!(
        out,
        "\nevents    {} read = {} accepted + {} rejected + {} duplicate + {} superseded",
        events.read, events.accepted, events.rejected, events.duplicate, events.superseded
    )?;
    writeln!(
        out,
        "people    {} true people in {} records, linked to {}",
        summary.people, summary.records, summary.clusters
    )?;
    let linkage = &summary.linkage;
    writeln!(
        out,
        "links     precision {:.4}, recall {:.4}, F1 {:.4} against the city's truth; {} households merged",
        linkage.precision, linkage.recall, linkage.f1, linkage.household_merges
    )?;
    writeln!(out, "findings")?;
    for (kind, count) in summary.findings.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "          {count:>7}  {}", kind.replace('_', " "))?;
    }
    writeln!(out, "messages   alerts  corrections  list")?;
    for service in services {
        let messages = &summary.messages[&service.party];
        writeln!(
            out,
            "          {:>7}  {:>11}  {:>4}  {}",
            messages.alerts, messages.corrections, messages.list, service.name
        )?;
    }
    writeln!(out, "list      {}", summary.list_digest)?;
    writeln!(out, "took      {:.1} s", summary.seconds)?;
    if let Some(dir) = kept {
        let (config, keys) = paths(dir);
        writeln!(out, "\nKept in {}. Read as a service does:", dir.display())?;
        let key = keys.join("up2u.jwk.json");
        writeln!(out, "  priorityd subscribe --config {} --recipient up2u --key {}", config.display(), key.display())?;
        writeln!(out, "  priorityd audit --config {} verify", config.display())?;
    }
    Ok(())
}

/// The first entries of a list that names people.
fn list(out: &mut dyn Write, service: &Service) -> std::io::Result<()> {
    writeln!(out, "\nThe list of {}, first of {} entries:", service.name, service.list.len())?;
    let mut entries: Vec<_> = service.list.values().collect();
    let rank = |entry: &Value| (text(&entry["tier"]) == "serial", entry["reports"].as_u64());
    entries.sort_by_key(|entry| std::cmp::Reverse((rank(entry), text(&entry["entry"]))));
    for entry in entries.into_iter().take(8) {
        writeln!(
            out,
            "  {}  {:6} {:>2} reports, {} victims, {}, last {}, known to {}, drops off {}",
            mask_person(&entry["person"]),
            text(&entry["tier"]),
            text(&entry["reports"]),
            text(&entry["counterparts"]),
            text(&entry["standing"]),
            text(&entry["last_week"]),
            text(&entry["agencies"]),
            text(&entry["drops_off"]),
        )?;
    }
    Ok(())
}

fn named_entries(service: &Service) -> usize {
    service.list.values().filter(|entry| entry["person"].is_object()).count()
}

fn mask_person(person: &Value) -> &'static str {
    if person["date_of_birth"].is_string() {
        "▒▒▒▒ ▒▒▒▒▒▒ (born ▒▒▒▒)"
    } else {
        "▒▒▒▒ ▒▒▒▒▒▒ (birth unknown)"
    }
}

fn mask(reference: &Value) -> String {
    let length = reference.as_str().unwrap_or_default().chars().count();
    "▒".repeat(length.clamp(1, 12))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null());
            said.map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join(" ")
        }
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
    }
}
