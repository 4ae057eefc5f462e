//! A security key in software: it answers what a site asks as a browser and a key do together (WebAuthn level 3).

use api::sign_in::scram::Purpose;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Client;

/// Somebody was there.
const PRESENT: u8 = 0x01;
/// A new key follows.
const ATTESTED: u8 = 0x40;

/// It counts how often it signs, and knows the origin in which its browser is.
#[derive(Debug, Clone)]
pub struct Authenticator {
    /// Where its browser says it is.
    pub origin: String,
    /// How often it has signed.
    pub counter: u32,
    id: Vec<u8>,
    key: SigningKey,
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Authenticator {
    /// Makes one of a number, which is its secret.
    pub fn new(origin: &str, number: u8) -> Self {
        Self {
            origin: origin.to_owned(),
            counter: 0,
            id: vec![number; 32],
            key: SigningKey::from_slice(&[number; 32]).unwrap(),
        }
    }

    /// By what it knows itself, as a page shows it.
    pub fn id(&self) -> String {
        base64(&self.id)
    }

    /// What checks its signatures: the point's first half, as it is kept.
    pub fn public(&self) -> String {
        base64(self.key.verifying_key().to_sec1_point(false).x().unwrap())
    }

    fn client_data(&self, kind: &str, asked: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind, "challenge": asked["publicKey"]["challenge"], "origin": self.origin, "crossOrigin": false,
        });
        serde_json::to_vec(&data).unwrap()
    }

    fn data(&self, rp: &str, flags: u8) -> Vec<u8> {
        let hash = Sha256::digest(rp);
        [hash.as_slice(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// What it says when it is added.
    pub fn create(&mut self, asked: &Value) -> Value {
        self.counter += 1;
        let rp = asked["publicKey"]["rp"]["id"].as_str().unwrap();
        let point = self.key.verifying_key().to_sec1_point(false);
        let (x, y) = (point.x().unwrap(), point.y().unwrap());
        // A COSE key in CBOR: EC2, ES256, P-256.
        let head = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        let cose = [&head[..], x, &[0x22, 0x58, 0x20], y].concat();
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let mut data = self.data(rp, PRESENT | ATTESTED);
        data.extend([&[0; 16], &length[..], &self.id, &cose].concat());
        // {"fmt": "none", "attStmt": {}, "authData": …}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        let response = json!({
            "attestationObject": base64(object), "clientDataJSON": base64(self.client_data("webauthn.create", asked)),
            "transports": ["usb"],
        });
        self.credential(&response)
    }

    /// What it says when somebody signs in by it.
    pub fn sign(&mut self, asked: &Value) -> Value {
        self.counter += 1;
        let rp = asked["publicKey"]["rpId"].as_str().unwrap();
        let client = self.client_data("webauthn.get", asked);
        let data = self.data(rp, PRESENT);
        let signed = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature: DerSignature = self.key.sign(&signed);
        let response = json!({
            "authenticatorData": base64(data), "clientDataJSON": base64(client),
            "signature": base64(signature.as_bytes()),
        });
        self.credential(&response)
    }

    fn credential(&self, response: &Value) -> Value {
        json!({ "id": self.id(), "rawId": self.id(), "type": "public-key", "response": response, "extensions": {} })
    }
}

impl Client {
    /// Has the site ask for a new key.
    pub async fn begin_key(&self, name: &str, password: &str, called: &str) -> (StatusCode, Value) {
        let proof = self.proof(Purpose::SecondFactor, name, password).await;
        let body = json!({ "proof": proof, "name": called });
        self.post_json("/api/auth/security-key/begin", &body).await
    }

    /// Adds a key; gives the recovery codes that are shown with it.
    pub async fn add_key(&self, name: &str, password: &str, key: &mut Authenticator) -> Value {
        let (status, asked) = self.begin_key(name, password, "in software").await;
        assert_eq!(status, StatusCode::OK, "{asked}");
        let (status, answer) = self.answer_key(&key.create(&asked)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["codes"].clone()
    }

    /// Brings what a new key said.
    pub async fn answer_key(&self, credential: &Value) -> (StatusCode, Value) {
        let body = json!({ "credential": credential });
        self.post_json("/api/auth/security-key/add", &body).await
    }

    /// What the site asks a key to sign for a ticket.
    pub async fn asked_of_key(&self, ticket: &str) -> Value {
        let body = json!({ "ticket": ticket });
        let path = "/api/auth/security-key/challenge";
        let (status, asked) = self.post_json(path, &body).await;
        assert_eq!(status, StatusCode::OK, "{asked}");
        asked
    }

    /// Brings what a key signed for a ticket.
    pub async fn bring_key(&self, ticket: &str, credential: &Value) -> (StatusCode, Value) {
        let body = json!({ "ticket": ticket, "credential": credential });
        self.post_json("/api/auth/security-key", &body).await
    }

    /// Signs by a key for a ticket.
    pub async fn sign_for(&self, ticket: &str, key: &mut Authenticator) -> (StatusCode, Value) {
        let asked = self.asked_of_key(ticket).await;
        self.bring_key(ticket, &key.sign(&asked)).await
    }
}
