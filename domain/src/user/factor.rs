//! A second factor: six digits that a member's device makes of a shared secret and the time.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;

/// How long a code is the one that a device shows, in seconds.
pub const STEP: i64 = 30;
/// How many digits a code has.
const DIGITS: usize = 6;

/// What a member's device and the site share (RFC 6238, SHA-1 as every device knows it); never shown by
/// `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TotpSecret([u8; 20]);

/// The text isn't a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is 32 letters and digits of base32")]
pub struct NotASecret;

impl TotpSecret {
    /// Makes the secret of twenty random bytes.
    pub fn new(random: [u8; 20]) -> Self {
        Self(random)
    }

    /// Gives the secret away in base32, for the member's own device.
    pub fn reveal(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// Gives the code of a step.
    pub fn code(&self, step: i64) -> String {
        format!("{:0DIGITS$}", self.digits(step))
    }

    /// Finds the step of a code at a moment, in seconds since 1970: the present one, or the one before or
    /// after, for clocks that differ.
    pub fn step(&self, code: &str, now: i64) -> Option<i64> {
        if code.len() != DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // Numbers are compared in one go, whatever they are.
        let code: u32 = code.parse().ok()?;
        let present = now.div_euclid(STEP);
        let mut steps = [present, present - 1, present + 1].into_iter();
        steps.find(|step| self.digits(*step) == code)
    }

    fn digits(&self, step: i64) -> u32 {
        number(&self.0, step) % 1_000_000
    }
}

/// The number of a counter before it is cut to its digits (RFC 4226).
fn number(secret: &[u8], counter: i64) -> u32 {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else {
        return 0;
    };
    mac.update(&counter.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash.last().copied().unwrap_or_default() & 0x0f);
    let word = hash.get(offset..).and_then(<[u8]>::first_chunk);
    word.copied().map_or(0, u32::from_be_bytes) & 0x7fff_ffff
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

impl From<TotpSecret> for String {
    fn from(secret: TotpSecret) -> Self {
        secret.reveal()
    }
}

impl TryFrom<String> for TotpSecret {
    type Error = NotASecret;

    fn try_from(text: String) -> Result<Self, NotASecret> {
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(NotASecret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1: the published codes have eight digits.
    #[test]
    fn the_published_vectors_hold() {
        let secret = TotpSecret::new(*b"12345678901234567890");
        for (time, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            let step = time / STEP;
            assert_eq!(number(&secret.0, step) % 100_000_000, code, "{time}");
            assert_eq!(secret.code(step), format!("{:06}", code % 1_000_000));
        }
    }

    #[test]
    fn a_code_is_good_in_its_step_and_the_ones_beside_it() {
        let secret = TotpSecret::new([7; 20]);
        let code = secret.code(100);
        for (now, step) in [
            (2_969, None),
            (2_970, Some(100)),
            (3_000, Some(100)),
            (3_059, Some(100)),
            (3_060, None),
        ] {
            assert_eq!(secret.step(&code, now), step, "{now}");
        }
        assert_eq!(secret.step("", 3_000), None);
        assert_eq!(secret.step(&format!("{code}0"), 3_000), None);
    }

    #[test]
    fn a_secret_is_written_in_base32_and_never_shown() {
        let secret = TotpSecret::new(*b"12345678901234567890");
        assert_eq!(secret.reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(TotpSecret::try_from(secret.reveal()), Ok(secret.clone()));
        assert_eq!(TotpSecret::try_from("GEZDGNBV".to_owned()), Err(NotASecret));
        assert_eq!(format!("{secret:?}"), "TotpSecret(…)");
    }
}
