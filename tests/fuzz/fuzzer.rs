//! Feeds one target, which `FUZZ_TARGET` names, with what libFuzzer makes up.
#![cfg_attr(feature = "fuzzer", no_main)]

#[cfg(feature = "fuzzer")]
mod feed {
    use std::sync::OnceLock;

    use libfuzzer_sys::fuzz_target;
    use tests::fuzz::{TARGETS, Target};

    fn target() -> Target {
        static TARGET: OnceLock<Target> = OnceLock::new();
        *TARGET.get_or_init(|| {
            let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
            let found = TARGETS.iter().find(|(known, _)| *known == name);
            assert!(found.is_some(), "FUZZ_TARGET must name a target");
            found.map_or(|_| {}, |(_, target)| *target)
        })
    }

    fuzz_target!(|bytes: &[u8]| target()(bytes));
}
