//! The files of an agreement and what is signed of them: a manifest that `sha256sum` can make and check as well.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::files::{LARGEST_FILE, read_text};
use super::super::reader::{Problem, Problems};

/// How the names of policy files end.
const POLICY_FILE: &str = "cedar";
/// What is added to the agreement's name for its signature.
const SIGNATURE_FILE: &str = "jws";

/// The agreement as it lies on disk: the TOML file and its policies, unread.
#[derive(Debug, Clone)]
pub struct Package {
    /// The agreement file.
    pub file: PathBuf,
    /// Its text.
    pub agreement: String,
    /// Policy files by name, relative to the agreement's folder, in the order of their names.
    pub policies: Vec<(String, String)>,
    /// The signature beside it, if there is one.
    pub signature: Option<String>,
}

impl Package {
    /// Reads an agreement file, the `.cedar` files of the folder `policies` beside it, and `<file>.jws`.
    ///
    /// # Errors
    /// Every file that cannot be read.
    pub fn read(file: &Path) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::of(file);
        let home = file.parent().unwrap_or(Path::new(""));
        let agreement = text(file, "", &mut problems);
        let mut names = policy_names(&home.join("policies"), &mut problems);
        names.sort();
        let mut policies = Vec::new();
        for name in names {
            if let Some(text) = text(&home.join(&name), &name, &mut problems) {
                policies.push((name, text));
            }
        }
        let beside = signature_file(file);
        let signature = if beside.exists() { text(&beside, "signature", &mut problems) } else { None };
        let read = agreement.map(|agreement| Self { file: file.to_owned(), agreement, policies, signature });
        problems.or(read)
    }

    /// What is signed: one line for each file, `SHA-256  name`, as `sha256sum agreement.toml policies/*.cedar` prints it.
    #[must_use]
    pub fn manifest(&self) -> String {
        let name = self.file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let files = std::iter::once((&name, &self.agreement));
        let files = files.chain(self.policies.iter().map(|(name, text)| (name, text)));
        files.map(|(name, text)| format!("{}  {name}\n", crate::model::ids::hex(&Sha256::digest(text)))).collect()
    }
}

/// Where the signature of an agreement lies.
#[must_use]
pub fn signature_file(agreement: &Path) -> PathBuf {
    let mut name = agreement.as_os_str().to_owned();
    name.push(".");
    name.push(SIGNATURE_FILE);
    name.into()
}

fn policy_names(folder: &Path, problems: &mut Problems) -> Vec<String> {
    let entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            let found = format!("the folder beside the agreement cannot be read ({})", error.kind());
            problems.add("policies", found, "put the agreement's .cedar files there");
            return Vec::new();
        }
    };
    let paths = entries.into_iter().map(|entry| entry.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == POLICY_FILE));
    paths.filter_map(|path| Some(format!("policies/{}", path.file_name()?.to_str()?))).collect()
}

fn text(path: &Path, key: &str, problems: &mut Problems) -> Option<String> {
    let text = read_text(path, LARGEST_FILE);
    text.map_err(|why| problems.add(key, why.to_string(), "check the path and its permissions")).ok()
}
