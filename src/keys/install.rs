//! A ring as a secret manager hands it over, put where the service reads it. Neither Kubernetes nor systemd keeps folders
//! in a secret or lets the service own it, so the ring is copied into memory as the service starts.

use std::path::{Path, PathBuf};

use super::KeyRing;
use super::file;
use super::meta::KeyProblem;
use super::ring::RECIPIENTS;

/// What systemd puts before the names of files that it loads as `LoadCredential=ring:DIRECTORY`, `/` becoming `_`.
const CREDENTIAL: &str = "ring_";

/// Copies every key file of `from` into a ring that only its owner can enter, and checks that ring. Gives their number.
///
/// # Errors
/// When nothing is there, or as [`KeyRing::load`].
pub fn install(from: &Path, ring: &Path) -> Result<usize, Vec<KeyProblem>> {
    let one = |problem| vec![problem];
    file::create_private_dir(ring).map_err(one)?;
    file::create_private_dir(&ring.join(RECIPIENTS)).map_err(one)?;
    let mut files = key_files(from).map_err(one)?;
    let below = from.join(RECIPIENTS);
    if below.is_dir() {
        files.extend(key_files(&below).map_err(one)?.into_iter().map(|(file, name)| (file, place(RECIPIENTS, &name))));
    }
    if files.is_empty() {
        let remedy = "name the directory in which the secret is mounted, with one file for each key";
        return Err(one(KeyProblem::new(from, "holds no key file", remedy)));
    }
    for (found, name) in &files {
        // The manager minds who reads its files, in ways of its own.
        let bytes = file::read_public(found).map_err(one)?;
        file::replace_private(&ring.join(name), &bytes).map_err(one)?;
    }
    KeyRing::load(ring)?;
    Ok(files.len())
}

/// Key files with the names that they have in a ring.
fn key_files(dir: &Path) -> Result<Vec<(PathBuf, PathBuf)>, KeyProblem> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| {
        let problem = format!("cannot be listed ({})", error.kind());
        KeyProblem::new(dir, problem, "check the path and who owns it")
    })?;
    let named = entries.into_iter().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        // Kubernetes keeps generations of a secret in folders whose names begin with two dots.
        let is_key = !name.starts_with('.') && (name.ends_with(".jwk.json") || name.ends_with(".jwks.json"));
        let name = is_key.then(|| name.strip_prefix(CREDENTIAL).unwrap_or(&name))?;
        let recipient = name.strip_prefix(RECIPIENTS).and_then(|rest| rest.strip_prefix('_'));
        let name = recipient.map_or_else(|| PathBuf::from(name), |file| place(RECIPIENTS, Path::new(file)));
        Some((entry.path(), name))
    });
    Ok(named.collect())
}

fn place(folder: &str, file: &Path) -> PathBuf {
    Path::new(folder).join(file)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use jiff::Timestamp;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn made(dir: &Path) -> PathBuf {
        let (ring, scope) = (dir.join("made"), "portsmouth".parse().expect("a name"));
        let parties = ["idva", "up2u"].map(|name| name.parse().expect("a name"));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        KeyRing::create(&ring, &dir.join("services"), &scope, &parties, Timestamp::UNIX_EPOCH, &mut rng).expect("made");
        ring
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
        files.sort();
        files
    }

    fn name(path: &Path) -> &str {
        path.file_name().and_then(|name| name.to_str()).expect("a name")
    }

    #[test]
    fn a_ring_comes_out_of_credentials_and_of_a_mounted_secret() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ring = made(dir.path());
        // systemd: one folder, names run together.
        let credentials = dir.path().join("credentials");
        fs::create_dir(&credentials).expect("made");
        for file in files(&ring) {
            fs::copy(&file, credentials.join(format!("ring_{}", name(&file)))).expect("copied");
        }
        for file in files(&ring.join("recipients")) {
            fs::copy(&file, credentials.join(format!("ring_recipients_{}", name(&file)))).expect("copied");
        }
        fs::write(credentials.join("kafka-password"), "not a key").expect("written");
        // Kubernetes: links to a generation, open to a group, and a folder by `items`.
        let mounted = dir.path().join("mounted");
        fs::create_dir_all(mounted.join("..2026/recipients")).expect("made");
        fs::create_dir(mounted.join("recipients")).expect("made");
        for file in files(&ring) {
            let there = mounted.join("..2026").join(name(&file));
            fs::copy(&file, &there).expect("copied");
            fs::set_permissions(&there, Permissions::from_mode(0o440)).expect("set");
            symlink(&there, mounted.join(name(&file))).expect("linked");
        }
        for file in files(&ring.join("recipients")) {
            let there = mounted.join("..2026/recipients").join(name(&file));
            fs::copy(&file, &there).expect("copied");
            symlink(&there, mounted.join("recipients").join(name(&file))).expect("linked");
        }
        let count = files(&ring).len() + 2;
        for (from, to) in [(&credentials, "one"), (&mounted, "other")] {
            let to = dir.path().join(to);
            assert_eq!(install(from, &to).expect("installed"), count);
            // A container that starts again finds it there.
            assert_eq!(install(from, &to).expect("installed"), count);
            for (file, copy) in files(&ring).iter().zip(files(&to)) {
                assert_eq!((name(file), fs::read(file).expect("read")), (name(&copy), fs::read(&copy).expect("read")));
                assert_eq!(fs::metadata(&copy).expect("there").permissions().mode() & 0o777, 0o600);
            }
            assert!(KeyRing::load(&to).expect("it loads").recipient(&"up2u".parse().expect("a name")).is_some());
        }
    }

    #[test]
    fn where_no_key_is_it_says_so() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("kafka-password"), "not a key").expect("written");
        let problems = install(dir.path(), &dir.path().join("ring")).expect_err("nothing there");
        assert_eq!(problems[0].problem, "holds no key file");
        assert!(install(&dir.path().join("none"), &dir.path().join("ring")).is_err());
    }
}
