//! Names the steps of what must survive a fall at any of them, so that tests can fall there.

/// Falls here, in a build for tests, where `FALL_AT` names this step: this process ends at once,
/// as by `kill -9`, and with it the one whose pid file `FALL_WITH` names, as by a loss of
/// power.
pub fn reached(step: &str) {
    #[cfg(debug_assertions)]
    if std::env::var("FALL_AT").is_ok_and(|name| name == step) {
        let file = std::env::var("FALL_WITH").unwrap_or_default();
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let with = text.lines().next().and_then(|line| line.parse().ok());
        for pid in with.into_iter().chain([std::process::id().cast_signed()]) {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _gone = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = step;
}
