//! SCRAM (RFC 5802, RFC 7677) without channel binding: what a client says, and how it knows the server.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use zeroize::Zeroizing;

use super::settings::ScramMechanism;

/// Fewer rounds than brokers hash by: an impostor asks for few. More than this only keeps us busy.
const ROUNDS: std::ops::RangeInclusive<usize> = 4_096..=10_000_000;

/// `n,,`: no channel binding, and nobody else's authority.
const GS2_HEADER: &str = "n,,";

/// One exchange.
pub(super) struct Scram {
    digest: MessageDigest,
    nonce: String,
    first_bare: String,
}

/// The client's last word, and the proof that the server knows the password as well.
pub(super) struct Proof {
    pub(super) message: String,
    server_signature: Vec<u8>,
}

impl Scram {
    /// Begins with a nonce that was never used before.
    pub(super) fn new(mechanism: ScramMechanism, username: &str, nonce: String) -> Self {
        let digest = match mechanism {
            ScramMechanism::Sha256 => MessageDigest::sha256(),
            ScramMechanism::Sha512 => MessageDigest::sha512(),
        };
        let username = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={username},r={nonce}");
        Self { digest, nonce, first_bare }
    }

    /// The client's first word.
    pub(super) fn first(&self) -> String {
        format!("{GS2_HEADER}{}", self.first_bare)
    }

    /// Answers the server's first word; `None` where that is not one.
    pub(super) fn answer(&self, server_first: &str, password: &str) -> Option<Proof> {
        let field = |name: &str| server_first.split(',').find_map(|field| field.strip_prefix(name));
        let nonce = field("r=").filter(|nonce| nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce))?;
        let salt = BASE64_STANDARD.decode(field("s=")?).ok()?;
        let rounds = field("i=")?.parse().ok().filter(|rounds| ROUNDS.contains(rounds))?;
        let binding = BASE64_STANDARD.encode(GS2_HEADER);
        let without_proof = format!("c={binding},r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        self.prove(password, &salt, rounds, signed.as_bytes(), &without_proof).ok()
    }

    fn prove(
        &self,
        password: &str,
        salt: &[u8],
        rounds: usize,
        signed: &[u8],
        without_proof: &str,
    ) -> Result<Proof, ErrorStack> {
        let mut salted = Zeroizing::new(vec![0; self.digest.size()]);
        pbkdf2_hmac(password.as_bytes(), salt, rounds, self.digest, &mut salted)?;
        let client_key = Zeroizing::new(self.hmac(&salted, b"Client Key")?);
        let client_signature = self.hmac(&hash(self.digest, &client_key)?, signed)?;
        let proof: Vec<u8> = client_key.iter().zip(&client_signature).map(|(key, signature)| key ^ signature).collect();
        let server_signature = self.hmac(&self.hmac(&salted, b"Server Key")?, signed)?;
        let message = format!("{without_proof},p={}", BASE64_STANDARD.encode(proof));
        Ok(Proof { message, server_signature })
    }

    fn hmac(&self, key: &[u8], message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        Signer::new(self.digest, &*PKey::hmac(key)?)?.sign_oneshot_to_vec(message)
    }
}

impl Proof {
    /// Does the server's last word show that it knows the password?
    pub(super) fn is_answered_by(&self, server_final: &str) -> bool {
        let signature = server_final.strip_prefix("v=").and_then(|text| BASE64_STANDARD.decode(text).ok());
        signature.is_some_and(|signature| {
            signature.len() == self.server_signature.len() && openssl::memcmp::eq(&signature, &self.server_signature)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3.
    #[test]
    fn speaks_as_the_rfc_does() {
        let scram = Scram::new(ScramMechanism::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".into());
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.answer(server_first, "pencil").expect("an answer");
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(proof.message, expected);
        assert!(proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proof.is_answered_by("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") && !proof.is_answered_by(""));
    }

    #[test]
    fn an_impostor_is_not_answered() {
        let scram = Scram::new(ScramMechanism::Sha512, "a,b=c", "nonce".into());
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=nonce");
        for wrong in
            ["", "r=other,s=QQ==,i=4096", "r=nonce,s=QQ==,i=4096", "r=nonce1,s=QQ==,i=1", "r=nonce1,s=?,i=4096"]
        {
            assert!(scram.answer(wrong, "password").is_none(), "{wrong}");
        }
    }
}
