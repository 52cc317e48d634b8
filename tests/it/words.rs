//! What the command line says when something is wrong: where, what, and what mends it, and never a value that may be
//! somebody's. And the manual, which is made of the same words.

use std::fs;

use crate::support::deployed::{Deployed, Ran, priorityd};
use crate::support::events::event;

/// `priorityd: WHERE: WHAT; WHAT MENDS IT`, on every line.
fn has_the_form(line: &str) -> bool {
    let Some((place, rest)) = line.strip_prefix("priorityd: ").and_then(|line| line.split_once(": ")) else {
        return false;
    };
    let Some((what, fix)) = rest.split_once("; ") else { return false };
    !place.is_empty() && !what.is_empty() && !fix.trim().is_empty()
}

/// A name that is typed where it does not belong.
const NAME: &str = "Sarah-Ashgrove";

/// What is wrong with how a command failed.
fn problem(words: &[&str], ran: &Ran) -> Option<String> {
    let wrong = if [0, 70, 101].contains(&ran.code) {
        "it should fail, and not by a fault of ours"
    } else if ran.err.contains(NAME) {
        "it repeats what was typed"
    } else if ran.code == 2 && ran.err.starts_with("error: ") {
        return None; // Clap's own form: what, and the usage.
    } else if ran.err.is_empty() || !ran.err.lines().all(has_the_form) {
        "it has another form"
    } else {
        return None;
    };
    Some(format!("{words:?}: {wrong}: {} {}", ran.code, ran.err))
}

#[test]
fn every_mistake_is_told_in_one_form() {
    let house = Deployed::with(&[("listen", "listen = \"127.0.0.1:1\"")]);
    let idva = house.key("idva");
    let bad = house.path("bad.json").display().to_string();
    let (_, line) = event("i1 police.incident 2025-03-01 victim=sarah perpetrator=dean");
    fs::write(&bad, line.replace("2025-03-01", "2025-13-01")).expect("written");
    let zeros = "0".repeat(32);
    let mut problems = Vec::new();
    // With the deployment's configuration.
    for words in [
        &["publish", "--feed", "nobody", "-"][..],
        &["publish", "--feed", "police", "none.ndjson"],
        &["check", "--feed", "nobody", "--events", "x"],
        &["check", "--feed", "police", "--events", "none"],
        &["check", "--feed", "police", "--events", &bad],
        &["check", "--live"],
        &["topics", "plan"],
        &["migrate", "--from", "none"],
        &["subscribe", "--recipient", "idva", "--key", "none"],
        &["subscribe", "--recipient", "up2u", "--key", &idva],
        &["healthcheck"],
        &["healthcheck", "--alive"],
        &["review", "decide", "unknown", "same", "--reason", "records_compared", "--by", "QA1"],
        &["audit", "find", "--person", &zeros],
        &["audit", "find", "--identity", "--input", "none"],
        &["audit", "verify", "--file", "none"],
        &["audit", "prove", "4711"],
        &["audit", "export", "--person", &zeros],
        &["explain", &zeros],
        &["erase", "--person", &zeros, "--reason", "ordered", "--authority", "ER-1"],
        &["erase", "--reason", "ordered", "--authority", "ER-1"],
        &["pseudonymise", "--feed", "police", "none"],
        // Names where none belong.
        &["erase", "--person", NAME, "--reason", "ordered", "--authority", "ER-1"],
        &["erase", "--person", &zeros, "--reason", "ordered", "--authority", NAME],
        &["erase", NAME, "--reason", "ordered", "--authority", "ER-1"],
        &["explain", NAME],
        &["explain", &zeros, NAME],
        &["audit", "find", "--by", NAME],
        &["review", "list", "--by", NAME],
        &["review", "decide", NAME, "same", "--reason", NAME, "--by", "QA1"],
        &["publish", "--feed", NAME, "-"],
        &["subscribe", "--recipient", NAME, "--key", &idva],
    ] {
        problems.extend(problem(words, &house.run(words)));
    }
    // Without one.
    for words in [
        &["check", "--config", "none"][..],
        &["keys", "list", "--ring", "none"],
        &["keys", "install", "--from", "none", "--ring", "/proc/none"],
        &["keys", "new", "linkage", "--ring", "none"],
        &["keys", "new", "recipient", "--ring", "none"],
        &["keys", "new", "vault", "--scope", "portsmouth", "--ring", "none"],
        &["keys", "new", "vault", "--party", "idva", "--ring", "none"],
        &["keys", "new", "linkage", "--scope", NAME],
        &["keys", "retire", "vault", "--epoch", "1", "--ring", "none"],
        &["keys", "add", "--party", "idva", "none", "--ring", "none"],
        &["keys", "wrap", "--pkcs11", "none", "--token", "x", "--pin-file", "none", "--ring", "none"],
        &["agreement", "check", "none"],
        &["agreement", "sign", "none", "--key", "none"],
        &["agreement", "diff", "none", "none"],
        &["agreement", "explain", "none", "--recipient", "idva", "--finding", "new_report"],
        &["try", "none", "--agency", "police", "--agreement", "none"],
        &["link", "none.csv", "--columns", "none"],
        &["train", "--out", "none/none", "--version", "x", "none.csv"],
        &["simulate", "--out", "/proc/none"],
        &["manual", "--out", "/proc/none"],
        &["demo", "--dir", "/proc/none"],
        &["frobnicate"],
        &["--colour"],
    ] {
        problems.extend(problem(words, &priorityd(words)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn man_pages_and_completions_name_every_command() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let folder = dir.path().join("man1").display().to_string();
    let ran = priorityd(&["manual", "--out", &folder]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let help = priorityd(&["--help"]).out;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<_> =
        named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() > 20, "{names:?}");
    let bash = priorityd(&["completions", "bash"]).out;
    for name in names {
        let page = fs::read_to_string(format!("{folder}/priorityd-{name}.1")).expect("a page for each command");
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
        assert!(bash.contains(&format!("priorityd,{name})")), "{name} is not completed");
    }
    // Pages of commands below commands, and the exit codes.
    assert!(fs::metadata(format!("{folder}/priorityd-keys-rotate.1")).is_ok());
    assert!(fs::read_to_string(format!("{folder}/priorityd.1")).expect("read").contains("Exit codes"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = priorityd(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.len() > 1000, "{shell}");
    }
    // Bash reads what it is given.
    let script = dir.path().join("priorityd.bash");
    fs::write(&script, bash).expect("written");
    let read = std::process::Command::new("bash").arg("-n").arg(&script).status().expect("bash runs");
    assert!(read.success());
}
