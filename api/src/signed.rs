//! Tokens that are known again without being kept, so that nobody fills the memory by asking for them.
//!
//! One is 32 bytes as 64 hex digits: expiry (u32), what its maker put in, random bytes up to the sixteenth,
//! and 16 bytes of a keyed hash over those and what the token is bound to.

use std::time::Duration;

use domain::Purpose;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use crate::app::App;

/// How long a token holds.
pub(crate) const LIFE: Duration = Duration::from_mins(5);

/// A token of ours.
pub(crate) struct Signed {
    /// Whether it holds no longer.
    pub(crate) late: bool,
    /// What its maker put in, and random bytes behind it.
    pub(crate) said: [u8; 12],
}

/// Makes a token that says something, a few bytes.
pub(crate) fn make(app: &App, bound: &[u8], said: &[u8]) -> String {
    let mut fields = [0; 16];
    app.random.fill(&mut fields);
    let expiry = now().saturating_add(LIFE.as_secs()).try_into();
    let said = [&expiry.unwrap_or(u32::MAX).to_be_bytes(), said].concat();
    fields
        .iter_mut()
        .zip(said)
        .for_each(|(to, from)| *to = from);
    hex::encode([fields, mac(app, bound, fields)].concat())
}

/// Reads a token, if it is one of ours.
pub(crate) fn read(app: &App, bound: &[u8], token: &str) -> Option<Signed> {
    let lower = token.bytes().all(|digit| !digit.is_ascii_uppercase());
    let mut bytes = [0; 32];
    hex::decode_to_slice(token, &mut bytes)
        .ok()
        .filter(|()| lower)?;
    let (fields, tag) = (*bytes.first_chunk()?, bytes.last_chunk::<16>()?);
    let ours: bool = mac(app, bound, fields).ct_eq(tag).into();
    let expiry = u32::from_be_bytes(*fields.first_chunk()?);
    ours.then_some(Signed {
        late: now() > u64::from(expiry),
        said: *fields.last_chunk()?,
    })
}

fn mac(app: &App, bound: &[u8], fields: [u8; 16]) -> [u8; 16] {
    let mac = app.keys.mac(Purpose::Challenge, &[&fields, bound].concat());
    mac.first_chunk().copied().unwrap_or_default()
}

fn now() -> u64 {
    OffsetDateTime::now_utc().unix_timestamp().unsigned_abs()
}
