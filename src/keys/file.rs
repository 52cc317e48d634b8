//! Key files on disk: owner-only, written once, never overwritten.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::meta::KeyProblem;

/// Far above any key file, far below what would hurt.
const MAX_BYTES: u64 = 64 * 1024;

/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

/// Refuses a directory that others could enter or list.
pub(super) fn require_private_dir(dir: &Path) -> Result<(), KeyProblem> {
    let meta = fs::metadata(dir).map_err(|error| unusable(dir, &error))?;
    if !meta.is_dir() {
        return Err(KeyProblem::new(dir, "is not a directory", "name the directory of the key ring"));
    }
    if meta.permissions().mode() & OTHERS != 0 {
        let remedy = format!("run `chmod 700 {}`", dir.display());
        return Err(KeyProblem::new(dir, "is open to others than its owner", remedy));
    }
    Ok(())
}

/// Reads a file that holds a secret; refuses one that others could read. The permissions are those of the very file that
/// was opened, so it cannot be exchanged in between.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let file = File::open(path).map_err(|error| unusable(path, &error))?;
    let mode = file.metadata().map_err(|error| unusable(path, &error))?.permissions().mode();
    if mode & OTHERS != 0 {
        let remedy = format!("run `chmod 600 {}`, and replace the key if anybody may have read it", path.display());
        return Err(KeyProblem::new(path, "holds a secret and is open to others than its owner", remedy));
    }
    read_whole(path, file)
}

/// Reads a file that holds public keys only.
pub(super) fn read_public(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    read_whole(path, File::open(path).map_err(|error| unusable(path, &error))?)
}

fn read_whole(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let meta = file.metadata().map_err(|error| unusable(path, &error))?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(KeyProblem::new(path, "is not a small ordinary file", "name a JWK file of at most 64 KiB"));
    }
    // Room for all of it at once: a vector that grows leaves copies of its content behind.
    let room = usize::try_from(meta.len()).expect("64 KiB fit") + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| unusable(path, &error))?;
    Ok(bytes)
}

/// Makes a directory that only its owner can enter; one that exists must be so already.
pub(super) fn create_private_dir(dir: &Path) -> Result<(), KeyProblem> {
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| unwritable(dir, &error))?;
    }
    require_private_dir(dir)
}

/// Writes a new file that only its owner can read. It reaches the disk before this returns: a key that sealed something
/// and was lost in a power cut would take what it sealed with it.
pub(super) fn write_new_private(path: &Path, bytes: &[u8]) -> Result<(), KeyProblem> {
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_parent(path)
    })();
    written.map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyProblem::new(path, "exists already", "keys are never overwritten"),
        _ => unwritable(path, &error),
    })
}

/// Puts a public file in place of the one before, whole or not at all.
pub(super) fn replace_public(path: &Path, bytes: &[u8]) -> Result<(), KeyProblem> {
    replace(path, bytes, 0o644)
}

/// Puts a file that only its owner can read in place of the one before, whole or not at all.
pub(super) fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), KeyProblem> {
    replace(path, bytes, 0o600)
}

/// As `replace_private`, for a file whose secret must be gone: what it held is overwritten in its place first. A file
/// system that never writes in place, or a backup, may hold it still; a key that was wrapped by a token is not there at all.
pub(super) fn destroy_private(path: &Path, bytes: &[u8]) -> Result<(), KeyProblem> {
    let overwritten = (|| {
        let mut file = OpenOptions::new().write(true).open(path)?;
        // Padded with spaces, which JSON allows: whoever reads in between finds a whole file.
        let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
        let mut padded = Zeroizing::new(bytes.to_vec());
        padded.resize(length.max(bytes.len()), b' ');
        file.write_all(&padded)?;
        file.sync_all()
    })();
    overwritten.map_err(|error: io::Error| unwritable(path, &error))?;
    replace(path, bytes, 0o600)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyProblem> {
    let next = path.with_extension("next");
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&next, path)?;
        sync_parent(path)
    })();
    written.map_err(|error: io::Error| unwritable(path, &error))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn unusable(path: &Path, error: &io::Error) -> KeyProblem {
    KeyProblem::new(path, format!("cannot be read ({})", error.kind()), "check the path and who owns it")
}

fn unwritable(path: &Path, error: &io::Error) -> KeyProblem {
    KeyProblem::new(
        path,
        format!("cannot be written ({})", error.kind()),
        "check the path, who owns it and the room left",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_open_to_others_is_refused_with_the_chmod_that_mends_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("vault.1.jwk.json");
        write_new_private(&path, b"{}").expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(*read_private(&path).expect("owner-only"), b"{}");
        for mode in [0o640, 0o604, 0o620, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            let problem = read_private(&path).expect_err("open to others");
            assert!(problem.remedy.contains(&format!("chmod 600 {}", path.display())), "{problem}");
        }
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("vault.1.jwk.json");
        write_new_private(&path, b"first").expect("written");
        assert_eq!(write_new_private(&path, b"second").expect_err("exists").problem, "exists already");
        assert_eq!(*read_private(&path).expect("kept"), b"first");
    }

    #[test]
    fn a_directory_open_to_others_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ring = dir.path().join("ring");
        create_private_dir(&ring).expect("made");
        fs::set_permissions(&ring, fs::Permissions::from_mode(0o750)).expect("set");
        assert!(require_private_dir(&ring).expect_err("open to others").remedy.contains("chmod 700"));
    }
}
