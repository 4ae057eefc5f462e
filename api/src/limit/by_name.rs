//! Tries to sign in by a name, and to prove a session's own password, wherever they come from.

use std::time::Duration;

use axum::http::StatusCode;
use commands::limit::Window;

use super::Client;
use crate::app::App;
use crate::problem::Problem;
use crate::session::SignedIn;

/// What a try to sign in by a name counts towards, until it succeeds.
#[derive(Debug)]
pub(crate) struct Try {
    window: Window,
    from: String,
    counted: bool,
}

/// How long an address is known as one from which a name has signed in.
const FAMILIAR: Duration = Duration::from_hours(24 * 30);

impl Try {
    /// Counts a try for a name, or refuses it. Who signed in from here before isn't locked out by
    /// strangers who guess.
    pub(crate) async fn begin(app: &App, client: Client, folded: &str) -> Result<Self, Problem> {
        let window = app.shield.by_name(folded);
        let from = from(app, client, folded);
        let familiar = app.ephemera.get(&from).await?.is_some();
        if !familiar {
            app.shield.guess(&window).await?;
        }
        Ok(Self {
            window,
            from,
            counted: !familiar,
        })
    }

    /// Counts a guess at the second factor of a name, or refuses it, wherever it comes from: who guesses
    /// knows the password.
    pub(crate) async fn guess(app: &App, client: Client, folded: &str) -> Result<Self, Problem> {
        let window = app.shield.by_code(folded);
        app.shield.guess(&window).await?;
        Ok(Self {
            window,
            from: from(app, client, folded),
            counted: true,
        })
    }

    /// Tells whether it counts.
    pub(crate) fn counted(&self) -> bool {
        self.counted
    }

    /// Takes back a try for a name that counted, and succeeded by a code.
    pub(crate) async fn forget(app: &App, folded: &str) {
        app.shield.forgive(&app.shield.by_name(folded)).await;
    }

    /// Takes it back: it succeeded.
    pub(crate) async fn succeeded(self, app: &App) {
        let kept = app.ephemera.put(&self.from, b"", FAMILIAR).await;
        if self.counted {
            app.shield.forgive(&self.window).await;
        }
        if let Err(error) = kept {
            tracing::debug!(%error, "where the member signed in from isn't remembered");
        }
    }
}

/// Gives the key under which it is kept that a name has signed in from somewhere.
fn from(app: &App, client: Client, folded: &str) -> String {
    let shield = &app.shield;
    let (address, name) = (shield.address(client.0), shield.by_name(folded).whose);
    let both = shield.subject(b"both ", &[address, name].concat());
    format!("signed-in:{}", hex::encode(both))
}

/// Has a member prove their own password: what fails counts for the session. Who has another one, since they
/// know the password, isn't held up.
pub(crate) async fn again<T>(
    app: &App,
    by: &SignedIn,
    proving: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let window = app.shield.proof(by.key());
    app.shield.guess(&window).await?;
    let proved = proving.await;
    let failed = |problem: &Problem| problem.status == StatusCode::UNAUTHORIZED;
    if !proved.as_ref().is_err_and(failed) {
        app.shield.forgive(&window).await;
    }
    proved
}
