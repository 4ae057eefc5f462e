//! The site as security keys know it (WebAuthn level 3): what is asked of one, and whether its answer is good.
//!
//! The checks are the library's; what is kept of a key is the domain's own.

use domain::user::{Opaque, PublicKey, SecurityKey, Transport};
use uuid::Uuid;
use webauthn_rs::prelude::{
    COSEAlgorithm, COSEEC2Key, COSEKey, COSEKeyType, COSERSAKey, CreationChallengeResponse,
    Credential, ECDSACurve, PublicKeyCredential, RegisterPublicKeyCredential,
    RequestChallengeResponse, SecurityKeyAuthentication, SecurityKeyRegistration, Url,
    WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use webauthn_rs_core::proto::{
    AttestationFormat, AuthenticatorTransport, ParsedAttestation, RegisteredExtensions,
    UserVerificationPolicy,
};

use crate::app::Site;

/// A key's answer to a sign-in's challenge, as it was checked.
pub(super) struct Signed {
    /// Which key.
    pub(super) id: Opaque,
    /// How often it has signed.
    pub(super) counter: u32,
}

/// Why an answer isn't good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotGood {
    /// It is another challenge's, site's or key's, or was changed on the way.
    Wrong,
    /// The key's counter went back.
    Copied,
}

impl From<WebauthnError> for NotGood {
    fn from(error: WebauthnError) -> Self {
        tracing::debug!(%error, "a security key's answer isn't good");
        if matches!(error, WebauthnError::CredentialPossibleCompromise) {
            Self::Copied
        } else {
            Self::Wrong
        }
    }
}

/// Gives the first of the site's origins that keys can know: one with a name, for none binds itself to a bare
/// address.
pub(crate) fn origin(site: &Site) -> Option<Url> {
    let read = |origin: &String| Url::parse(origin).ok();
    let mut origins = site.origins.iter().filter_map(read);
    origins.find(|origin| origin.domain().is_some())
}

/// Gives the site as keys know it, where they can.
pub(super) fn party(site: &Site) -> Option<Webauthn> {
    at(&origin(site)?, &site.name())
}

/// Gives a site at an origin as keys know it.
pub(super) fn at(origin: &Url, name: &str) -> Option<Webauthn> {
    let builder = WebauthnBuilder::new(origin.domain()?, origin).ok()?;
    builder.rp_name(name).build().ok()
}

/// Asks for another key of a member's, none of those that they have.
pub(super) fn ask_for_new(
    party: &Webauthn,
    (member, name): (Uuid, &str),
    held: Vec<Vec<u8>>,
) -> Result<(CreationChallengeResponse, SecurityKeyRegistration), NotGood> {
    let begun = party.start_securitykey_registration(member, name, name, Some(held), None, None);
    let (mut asked, state) = begun?;
    // Keys in a device are as welcome as others, and one without a PIN stays usable.
    asked.public_key.hints = None;
    asked.public_key.extensions = None;
    Ok((asked, state))
}

/// Takes a new key in.
pub(super) fn take(
    party: &Webauthn,
    answer: &RegisterPublicKeyCredential,
    state: &SecurityKeyRegistration,
    (name, added): (String, i64),
) -> Result<SecurityKey, NotGood> {
    let made: Credential = party.finish_securitykey_registration(answer, state)?.into();
    let transports = made.transports.unwrap_or_default();
    Ok(SecurityKey {
        id: Opaque(made.cred_id),
        name,
        public_key: kept(made.cred).ok_or(NotGood::Wrong)?,
        counter: made.counter,
        user_verified: made.user_verified,
        backup_eligible: made.backup_eligible,
        transports: transports.iter().filter_map(reached).collect(),
        added,
    })
}

/// Asks for a signature by one of a member's keys.
pub(super) fn ask(
    party: &Webauthn,
    held: impl Iterator<Item = SecurityKey>,
) -> Result<(RequestChallengeResponse, SecurityKeyAuthentication), NotGood> {
    let held: Vec<_> = held.map(|key| credential(key).into()).collect();
    let (mut asked, state) = party.start_securitykey_authentication(&held)?;
    asked.public_key.hints = None;
    Ok((asked, state))
}

/// Checks what a key signed.
pub(super) fn check(
    party: &Webauthn,
    answer: &PublicKeyCredential,
    state: &SecurityKeyAuthentication,
) -> Result<Signed, NotGood> {
    let result = party.finish_securitykey_authentication(answer, state)?;
    Ok(Signed {
        id: Opaque(result.cred_id().clone()),
        counter: result.counter(),
    })
}

fn kept(key: COSEKey) -> Option<PublicKey> {
    let opaque = Opaque;
    match (key.type_, key.key) {
        (COSEAlgorithm::ES256, COSEKeyType::EC_EC2(point)) => Some(PublicKey::Es256 {
            x: opaque(point.x),
            y: opaque(point.y),
        }),
        (COSEAlgorithm::ES384, COSEKeyType::EC_EC2(point)) => Some(PublicKey::Es384 {
            x: opaque(point.x),
            y: opaque(point.y),
        }),
        (COSEAlgorithm::RS256, COSEKeyType::RSA(rsa)) => Some(PublicKey::Rs256 {
            n: opaque(rsa.n),
            e: opaque(rsa.e.to_vec()),
        }),
        _ => None,
    }
}

fn cose(key: PublicKey) -> COSEKey {
    let point = |curve, x: Opaque, y: Opaque| {
        let (x, y) = (x.0, y.0);
        COSEKeyType::EC_EC2(COSEEC2Key { curve, x, y })
    };
    let (type_, key) = match key {
        PublicKey::Es256 { x, y } => (COSEAlgorithm::ES256, point(ECDSACurve::SECP256R1, x, y)),
        PublicKey::Es384 { x, y } => (COSEAlgorithm::ES384, point(ECDSACurve::SECP384R1, x, y)),
        PublicKey::Rs256 { n, e } => {
            let e = e.0.try_into().unwrap_or_default();
            (
                COSEAlgorithm::RS256,
                COSEKeyType::RSA(COSERSAKey { n: n.0, e }),
            )
        }
    };
    COSEKey { type_, key }
}

fn credential(key: SecurityKey) -> Credential {
    let transports = key.transports.iter().copied().map(reaches).collect();
    Credential {
        cred_id: key.id.0,
        cred: cose(key.public_key),
        counter: key.counter,
        transports: Some(transports),
        user_verified: key.user_verified,
        backup_eligible: key.backup_eligible,
        backup_state: false,
        registration_policy: UserVerificationPolicy::Preferred,
        extensions: RegisteredExtensions::none(),
        attestation: ParsedAttestation::default(),
        attestation_format: AttestationFormat::None,
    }
}

fn reached(by: &AuthenticatorTransport) -> Option<Transport> {
    match by {
        AuthenticatorTransport::Usb => Some(Transport::Usb),
        AuthenticatorTransport::Nfc => Some(Transport::Nfc),
        AuthenticatorTransport::Ble => Some(Transport::Ble),
        AuthenticatorTransport::Internal => Some(Transport::Internal),
        AuthenticatorTransport::Hybrid => Some(Transport::Hybrid),
        AuthenticatorTransport::Test | AuthenticatorTransport::Unknown => None,
    }
}

fn reaches(by: Transport) -> AuthenticatorTransport {
    match by {
        Transport::Usb => AuthenticatorTransport::Usb,
        Transport::Nfc => AuthenticatorTransport::Nfc,
        Transport::Ble => AuthenticatorTransport::Ble,
        Transport::Internal => AuthenticatorTransport::Internal,
        Transport::Hybrid => AuthenticatorTransport::Hybrid,
    }
}
