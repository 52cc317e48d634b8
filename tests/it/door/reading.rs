//! Records that are no events: bytes that cannot be read, envelopes that are none, binary mode gone wrong.

use priorityd::model::outcome::RejectCode;
use serde_json::json;

use super::example;
use super::table::{Ends, Headers, Row, assert_outcomes, edited, example_with, row};

#[test]
fn records_that_cannot_be_read() {
    use Ends::*;
    use RejectCode::*;
    let incident = example("police.incident").to_string();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| incident.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let mut marked_utf16 = vec![0xff, 0xfe];
    marked_utf16.extend(utf16(u16::to_le_bytes));
    let mut latin1 = edited("Whitcombe", "Gar_on").into_bytes();
    let at = latin1.windows(6).position(|word| word == b"Gar_on").expect("just put in");
    latin1[at + 3] = 0xe7;
    let mut marked_utf8 = b"\xef\xbb\xbf".to_vec();
    marked_utf8.extend(incident.bytes());
    let persons = |number: usize| format!("\"persons\":[{}", "{},".repeat(number));
    let nested = |depth: usize| edited("\"Deano\"", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert_outcomes(vec![
        row("10 MB", vec![b' '; 10_000_000], At(TooLarge, "")),
        row("one byte over", vec![b' '; (1 << 20) + 1], At(TooLarge, "")),
        Row { headers: vec![("ce_id".into(), vec![b'a'; 2_000_000])], ..row("headers count", "{}", At(TooLarge, "")) },
        row("UTF-16 with a mark", marked_utf16, At(NotUtf8, "")),
        row("UTF-16 LE without a mark", utf16(u16::to_le_bytes), At(NotUtf8, "")),
        row("UTF-16 BE without a mark", utf16(u16::to_be_bytes), At(NotUtf8, "")),
        row("Latin-1", latin1, At(NotUtf8, "")),
        row("overlong UTF-8", b"\xc0\xaf".to_vec(), At(NotUtf8, "")),
        Row { ends: Accepted, ..row("UTF-8 with a mark is read", marked_utf8, At(NotUtf8, "")) },
        row("empty", "", At(NotJson, "")),
        row("spaces", "   \n", At(NotJson, "")),
        row("text", "Sarah Whitcombe", At(NotJson, "")),
        row("XML", "<event/>", At(NotJson, "")),
        row("cut short", &incident.as_bytes()[..incident.len() / 2], At(NotJson, "")),
        row("two documents", format!("{incident}{incident}"), At(NotJson, "")),
        row("trailing comma", edited("\"data\":{", "\"data\":{,"), At(NotJson, "")),
        row("comment", format!("/* no */{incident}"), At(NotJson, "")),
        row("single quotes", "{'specversion':'1.0'}", At(NotJson, "")),
        row("NaN", edited("\"Deano\"", "NaN"), At(NotJson, "")),
        row("a number beyond a double", edited("\"Deano\"", "1e999"), At(NotJson, "")),
        row("a lone surrogate", edited("Deano", "\\ud800"), At(NotJson, "")),
        row("a raw control character", edited("Deano", "De\u{1}ano"), At(NotJson, "")),
        row("a raw NUL", edited("Deano", "De\0ano"), At(NotJson, "")),
        row(
            "an escaped NUL",
            edited("Deano", "De\\u0000ano"),
            At(WrongForm, "/data/persons/1/identity/aliases/0/given_names/0"),
        ),
        row(
            "an escaped NUL in a name",
            edited("\"given_names\"", "\"given\\u0000names\""),
            At(WrongForm, "/data/persons/0/identity/?"),
        ),
        row("deep nesting", nested(100), At(TooDeep, "/data/persons/1/identity/aliases/0/given_names/0")),
        row("a list beyond any event", format!("[{}1]", "1,".repeat(500_000)), At(TooLarge, "")),
        row("a crowd of nobodies", edited("\"persons\":[", &persons(300_000)), At(TooLarge, "")),
        row("a smaller one", edited("\"persons\":[", &persons(15_000)), At(OutOfRange, "/data/persons")),
        row("nesting beyond any stack", "[".repeat(500_000), At(TooDeep, "/0/0/0/0/0/0/0/0")),
        row(
            "a property twice",
            edited("\"scope\"", "\"scope\":\"portsmouth\",\"scope\""),
            At(DuplicateProperty, "/data/scope"),
        ),
        row(
            "an unknown property twice",
            edited("\"scope\"", "\"Sarah\":1,\"Sarah\":2,\"scope\""),
            At(DuplicateProperty, "/data/?"),
        ),
    ]);
}

#[test]
fn envelopes_that_are_none() {
    use Ends::*;
    use RejectCode::*;
    let incident = example_with("police.incident");
    assert_outcomes(vec![
        row("null", "null", At(NotCloudEvent, "")),
        row("a list", "[]", At(NotCloudEvent, "")),
        row("a number", "12345678901234567890123", At(NotCloudEvent, "")),
        row("an empty object", "{}", At(NotCloudEvent, "/id")),
        incident("no version", "/specversion", json!(null), Here(NotCloudEvent)),
        incident("version 0.3", "/specversion", json!("0.3"), Here(NotCloudEvent)),
        incident("a number as version", "/specversion", json!(1.0), Here(NotCloudEvent)),
        incident("no id", "/id", json!(null), Here(NotCloudEvent)),
        incident("an empty id", "/id", json!(""), Here(NotCloudEvent)),
        incident("a number as id", "/id", json!(7), Here(NotCloudEvent)),
        incident("a long id", "/id", json!("7".repeat(129)), Here(OutOfRange)),
        incident("no source", "/source", json!(null), Here(NotCloudEvent)),
        incident("another's source", "/source", json!("urn:priorityd:crc"), Here(SourceNotOfFeed)),
        incident("no type", "/type", json!(null), Here(NotCloudEvent)),
        incident("unknown type", "/type", json!("uk.priorityd.police.parking.v1"), Here(UnknownType)),
        incident("a version to come", "/type", json!("uk.priorityd.police.incident.v2"), Here(UnknownType)),
        incident("another feed's type", "/type", json!("uk.priorityd.crc.order_start.v1"), Here(TypeNotOfFeed)),
        incident("no data", "/data", json!(null), Here(Missing)),
        incident("data as text", "/data", json!("{}"), Here(WrongType)),
        incident("time that is none", "/time", json!("noon"), Here(BadDate)),
        incident("XML inside", "/datacontenttype", json!("application/xml"), Here(WrongForm)),
        Row { feed: "somebody".into(), ..row("an unknown feed", "{}", At(SourceNotOfFeed, "")) },
    ]);
}

/// What is done to good headers.
type Change = Box<dyn Fn(&mut Headers)>;

fn without(name: &'static str) -> Change {
    Box::new(move |headers| headers.retain(|(header, _)| header != name))
}

fn and(name: &'static str, value: &'static [u8]) -> Change {
    Box::new(move |headers| headers.push((name.to_owned(), value.to_vec())))
}

fn but(name: &'static str, value: &'static [u8]) -> Change {
    Box::new(move |headers| {
        without(name)(headers);
        and(name, value)(headers);
    })
}

fn twice(name: &'static str) -> Change {
    Box::new(move |headers| {
        and(name, b"1")(headers);
        and(name, b"2")(headers);
    })
}

fn in_capitals() -> Change {
    Box::new(|headers| headers.iter_mut().for_each(|(name, _)| name.make_ascii_uppercase()))
}

#[test]
fn binary_mode() {
    use Ends::*;
    use RejectCode::*;
    let event = example("police.incident");
    let data = event["data"].to_string();
    let mut good: Headers = ["specversion", "id", "source", "type"]
        .map(|name| (format!("ce_{name}"), event[name].as_str().expect("a text").as_bytes().to_vec()))
        .into();
    good.push(("content-type".into(), b"application/json; charset=utf-8".to_vec()));
    let with = |what, change: Change, ends| {
        let mut headers = good.clone();
        change(&mut headers);
        Row { headers, ..row(what, data.clone(), ends) }
    };
    assert_outcomes(vec![
        with("good", Box::new(|_| {}), Accepted),
        with("capitals in header names", in_capitals(), Accepted),
        with("no content type", without("content-type"), Accepted),
        with("no ce_type", without("ce_type"), At(NotCloudEvent, "/type")),
        with("no ce_specversion", without("ce_specversion"), At(NotCloudEvent, "/specversion")),
        with("an id in Latin-1", but("ce_id", b"caf\xe9"), At(NotCloudEvent, "/id")),
        with("an id with NUL", but("ce_id", b"a\0b"), At(WrongForm, "/id")),
        with("two ids", and("ce_id", b"another"), At(NotCloudEvent, "/id")),
        with("data in a header", and("ce_data", b"{}"), At(NotCloudEvent, "/data")),
        with("an unknown extension", and("ce_whitcombe", b"1"), Accepted),
        with("two unknown extensions alike", twice("ce_whitcombe"), At(NotCloudEvent, "/?")),
        with("an unknown extension in Latin-1", and("ce_whitcombe", b"\xe9"), At(NotCloudEvent, "/?")),
        with("other headers", and("trace", b"\xff"), Accepted),
        with("XML", but("content-type", b"application/xml"), At(NotCloudEvent, "/datacontenttype")),
        with(
            "a batch",
            but("content-type", b"application/cloudevents-batch+json"),
            At(NotCloudEvent, "/datacontenttype"),
        ),
        with("Avro", but("content-type", b"application/cloudevents+avro"), At(NotCloudEvent, "/datacontenttype")),
        with("content type twice", and("Content-Type", b"application/json"), At(NotCloudEvent, "/datacontenttype")),
        with(
            "structured by its content type, so data alone is none",
            but("content-type", b"application/cloudevents+json"),
            At(NotCloudEvent, "/id"),
        ),
        Row {
            payload: data.replacen("\"scope\"", "\"scope\":1,\"scope\"", 1).into_bytes(),
            ..with("a property twice", Box::new(|_| {}), At(DuplicateProperty, "/data/scope"))
        },
        Row { payload: b"{".to_vec(), ..with("data cut short", Box::new(|_| {}), At(NotJson, "")) },
        Row { payload: b"[]".to_vec(), ..with("data a list", Box::new(|_| {}), At(WrongType, "/data")) },
        Row { payload: Vec::new(), ..with("no data", Box::new(|_| {}), At(NotJson, "")) },
        Row {
            headers: vec![("content-type".into(), b"application/cloudevents+json; charset=UTF-8".to_vec())],
            ..row("structured with its content type", event.to_string(), Accepted)
        },
    ]);
}
