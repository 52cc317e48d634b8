//! Events as short lines: `i1 police.incident 2025-03-01 victim=sarah perpetrator=dean alcohol=yes`. What a line leaves out
//! is filled in as an agency would; whatever a type of event requires can be given as `field=value`.

use priorityd::model::ids::PartyId;
use serde_json::{Map, Value, json};

/// One event and whose feed it is for.
pub(crate) type Sent = (PartyId, String);

pub(crate) fn party(name: &str) -> PartyId {
    name.parse().expect("tests name parties correctly")
}

/// Every line as an event.
pub(crate) fn events(lines: &[&str]) -> Vec<Sent> {
    lines.iter().map(|line| event(line)).collect()
}

/// One line as an event.
pub(crate) fn event(line: &str) -> Sent {
    let (feed, event) = envelope(line);
    (feed, event.to_string())
}

/// As `event`, still open to change.
pub(crate) fn envelope(line: &str) -> (PartyId, Value) {
    let mut words = line.split_whitespace();
    let mut word = || words.next().unwrap_or_else(|| panic!("`{line}` needs an id, a type and a time"));
    let (id, kind, at) = (word(), word(), instant(word(), "12:00:00"));
    let (feed, kind) = kind.split_once('.').expect("a type is feed.event");
    let (mut fields, mut persons) = (Map::new(), Vec::new());
    fields.insert("recorded_at".to_owned(), json!(at));
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("`{word}` is no field=value"));
        match name {
            "victim" | "perpetrator" | "child" | "witness" => persons.push(person(feed, name, value)),
            "recorded" => drop(fields.insert("recorded_at".to_owned(), json!(instant(value, "12:00:00")))),
            _ => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                fields.insert(name.to_owned(), value);
            }
        }
    }
    let amended = fields.get("amended_type").and_then(Value::as_str).unwrap_or(kind).to_owned();
    for (name, value) in usual(&amended, &at).as_object().expect("an object") {
        fields.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if !matches!(kind, "cancel" | "alert_acknowledged" | "decision" | "erasure" | "consultation") {
        fields.insert("persons".to_owned(), json!(persons));
    }
    let sender = match feed {
        "police" | "crc" | "local_authority" => feed,
        "reviewers" => "review",
        _ => "service",
    };
    let regime = if matches!(feed, "police" | "crc" | "reviewers") { "law-enforcement" } else { "general" };
    fields.insert("scope".to_owned(), json!("portsmouth"));
    fields.insert("occurred_at".to_owned(), json!(at));
    fields.insert("regime".to_owned(), json!(regime));
    let event = json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("urn:priorityd:{feed}"),
        "type": format!("uk.priorityd.{sender}.{kind}.v1"),
        "data": fields,
    });
    (party(feed), event)
}

fn instant(text: &str, time: &str) -> String {
    if text.contains('T') { format!("{text}Z") } else { format!("{text}T{time}Z") }
}

/// What an agency says when there is nothing special to say.
fn usual(kind: &str, at: &str) -> Value {
    match kind {
        "incident" => json!({"children_present": "no", "alcohol": "not_asked"}),
        "crime" => json!({"offence_code": "8N", "offence_family": "violence", "most_serious_violence": false,
            "outcome": "open"}),
        "risk_assessment" => json!({"tool": "dash", "tool_version": "2009", "raised_by_judgement": false}),
        "protection_order" => json!({"order": "dvpo", "served_on": &at[..10]}),
        "programme_start" | "programme_complete" | "programme_breach" => json!({"programme": "bbr"}),
        "mash_contact" => json!({"children": 1, "domestic_abuse": "yes", "outcome": "no_further_action"}),
        "marac_referral" => json!({"criterion": "visible_high_risk"}),
        "charge" => json!({"offence_family": "violence"}),
        "no_further_action" => json!({"reason": "evidential"}),
        "court_outcome" => json!({"result": "convicted"}),
        "conditional_caution" => json!({"conditions": ["op_cara"]}),
        "dvds_request" => json!({"route": "right_to_ask"}),
        "cpi_report" => json!({"source_evaluation": "reliable", "assessment": "known_directly",
            "handling": "permitted"}),
        "cohort" => json!({"cohort": "drive", "state": "entered"}),
        "order_end" => json!({"reason": "completed"}),
        "requirement" => json!({"requirement": "bbr"}),
        "recall" => json!({"reason": "breach"}),
        "mappa_level" => json!({"level": 1}),
        "risk_review" => json!({"tool": "sara", "level": "high"}),
        "marac_outcome" => json!({"criterion": "visible_high_risk", "actions": ["idva_support"]}),
        "social_care_assessment" => json!({"domestic_abuse": "yes", "plan": "child_in_need", "state": "open"}),
        "housing" => json!({"matter": "sanctuary", "state": "started"}),
        "yot" => json!({"intervention": "prevention", "domestic_abuse": "yes"}),
        "substance_misuse" => json!({"alcohol": "yes", "drugs": "not_asked", "domestic_abuse": "not_asked"}),
        "contact_attempt" => json!({"reached": true}),
        "declined" => json!({"reason": "not_now"}),
        "risk_at_start" => json!({"tool": "dash_ric", "grade": "high"}),
        "closed" => json!({"reason": "completed"}),
        "caseload_entry" => json!({"state": "open"}),
        "referral_received" => json!({"referrer": "police"}),
        "cancel" => json!({"reason": "entered_in_error"}),
        "erasure" => json!({"reason": "data_subject_request", "authority": "ER-2025/014", "decided_by": "JS2"}),
        "consultation" => json!({"action": "audit", "reason": "oversight", "decided_by": "JS2"}),
        _ => json!({}),
    }
}

/// Services speak of their clients alone.
fn is_of_client(feed: &str) -> bool {
    !matches!(feed, "police" | "crc" | "local_authority" | "reviewers")
}

/// `name`, or `name@reference` where an agency has somebody twice.
fn person(feed: &str, role: &str, value: &str) -> Value {
    let (name, reference) = match value.split_once('@') {
        Some((name, reference)) => (name, reference.to_owned()),
        None => (value, local_ref(feed, value)),
    };
    let status = match role {
        _ if is_of_client(feed) => "client",
        "perpetrator" if feed == "crc" => "convicted",
        "perpetrator" => "suspect",
        "witness" => "witness",
        _ => "victim",
    };
    json!({"local_ref": reference, "role": role, "status": status, "identity": identity(name)})
}

/// How an agency refers to a person: each in its own way, so that a reference that went astray is seen.
pub(crate) fn local_ref(feed: &str, name: &str) -> String {
    format!("{}~{}", feed.to_uppercase(), true_name(name))
}

/// Who is meant: `sara` and `dean2` are other spellings of `sarah` and `dean`.
pub(crate) fn true_name(name: &str) -> &str {
    match name {
        "sara" => "sarah",
        "dean2" => "dean",
        "kelly2" => "kelly",
        name => name,
    }
}

/// Everybody in these tests. Each lives alone, unless the test is about a household.
fn identity(name: &str) -> Value {
    let (given, family, born, postcode, address) = match name {
        "sarah" => (vec!["Sarah", "Jane"], "Whitcombe", "1988-04-17", "PO4 8QT", "12 Kestrel Walk"),
        "sara" => (vec!["Sara"], "Whitcombe", "1988-04-17", "PO4 8QT", "12 Kestrel Walk"),
        "dean" => (vec!["Dean"], "Ashgrove", "1985-11-02", "PO2 7LD", "3 Copnor Yard"),
        "dean2" => (vec!["Deen"], "Ashgrove", "1985-11-02", "PO2 7LD", "3 Copnor Yd"),
        "kelly" => (vec!["Kelly"], "Ormsby", "1991-02-11", "PO6 3TR", "88 Wymering Lane"),
        "kelly2" => (vec!["Kelly", "Anne"], "Ormsbey", "1991-02-11", "PO6 3TR", "88 Wymering Lane"),
        "mark" => (vec!["Mark"], "Pettifer", "1979-06-30", "PO1 5HT", "41 Somers Terrace"),
        "priya" => (vec!["Priya"], "Ramanathan", "1993-09-08", "PO5 1NB", "7 Elm Grove"),
        "tom" => (vec!["Thomas"], "Brackley", "2010-05-05", "PO3 6AA", "19 Baffins Road"),
        "ellie" => (vec!["Ellie"], "Whitcombe", "2016-09-30", "PO4 8QT", "12 Kestrel Walk"),
        other => panic!("nobody is called {other}"),
    };
    let mut identity = json!({
        "given_names": given, "family_name": family, "date_of_birth": born, "postcode": postcode, "address": address,
    });
    if name == "dean" {
        identity["pnc_id"] = json!("2003/0123456L");
    }
    identity
}
