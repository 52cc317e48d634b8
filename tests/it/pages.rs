//! The pages in a real Chromium: without scripts, by keyboard, under axe's eyes; what may not be done on them; and what
//! looking and deciding leaves in the audit.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use priorityd::simulate::City;
use serde_json::{Value, json};

use crate::review::asked;
use crate::support::deployed::{Deployed, PATIENCE};
use crate::support::hub::text;
use crate::support::search::Search;

/// Runs tests/pages/drive.mjs, which tests/setup has put beside its libraries.
fn drive(task: &Value) -> Value {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").join("tests");
    let mut command = Command::new(target.join("venv/bin/node"));
    command.args(["--preserve-symlinks", "--preserve-symlinks-main", "drive.mjs"]).current_dir(target.join("pages"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("tests/setup was run");
    serde_json::to_writer(child.stdin.take().expect("piped"), task).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    assert!(done.status.success(), "the browser failed: see above");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn chromium() -> String {
    let found = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].into_iter().find(|path| Path::new(path).exists());
    found.expect("Debian's package chromium is installed").to_owned()
}

#[test]
fn people_who_look_and_decide_with_a_browser() {
    let port = free_port();
    let listen = format!("listen = \"127.0.0.1:{port}\"");
    let house = Deployed::with(&[
        ("listen", &listen),
        ("# review_token_file", "review_token_file = \"review-tokens\""),
        ("# as_of", "as_of = 2026-02-01"),
    ]);
    let made = house.run(&["review", "token", "--by", "JS2"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let city = City { canaries: 40, ..City::new(7, 150, 16) }.play();
    let search = Search::for_texts(city.canaries.iter().map(|canary| canary.text.as_str()));
    let mut sent = asked();
    sent.extend(city.feeds.iter().cloned());
    let distinct: BTreeSet<_> = sent.iter().collect();
    house.publish_all(&sent);
    let mut daemon = house.start();
    house.wait_for(&mut daemon, distinct.len() - 30);
    let raised = house.values("review.v1");
    let question = raised.iter().find(|question| question["kind"] == "possible_match").expect("a question");
    let id = text(&question["review_id"]).to_owned();
    let base = format!("http://127.0.0.1:{port}");
    wait_for_figures(port);

    let shots = house.path("shots");
    let task = json!({
        "base": base, "token": made.out.trim(), "question": id, "shots": shots, "chromium": chromium(),
    });
    let seen = drive(&task);
    assert_eq!(seen["violations"], json!([]));
    assert_eq!(seen["analysed"], 7);
    assert!(seen["spoilt"].as_array().is_some_and(|found| found.contains(&json!("select-name"))), "{}", seen["spoilt"]);
    assert_eq!(seen["troubles"], json!([]), "nothing is blocked or fails in the browser");
    let requests = seen["requests"].as_array().expect("a list");
    assert!(requests.iter().all(|url| text(url).starts_with(&base)), "{requests:?}");
    let tabs = seen["tabs"].as_object().expect("an object");
    assert!(tabs.len() == 8 && tabs.values().all(Value::is_u64), "every one is reached by keyboard: {tabs:?}");

    // The charts: one drawing each, and the table says what the file says.
    assert!(seen["sections"].as_u64() > Some(3) && seen["sections"] == seen["drawings"]);
    let mut csv = csv(text(&seen["csv"]));
    let columns = csv.remove(0);
    let shown: Vec<String> =
        seen["columns"].as_array().into_iter().flatten().map(|cell| text(cell).to_lowercase()).collect();
    assert_eq!((columns, json!(csv)), (shown, seen["rows"].clone()));
    assert!(csv.len() > 12, "{csv:?}");

    // What may not be done, was not.
    let sign_in = json!([303, "/review/sign-in"]);
    assert_eq!(text(&seen["turned_to"]), format!("{base}/review/sign-in"));
    assert_eq!((&seen["forged"]["nobody"], &seen["forged"]["another_cookie"]), (&sign_in, &sign_in));
    for forged in ["without_secret", "another_secret", "another_site"] {
        assert_eq!(seen["forged"][forged], json!([403, null]), "{forged}");
    }
    assert_eq!((&seen["too_long"], &seen["signed_out"]), (&json!(413), &sign_in));
    let cookie = &seen["cookies"][0];
    assert_eq!(
        (&cookie["httpOnly"], &cookie["sameSite"], &cookie["path"]),
        (&json!(true), &json!("Strict"), &json!("/review"))
    );
    assert_eq!(seen["headers"]["cache-control"], "no-store");
    let policy = text(&seen["headers"]["content-security-policy"]);
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("script"),
        "{policy}"
    );

    // Nobody is named on any page, and no page has a script.
    let pages = seen["pages"].as_object().expect("an object");
    assert_eq!(pages.len(), 7);
    for (name, page) in pages {
        let page = text(page);
        assert!(search.find(page.as_bytes()).is_empty() && !page.contains("<script") && page.len() > 1_000, "{name}");
    }

    // The one answer, as `review decide` would have given it, by whom it was; and who looked.
    let event = text(&seen["answered"]).split_once("done=").expect("an event").1.to_owned();
    house.wait_for_audit(&mut daemon, "\"decision\":\"same\"");
    let decided: Vec<Value> = house
        .values("audit.v1")
        .into_iter()
        .map(|line| line["subject"]["decided"].clone())
        .filter(Value::is_object)
        .collect();
    assert_eq!(decided.len(), 1, "{decided:?}");
    assert_eq!((&decided[0]["decided_by"], &decided[0]["reason"]), (&json!("JS2"), &json!("records_compared")));
    let consulted = house.values("audit.v1").into_iter().filter(|line| line["body"]["decided_by"] == "JS2");
    let looked: BTreeSet<String> = consulted.map(|line| text(&line["body"]["action"]).to_owned()).collect();
    assert!(looked.contains("reviews") && looked.contains("explanation"), "{looked:?}");
    let undone = house.run(&["review", "undo", &event]);
    assert_eq!(undone.code, 0, "{}", undone.err);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    assert!(search.find(house.log().as_bytes()).is_empty());
}

/// The worker makes figures when somebody looks.
fn wait_for_figures(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while !get(port, "/performance").contains("<svg") {
        assert!(Instant::now() < deadline, "there are no figures");
        std::thread::yield_now();
    }
}

/// What a daemon answers, headers included.
fn get(port: u16, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it takes requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Every record of a file.
fn csv(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect()
}
