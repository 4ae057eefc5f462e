//! Which browser on which system, in two words; the rest of what a browser says isn't kept.

/// Names the browser and the system.
pub(super) fn name(agent: &str) -> String {
    let find = |known: &[(&str, &'static str)], other| {
        known
            .iter()
            .find(|(sign, _)| agent.contains(sign))
            .map_or(other, |(_, name)| *name)
    };
    let browser = find(
        &[
            ("Firefox/", "Firefox"),
            ("Edg/", "Edge"),
            ("OPR/", "Opera"),
            ("Chrome/", "Chrome"),
            ("Safari/", "Safari"),
        ],
        "A program",
    );
    let system = find(
        &[
            ("Android", "Android"),
            ("iPhone", "iOS"),
            ("iPad", "iOS"),
            ("Windows", "Windows"),
            ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ],
        "another system",
    );
    format!("{browser} on {system}")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_browser_is_named_without_its_details() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";
        assert_eq!(name(agent), "Chrome on Linux");
        assert_eq!(name("curl/8"), "A program on another system");
    }
}
