//! Keys wrapped by a PKCS#11 token: SoftHSM2, which `.ci/run` installs. Without it these tests fail.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::deployed::Deployed;
use crate::support::events::events;

/// A deployment beside a token of its own.
struct Vaulted {
    house: Deployed,
    module: PathBuf,
}

impl Vaulted {
    fn new() -> Self {
        let mut house = Deployed::new();
        let conf = house.path("softhsm2.conf");
        fs::create_dir(house.path("tokens")).expect("made");
        let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", house.path("tokens").display());
        fs::write(&conf, text).expect("written");
        house.set_variable("SOFTHSM2_CONF", conf.display().to_string());
        let vaulted = Self { house, module: module() };
        vaulted.softhsm(&["--init-token", "--free", "--label", "hub", "--so-pin", "12345678", "--pin", "2468"]);
        vaulted.pin("2468");
        vaulted
    }

    fn softhsm(&self, words: &[&str]) {
        let mut command = Command::new("softhsm2-util");
        command.args(words).env("SOFTHSM2_CONF", self.house.path("softhsm2.conf"));
        let output = command.output().expect("softhsm2 is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn pin(&self, pin: &str) {
        let path = self.house.path("pin");
        fs::write(&path, pin).expect("written");
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("set");
    }

    fn wrap(&self, module: &Path, token: &str) -> (i32, String) {
        let (module, pin) = (module.display().to_string(), self.house.path("pin").display().to_string());
        let ran = self.house.keys(&["wrap", "--pkcs11", &module, "--token", token, "--pin-file", &pin]);
        (ran.code, ran.err)
    }

    fn key(&self, file: &str) -> Value {
        serde_json::from_slice(&fs::read(self.house.path("keys").join(file)).expect("read")).expect("JSON")
    }
}

fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("softhsm2 is installed; see .ci/run")
}

#[test]
fn a_daemon_works_with_keys_that_only_the_token_can_read() {
    let vaulted = Vaulted::new();
    let Vaulted { house, module } = &vaulted;
    let secrets = ["linkage.portsmouth.1.jwk.json", "vault.1.jwk.json"].map(|file| vaulted.key(file)["k"].clone());
    let mut daemon = house.start();
    house.publish_all(&events(&["k1 idva.caseload_entry 2024-01-02 victim=sarah"]));
    house.wait_for(&mut daemon, 1);
    assert!(daemon.terminate().success(), "{}", house.log());

    assert_eq!(vaulted.wrap(module, "hub"), (0, String::new()));
    for (file, secret) in ["linkage.portsmouth.1.jwk.json", "vault.1.jwk.json"].iter().zip(&secrets) {
        let text = fs::read_to_string(house.path("keys").join(file)).expect("read");
        assert!(!text.contains(secret.as_str().expect("a secret")) && vaulted.key(file).get("k").is_none(), "{file}");
    }
    let listed = house.keys(&["list", "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed.out).expect("JSON");
    assert_eq!(listed.iter().filter(|key| key["token"] == "hub").count(), 2);

    // The same keys as before: what was linked and sealed by the one run is gone on with by the next.
    let mut daemon = house.start();
    house.publish_all(&events(&["i1 police.incident 2025-03-01 victim=sara perpetrator=dean"]));
    house.wait_for(&mut daemon, 2);
    assert!(daemon.terminate().success(), "{}", house.log());
    assert_eq!(house.subscribe("idva").kinds(), ["new_report"]);
    // A wrapped key lives on like any other.
    let rotated = house.keys(&["rotate", "vault"]);
    assert_eq!((rotated.code, rotated.err.as_str()), (0, ""));
    assert_eq!(vaulted.key("vault.1.jwk.json")["priorityd"]["state"], "lookup_only");
}

#[test]
fn what_is_wrong_with_a_token_is_told_with_the_remedy() {
    let vaulted = Vaulted::new();
    let Vaulted { house, module } = &vaulted;
    let refused = |(code, err): (i32, String), expected: &str| {
        assert_eq!(code, 78, "{err}");
        assert!(err.contains(expected) && !err.contains("2468"), "{expected} is not in {err}");
    };
    refused(vaulted.wrap(Path::new("/nowhere/module.so"), "hub"), "module.so: is no PKCS#11 module");
    refused(vaulted.wrap(module, "another"), "has no token with the label another");
    vaulted.pin("9999");
    refused(vaulted.wrap(module, "hub"), "the token hub refuses the PIN");
    vaulted.pin("2468");
    let clear = vaulted.key("vault.1.jwk.json");
    assert!(clear["k"].is_string(), "nothing was changed by what was refused");
    assert_eq!(vaulted.wrap(module, "hub"), (0, String::new()));

    let check = || {
        let ran = house.run(&["check"]);
        (ran.code, ran.err)
    };
    assert_eq!(check(), (0, String::new()));
    vaulted.pin("9999");
    refused(check(), "the token hub refuses the PIN");
    vaulted.pin("2468");
    // One wrapped secret under the name of another.
    let path = house.path("keys").join("vault.1.jwk.json");
    let mut vault = vaulted.key("vault.1.jwk.json");
    let right = vault.clone();
    vault["priorityd_pkcs11"]["ciphertext"] =
        vaulted.key("linkage.portsmouth.1.jwk.json")["priorityd_pkcs11"]["ciphertext"].clone();
    fs::write(&path, vault.to_string()).expect("written");
    refused(check(), "vault.1.jwk.json: was not wrapped by the token's key, or not as this key");
    fs::write(&path, right.to_string()).expect("written");
    assert_eq!(check().0, 0);
    // Another token of the same name.
    vaulted.softhsm(&["--delete-token", "--token", "hub"]);
    vaulted.softhsm(&["--init-token", "--free", "--label", "hub", "--so-pin", "12345678", "--pin", "2468"]);
    refused(check(), "has no AES key with the label priorityd-wrapping");
}
