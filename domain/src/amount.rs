//! Amounts with their units, and the ratio as a pair. No floats.

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl std::fmt::Display for Bytes {
    /// Shows the size in binary units with two decimals, such as `1.46 GiB`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut scale: u128 = 1024;
        let mut units = UNITS.iter();
        let mut unit = units.next().unwrap_or(&"KiB");
        for next in units {
            if u128::from(self.0) < scale * 1024 {
                break;
            }
            scale *= 1024;
            unit = next;
        }
        let hundredths = u128::from(self.0) * 100 / scale;
        write!(f, "{}.{:02} {unit}", hundredths / 100, hundredths % 100)
    }
}

/// A number of seconds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seconds(pub u64);

/// Uploaded against downloaded, compared without rounding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ratio {
    /// Bytes credited as uploaded.
    pub uploaded: Bytes,
    /// Bytes credited as downloaded.
    pub downloaded: Bytes,
}

impl std::fmt::Display for Ratio {
    /// Shows two decimals, rounded down; `∞` for an upload without a download and `–` for neither.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.uploaded.0, self.downloaded.0) {
            (0, 0) => f.write_str("–"),
            (_, 0) => f.write_str("∞"),
            (up, down) => {
                let hundredths = u128::from(up) * 100 / u128::from(down);
                write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_in_its_largest_whole_unit() {
        let shown: Vec<String> = [0, 1023, 1024, 1_572_864, 1 << 40, u64::MAX]
            .map(|n| Bytes(n).to_string())
            .to_vec();
        assert_eq!(
            shown,
            [
                "0 B",
                "1023 B",
                "1.00 KiB",
                "1.50 MiB",
                "1.00 TiB",
                "15.99 EiB"
            ]
        );
    }

    #[test]
    fn a_ratio_is_never_rounded_up() {
        let ratio = |up, down| {
            Ratio {
                uploaded: Bytes(up),
                downloaded: Bytes(down),
            }
            .to_string()
        };
        assert_eq!(ratio(999, 1000), "0.99");
        assert_eq!(ratio(5, 0), "∞");
        assert_eq!(ratio(0, 0), "–");
    }
}
