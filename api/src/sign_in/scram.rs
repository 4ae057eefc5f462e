//! The core of SCRAM-SHA-256 (RFC 5802, RFC 7677) in our own words.
//!
//! S = PBKDF2-HMAC-SHA-256(password in NFKC, salt, iterations). key = HMAC(S, "Client Key"),
//! server key = HMAC(S, "Server Key"), verifier = SHA-256(key). The proof is key XOR
//! HMAC(verifier, transcript): the site recovers the key and compares its hash, and answers
//! HMAC(server key, transcript). Who reads the verifier can't sign in; who watches one sign-in can't
//! replay it. The browser's side is `api/assets/modules/crypto.js`; both are tested by
//! `api/assets/tests/vectors.json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::user::Credentials;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;

/// The name of the scheme.
pub const SCHEME: &str = "v2";
/// The name of the key derivation.
pub const KDF: &str = "PBKDF2-HMAC-SHA256";

/// What is proved. A proof that was made for one purpose is none for another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To sign in.
    #[default]
    SignIn,
    /// To change the password, or to get recovery codes.
    Password,
    /// To seal the site.
    Panic,
    /// To erase a member, oneself or another one.
    Erasure,
    /// To set up a second factor, or to turn off one's own or another's.
    SecondFactor,
}

impl Purpose {
    /// Gives the label with which both sides begin.
    fn label(self) -> &'static str {
        match self {
            Self::SignIn => "opentracker-login-v2",
            Self::Password => "opentracker-password-v2",
            Self::Panic => "opentracker-panic-v2",
            Self::Erasure => "opentracker-erasure-v2",
            Self::SecondFactor => "opentracker-factor-v2",
        }
    }
}

/// What both sides say in one sign-in.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// What is proved.
    pub purpose: Purpose,
    /// Where the browser is.
    pub origin: &'a str,
    /// The name as it was typed.
    pub username: &'a str,
    /// Salt and iterations.
    pub credentials: &'a Credentials,
    /// The site's 64 hex digits.
    pub challenge: &'a str,
    /// The client's random bytes, base64.
    pub client_nonce: &'a str,
}

/// Derives what the site keeps of a password.
pub fn credentials(password: &str, salt: [u8; 32], iterations: u32) -> Credentials {
    let salted = salted(password, &salt, iterations);
    let verifier = Sha256::digest(mac(&salted, b"Client Key")).into();
    Credentials {
        salt,
        iterations,
        verifier,
        server_key: mac(&salted, b"Server Key"),
    }
}

/// Makes a client's proof.
pub fn prove(password: &str, credentials: &Credentials, transcript: &[u8]) -> [u8; 32] {
    let key = mac(
        &salted(password, &credentials.salt, credentials.iterations),
        b"Client Key",
    );
    let verifier = Sha256::digest(key);
    xor(&key, &mac(&verifier, transcript))
}

/// Checks a proof; gives the site's own proof for the right one.
pub fn verify(credentials: &Credentials, transcript: &[u8], proof: &[u8; 32]) -> Option<[u8; 32]> {
    let key = xor(proof, &mac(&credentials.verifier, transcript));
    let right = Sha256::digest(key)
        .as_slice()
        .ct_eq(credentials.verifier.as_slice());
    let signature = mac(&credentials.server_key, transcript);
    bool::from(right).then_some(signature)
}

/// Writes what both sides sign: each part behind its length.
pub fn transcript(exchange: &Exchange<'_>) -> Vec<u8> {
    let Exchange {
        purpose,
        origin,
        username,
        credentials,
        challenge,
        client_nonce,
    } = exchange;
    let (iterations, salt) = (
        credentials.iterations.to_string(),
        STANDARD.encode(credentials.salt),
    );
    parts(&[
        purpose.label(),
        origin,
        username,
        SCHEME,
        KDF,
        &iterations,
        &salt,
        challenge,
        client_nonce,
    ])
}

/// Writes what a false salt is hashed from.
pub(crate) fn false_salt_message(name: &str) -> Vec<u8> {
    parts(&["opentracker-fake-salt-v1", name])
}

fn parts(texts: &[&str]) -> Vec<u8> {
    let mut bytes = vec![];
    for text in texts {
        bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn salted(password: &str, salt: &[u8; 32], iterations: u32) -> [u8; 32] {
    let password: String = password.nfkc().collect();
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, iterations)
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mac| {
        mac.chain_update(message).finalize().into_bytes().into()
    })
}

fn xor(one: &[u8; 32], other: &[u8; 32]) -> [u8; 32] {
    let mut result = *one;
    result
        .iter_mut()
        .zip(other)
        .for_each(|(to, with)| *to ^= with);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../assets/tests/vectors.json")).unwrap()
    }

    fn bytes(text: &Value) -> [u8; 32] {
        STANDARD
            .decode(text.as_str().unwrap())
            .unwrap()
            .try_into()
            .unwrap()
    }

    /// The vectors' transcript, and what the site keeps.
    fn setting(vector: &Value) -> (Credentials, Vec<u8>) {
        let iterations = u32::try_from(vector["iterations"].as_u64().unwrap()).unwrap();
        let text = |key: &str| vector[key].as_str().unwrap();
        let kept = credentials(text("password"), bytes(&vector["salt"]), iterations);
        let transcript = transcript(&Exchange {
            purpose: Purpose::deserialize(&vector["purpose"]).unwrap_or_default(),
            origin: text("origin"),
            username: text("username"),
            credentials: &kept,
            challenge: text("challenge"),
            client_nonce: text("clientNonce"),
        });
        (kept, transcript)
    }

    #[test]
    fn the_published_vectors_hold() {
        let vectors = vectors();
        let both = ["signIn", "panic"].map(|purpose| vectors[purpose].as_array().unwrap());
        for vector in both.into_iter().flatten() {
            let (kept, transcript) = setting(vector);
            assert_eq!(kept.verifier, bytes(&vector["verifier"]));
            assert_eq!(
                hex::encode(Sha256::digest(&transcript)),
                vector["transcriptHash"].as_str().unwrap()
            );
            let proof = prove(vector["password"].as_str().unwrap(), &kept, &transcript);
            assert_eq!(proof, bytes(&vector["proof"]));
            assert_eq!(
                verify(&kept, &transcript, &proof),
                Some(bytes(&vector["serverSignature"]))
            );
        }
    }

    #[test]
    fn the_published_false_salt_holds() {
        let salt = mac(&[0x11; 32], &false_salt_message("nosuchuser"));
        assert_eq!(
            STANDARD.encode(salt),
            vectors()["falseSalt"].as_str().unwrap()
        );
    }

    #[test]
    fn every_changed_bit_of_a_proof_is_refused() {
        let kept = credentials("secret", [1; 32], 1);
        let proof = prove("secret", &kept, b"said");
        assert!(verify(&kept, b"said", &proof).is_some());
        assert!(verify(&kept, b"else", &proof).is_none());
        for bit in 0..256 {
            let mut changed = proof;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&kept, b"said", &changed).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn who_reads_what_is_kept_cannot_prove() {
        let kept = credentials("secret", [1; 32], 1);
        let mut guesses = vec![
            kept.verifier,
            kept.server_key,
            mac(&kept.verifier, b"said"),
            [0; 32],
        ];
        guesses.push(xor(&kept.verifier, &mac(&kept.verifier, b"said")));
        assert!(
            guesses
                .iter()
                .all(|guess| verify(&kept, b"said", guess).is_none())
        );
    }
}
