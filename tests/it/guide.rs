//! `deploy/operating.md`, executed: every block of commands, in order, in one shell, in an empty folder beside a copy of
//! `deploy/`, with the program in the path and a real broker. A command that fails ends the guide, and the test.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::broker::Broker;

/// Blocks of commands, each with the line that it begins in.
fn blocks(guide: &str) -> Vec<(usize, String)> {
    let (mut blocks, mut open): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    for (number, line) in guide.lines().enumerate() {
        match (open, line) {
            (false, "```sh") => {
                open = true;
                blocks.push((number + 2, String::new()));
            }
            (true, "```") => open = false,
            (true, line) => {
                let (_, block) = blocks.last_mut().expect("one is open");
                block.push_str(line);
                block.push('\n');
            }
            (false, line) => assert!(!line.starts_with("```"), "line {}: a block is sh, or nobody runs it", number + 1),
        }
    }
    assert!(!open);
    blocks
}

/// Changes a machine or a cluster, so it is only parsed here.
fn is_for_the_machine(block: &str) -> bool {
    block.starts_with("# as root\n") || block.starts_with("# on the cluster\n")
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has one").to_string()
}

#[test]
fn every_procedure_works_as_it_is_written() {
    let broker = Broker::shared();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("deploy/operating.md")).expect("the guide is there");
    let blocks = blocks(&guide);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).expect("made");
    symlink(env!("CARGO_BIN_EXE_priorityd"), bin.join("priorityd")).expect("linked");
    let hub = dir.path().join("hub");
    fs::create_dir(&hub).expect("made");
    let copied = Command::new("cp").arg("-r").arg(root.join("deploy")).arg(&hub).status();
    assert!(copied.is_ok_and(|status| status.success()));

    let mut script = String::from("set -euo pipefail\ntrap 'jobs -p | xargs -r kill -KILL 2>\"$SPARE\"' EXIT\n");
    let mut executed = 0;
    for (line, block) in &blocks {
        if is_for_the_machine(block) {
            let file = dir.path().join("machine.sh");
            fs::write(&file, block).expect("written");
            let parsed = Command::new("bash").arg("-n").arg(&file).status().expect("bash runs");
            assert!(parsed.success(), "the block in line {line} is no shell");
        } else {
            script.push_str(&format!("echo \"== line {line}\" >&2\n{block}"));
            executed += 1;
        }
    }
    assert!(executed > 20, "{executed} blocks of {}", blocks.len());
    let file = dir.path().join("guide.sh");
    fs::write(&file, script).expect("written");
    let path = std::env::var("PATH").expect("there is one");
    let output = Command::new("timeout")
        .args(["--kill-after=10", "600", "bash"])
        .arg(&file)
        .current_dir(&hub)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("SPARE", dir.path().join("spare.log"))
        .env("PRIORITYD__LISTEN", free_address())
        .env("LISTEN_2", free_address())
        .env("PRIORITYD__KAFKA__TOPIC_PREFIX", "guide.")
        .env("PRIORITYD__KAFKA__GROUP", "guide")
        .env("PRIORITYD__KAFKA__SESSION_MS", "2000")
        .env("KAFKA", broker.bootstrap())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let log = |name: &str| fs::read_to_string(hub.join(name)).unwrap_or_default();
    let told = format!("{out}\n{err}\nhub: {}\none: {}\ntwo: {}", log("hub.log"), log("one.log"), log("two.log"));
    assert!(output.status.success(), "the guide ended with {:?}:\n{told}", output.status.code());
    // A last look at what it came to: there is a list after the disk was lost, and after the move.
    for file in ["again.ndjson", "moved.ndjson"] {
        assert!(log(file).contains("uk.priorityd.list_entry.v1"), "nothing in {file}: {told}");
    }
}
