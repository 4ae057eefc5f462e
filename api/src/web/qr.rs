//! A text as a picture that a device reads: a QR code, drawn as one path.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// The modules of the border that readers need.
const BORDER: usize = 4;

/// Draws a text; nothing where it is too long. The picture is dark on light in every theme: many readers
/// know no other.
pub(crate) fn drawn(text: &str, label: &str) -> Markup {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else {
        return html! {};
    };
    let (width, colours) = (code.width(), code.to_colors());
    let mut path = String::new();
    for (at, _) in colours
        .iter()
        .enumerate()
        .filter(|(_, colour)| **colour == Color::Dark)
    {
        let (x, y) = (at % width + BORDER, at / width + BORDER);
        let _infallible = write!(path, "M{x} {y}h1v1h-1z");
    }
    let side = width + 2 * BORDER;
    html! {
        svg.qr viewBox=(format!("0 0 {side} {side}")) role="img" aria-label=(label) shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::drawn;

    #[test]
    fn a_code_has_a_border_and_its_three_eyes() {
        let shown = drawn("otpauth://totp/A:b?secret=GEZDGNBV&issuer=A", "QR").into_string();
        // Version 4 has 33 modules a side.
        assert!(shown.contains("viewBox=\"0 0 41 41\""), "{shown}");
        for eye in [(4, 4), (30, 4), (4, 30)] {
            let modules = (0..7).map(|step| format!("M{} {}h1v1h-1z", eye.0 + step, eye.1));
            for module in modules {
                assert!(shown.contains(&module), "{module}");
            }
        }
        assert!(!shown.contains("M3 ") && !shown.contains("M37 "));
        assert_eq!(drawn(&"a".repeat(3_000), "").into_string(), "");
    }
}
