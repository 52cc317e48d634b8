//! Secrets wrapped by a PKCS#11 token: on disk lies what the token encrypted under a key that never leaves it. AES-256-GCM,
//! with the key id as associated data, so that no wrapped secret can stand in for another.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::file;
use super::jwk::Wrapped;
use super::meta::KeyProblem;

/// What the token's key is called unless somebody says otherwise.
pub const WRAPPING_KEY: &str = "priorityd-wrapping";

const TAG_BITS: u64 = 128;

/// Libraries that were loaded: one may be initialised once in a process.
static MODULES: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// Where a token and its wrapping key are.
#[derive(Debug, Clone)]
pub struct TokenPlace {
    /// The token's library, e.g. of the module's vendor.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The label of the token's AES key; made on first use.
    pub object: String,
    /// The file with the user PIN, which only its owner can read.
    pub pin_file: PathBuf,
}

/// Encrypts a secret under the token's key, which is made if the token has none of that label.
pub(super) fn wrap(place: &TokenPlace, kid: &str, secret: &[u8; 32], iv: [u8; 12]) -> Result<Wrapped, KeyProblem> {
    let Open { session, .. } = &open(place)?;
    let key = match find(session, place)? {
        Some(key) => key,
        None => make(session, place)?,
    };
    let mut nonce = iv;
    let ciphertext = gcm(&mut nonce, kid)
        .and_then(|gcm| session.encrypt(&Mechanism::AesGcm(gcm), key, secret))
        .map_err(|error| refused(place, "would not encrypt", &error))?;
    Ok(Wrapped {
        module: place.module.clone(),
        token: place.token.clone(),
        object: place.object.clone(),
        pin_file: place.pin_file.clone(),
        iv: URL_SAFE_NO_PAD.encode(iv),
        ciphertext: URL_SAFE_NO_PAD.encode(ciphertext),
    })
}

/// Has the token decrypt what lies in `file`.
pub(super) fn unwrap(file: &Path, kid: &str, wrapped: &Wrapped) -> Result<Zeroizing<[u8; 32]>, KeyProblem> {
    let place = TokenPlace {
        module: wrapped.module.clone(),
        token: wrapped.token.clone(),
        object: wrapped.object.clone(),
        pin_file: wrapped.pin_file.clone(),
    };
    let bad = |what: &str| KeyProblem::new(file, what, "restore the file as `priorityd keys wrap` wrote it");
    let iv = URL_SAFE_NO_PAD.decode(&wrapped.iv).ok().and_then(|iv| <[u8; 12]>::try_from(iv).ok());
    let mut iv = iv.ok_or_else(|| bad("`priorityd_pkcs11.iv` is not 12 bytes"))?;
    let ciphertext = URL_SAFE_NO_PAD.decode(&wrapped.ciphertext).ok().filter(|bytes| bytes.len() == 48);
    let ciphertext = ciphertext.ok_or_else(|| bad("`priorityd_pkcs11.ciphertext` is not 48 bytes"))?;
    let Open { session, .. } = &open(&place)?;
    let Some(key) = find(session, &place)? else {
        let problem = format!("has no AES key with the label {}, which wraps {kid}", place.object);
        return Err(problem_of(&place, problem, "plug in the token that wrapped it"));
    };
    let clear = gcm(&mut iv, kid).and_then(|gcm| session.decrypt(&Mechanism::AesGcm(gcm), key, &ciphertext));
    let clear = clear.map(Zeroizing::new).map_err(|_| {
        bad("was not wrapped by the token's key, or not as this key: it was changed, or belongs to another token")
    })?;
    <[u8; 32]>::try_from(clear.as_slice()).map(Zeroizing::new).map_err(|_| bad("does not unwrap to 32 bytes"))
}

fn gcm<'a>(iv: &'a mut [u8; 12], kid: &'a str) -> Result<GcmParams<'a>, Error> {
    GcmParams::new(iv, kid.as_bytes(), TAG_BITS.into())
}

/// A session in which the user is logged in, for as long as the lock is held: tokens in software are files, and a process
/// that looks while another one writes finds them broken.
struct Open {
    session: Session,
    _turn: File,
}

fn open(place: &TokenPlace) -> Result<Open, KeyProblem> {
    let pin = file::read_private(&place.pin_file)?;
    let turn = File::open(&place.pin_file).and_then(|file| file.lock().map(|()| file)).map_err(|error| {
        let problem = format!("cannot be locked ({})", error.kind());
        KeyProblem::new(&place.pin_file, problem, "put it on a file system that has locks")
    })?;
    let pin = std::str::from_utf8(&pin).map(str::trim).map_err(|_| {
        KeyProblem::new(&place.pin_file, "is not text", "the file holds the user PIN of the token and nothing else")
    })?;
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let module = match modules.get(&place.module) {
        Some(module) => module.clone(),
        None => {
            let module = load(&place.module)?;
            modules.insert(place.module.clone(), module.clone());
            module
        }
    };
    let slots = module.get_slots_with_initialized_token();
    let slots = slots.map_err(|error| refused(place, "cannot be looked for", &error))?;
    let labelled = |slot: &cryptoki::slot::Slot| {
        module.get_token_info(*slot).is_ok_and(|token| token.label().trim_end() == place.token)
    };
    let Some(slot) = slots.into_iter().find(labelled) else {
        let problem = format!("has no token with the label {}", place.token);
        return Err(KeyProblem::new(&place.module, problem, "check the label, and that the token is plugged in"));
    };
    let session = module.open_rw_session(slot).map_err(|error| refused(place, "cannot be opened", &error))?;
    match session.login(UserType::User, Some(&AuthPin::new(pin.into()))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(Open { session, _turn: turn }),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
            let remedy = format!("write the user PIN of the token into {}", place.pin_file.display());
            Err(problem_of(place, "refuses the PIN".to_owned(), remedy))
        }
        Err(Error::Pkcs11(RvError::PinLocked, _)) => {
            Err(problem_of(place, "is locked after wrong PINs".to_owned(), "have its security officer unlock it"))
        }
        Err(error) => Err(refused(place, "lets nobody log in", &error)),
    }
}

fn load(module: &Path) -> Result<Pkcs11, KeyProblem> {
    let loaded = Pkcs11::new(module).map_err(|_| {
        KeyProblem::new(module, "is no PKCS#11 module", "check the path; it is the library that came with the token")
    })?;
    match loaded.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(loaded),
        Err(error) => {
            let problem = format!("does not start ({})", kind(&error));
            Err(KeyProblem::new(module, problem, "see the module's own documentation and log"))
        }
    }
}

fn find(session: &Session, place: &TokenPlace) -> Result<Option<ObjectHandle>, KeyProblem> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Label(place.object.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template).map_err(|error| refused(place, "cannot be searched", &error))?;
    Ok(found.into_iter().next())
}

/// An AES-256 key that never leaves the token.
fn make(session: &Session, place: &TokenPlace) -> Result<ObjectHandle, KeyProblem> {
    let template = [
        Attribute::Label(place.object.as_bytes().to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::ValueLen(32.into()),
    ];
    let made = session.generate_key(&Mechanism::AesKeyGen, &template);
    made.map_err(|error| refused(place, "would not make an AES key", &error))
}

fn refused(place: &TokenPlace, what: &str, error: &Error) -> KeyProblem {
    problem_of(place, format!("{what} ({})", kind(error)), "see the token's own documentation and log")
}

fn problem_of(place: &TokenPlace, problem: String, remedy: impl Into<String>) -> KeyProblem {
    KeyProblem::new(&place.module, format!("the token {} {problem}", place.token), remedy)
}

/// The standard's own word for a failure.
fn kind(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, _) => format!("{value:?}"),
        _ => "outside the standard".to_owned(),
    }
}
