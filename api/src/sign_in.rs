//! Signing in and joining: the JSON that the browser's own cryptography talks to.
//!
//! A sign-in takes a [`challenge`] that is single use, holds five minutes and belongs to one name, and
//! answers it by [`scram`]. A name that nobody has gets a false salt that stays the same, the same
//! work and the same answer as a wrong password.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commands::Refusal;
use commands::user::Join;
use domain::id::MemberId;
use domain::invite::Code;
use domain::user::{Credentials, Name, RecoveryCode, Rejection};
use domain::{Keyed, Purpose as KeyPurpose};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use crate::app::App;
use crate::limit::{self, Client, Try};
use crate::network;
use crate::panic::strength;
use crate::problem::{Problem, sentence};
use crate::proof_of_work::{self, Purpose};
use crate::route::{Routes, Who};
use crate::session::{self, SignedIn};
use crate::vault::Secret;

mod challenge;
pub(crate) mod erasure;
pub(crate) mod login;
mod password;
pub(crate) mod relying_party;
pub mod scram;
pub(crate) mod second_factor;
pub(crate) mod security_key;
mod ticket;

pub(crate) use login::reads_login;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/api/auth/challenge", Who::Anyone, challenge)
        .get("/api/auth/pow", Who::Anyone, work)
        .post("/api/auth/register", Who::Anyone, register)
        .post("/api/auth/setup", Who::Anyone, set_up)
        .post("/api/auth/logout", Who::Member, logout)
        .merge(login::routes())
        .merge(password::routes())
        .merge(second_factor::routes())
        .merge(security_key::routes())
        .merge(erasure::routes())
}

/// A JSON body; what is wrong with it is told as a problem.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(value) = Json::<serde_json::Value>::from_request(request, state).await?;
        if has_nul(&value) {
            return Err(Problem::invalid("A text has no NUL in it."));
        }
        let read = serde_json::from_value(value).map_err(|error| Problem {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            ..Problem::invalid(&sentence(&error))
        });
        Ok(Self(read?))
    }
}

/// Tells whether a text holds what no database keeps in one.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other kind holds text")]
fn has_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let invalid = Self::invalid(&sentence(&rejection.body_text().to_lowercase()));
        Self {
            status: rejection.status(),
            ..invalid
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    username: String,
    #[serde(default)]
    purpose: scram::Purpose,
}

#[derive(Serialize)]
struct Asking {
    salt: String,
    challenge: String,
    scheme: &'static str,
    kdf: &'static str,
    iterations: u32,
}

async fn challenge(
    State(app): State<App>,
    Query(asked): Query<Asked>,
) -> Result<Json<Asking>, Problem> {
    let folded = folded(&asked.username);
    let credentials = credentials_of(&app, &asked.username).await?.1;
    let challenge = challenge::make(&app, asked.purpose, &folded).await?;
    Ok(Json(Asking {
        salt: STANDARD.encode(credentials.salt),
        challenge,
        scheme: scram::SCHEME,
        kdf: scram::KDF,
        iterations: credentials.iterations,
    }))
}

/// Gives the form in which a challenge is bound to a name, also for a text that is no name.
fn folded(username: &str) -> String {
    Name::parse(username).map_or_else(
        |_| format!("?{}", username.chars().take(64).collect::<String>()),
        |n| n.folded(),
    )
}

/// Gives a name's member and credentials, or false ones that stay the same.
async fn credentials_of(
    app: &App,
    username: &str,
) -> Result<(Option<MemberId>, Credentials), Problem> {
    let member = match Name::parse(username) {
        Ok(name) => app.commands.member_named(&name).await?,
        Err(_) => None,
    };
    if let Some(member) = member {
        return Ok((Some(member.id), member.credentials));
    }
    // The same look into the store as for a member, so that the time says nothing.
    let _nobody = app.commands.member(MemberId(app.random.id())).await?;
    let message = scram::false_salt_message(&folded(username));
    let salt = app.keys.mac(KeyPurpose::FalseSalt, &message);
    let false_part = |label: &[u8]| {
        app.keys
            .mac(KeyPurpose::FalseSalt, &[label, &salt].concat())
    };
    let (verifier, server_key) = (false_part(b"verifier"), false_part(b"server key"));
    Ok((
        None,
        Credentials {
            salt,
            iterations: app.site.iterations,
            verifier,
            server_key,
        },
    ))
}

pub(crate) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// What answers a challenge.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) username: &'a str,
    pub(crate) challenge: &'a str,
    pub(crate) proof: &'a str,
    pub(crate) client_nonce: &'a str,
}

/// Spends a challenge and checks the answer to it; gives who proved, and the site's own proof.
pub(crate) async fn proved(
    app: &App,
    purpose: scram::Purpose,
    answer: &Answer<'_>,
) -> Result<(MemberId, [u8; 32]), Problem> {
    let (username, challenge) = (answer.username, answer.challenge);
    // The challenge is spent before anything is checked.
    if !challenge::spend(app, purpose, &folded(username), challenge).await? {
        return Err(unauthorized(
            "The challenge was used or is too old. Try again: another one will be made.",
        ));
    }
    let (member, credentials) = credentials_of(app, username).await?;
    let proof = STANDARD
        .decode(answer.proof)
        .ok()
        .and_then(|proof| proof.try_into().ok())
        .unwrap_or([0; 32]);
    let signature = app.site.origins.iter().find_map(|origin| {
        let transcript = scram::transcript(&scram::Exchange {
            purpose,
            origin,
            username,
            credentials: &credentials,
            challenge,
            client_nonce: answer.client_nonce,
        });
        scram::verify(&credentials, &transcript, &proof)
    });
    let (Some(member), Some(signature)) = (member, signature) else {
        return Err(unauthorized(match purpose {
            scram::Purpose::SignIn => "The name or the password is wrong.",
            scram::Purpose::Password
            | scram::Purpose::Panic
            | scram::Purpose::Erasure
            | scram::Purpose::SecondFactor => "This isn't your own password. Nothing was changed.",
        }));
    };
    Ok((member, signature))
}

/// Has a signed-in member prove the password anew, by a challenge that is good for nothing else.
pub(crate) async fn proved_again(
    app: &App,
    purpose: scram::Purpose,
    by: &SignedIn,
    answer: &Answer<'_>,
) -> Result<(), Problem> {
    let member = by.profile.id;
    let (proved, _) = limit::again(app, by, proved(app, purpose, answer)).await?;
    if proved == member {
        Ok(())
    } else {
        Err(Problem::forbidden("The proof is somebody else's."))
    }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "sign-in",
        "You are not signed in",
        detail,
    )
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    purpose: Purpose,
}

async fn work(State(app): State<App>, Query(wanted): Query<Wanted>) -> Response {
    let challenge = proof_of_work::challenge(&app, wanted.purpose);
    let bits = app.site.work_bits;
    Json(json!({ "challenge": challenge, "difficulty": bits / 4, "difficultyBits": bits }))
        .into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Registration {
    username: String,
    auth_salt: String,
    auth_verifier: String,
    auth_server_key: String,
    auth_iterations: u32,
    auth_scheme: String,
    pow_challenge: String,
    pow_nonce: String,
    /// What the first administrator may set besides.
    panic_password: Option<String>,
    /// What the set-up asks for where others than this machine reach it.
    #[serde(default)]
    setup_code: String,
    /// The code of an invite.
    #[serde(default)]
    invite_code: String,
}

impl Registration {
    fn join(&self) -> Result<Join, Problem> {
        let credentials = password::credentials(
            &self.auth_scheme,
            self.auth_iterations,
            [&self.auth_salt, &self.auth_verifier, &self.auth_server_key],
        )?;
        let name =
            Name::parse(&self.username).map_err(|error| Problem::invalid(&sentence(&error)))?;
        Ok(Join { name, credentials })
    }

    /// Reads what was sent and takes its proof of work, which is good once.
    async fn redeemed(&self, app: &App) -> Result<Join, Problem> {
        let join = self.join()?;
        let (challenge, nonce) = (&self.pow_challenge, &self.pow_nonce);
        proof_of_work::redeem(app, Purpose::Registration, challenge, nonce).await?;
        Ok(join)
    }
}

/// Reads what is sent to register; tells whether it can be.
pub(crate) fn reads_registration(body: &[u8]) -> bool {
    serde_json::from_slice::<Registration>(body).is_ok_and(|read| read.join().is_ok())
}

async fn register(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(registration): Body<Registration>,
) -> Result<Response, Problem> {
    let name = folded(&registration.username);
    if registration.panic_password.is_some() || !registration.setup_code.is_empty() {
        return Err(Problem::invalid(
            "`panicPassword` and `setupCode` belong to the set-up.",
        ));
    }
    let code = match registration.invite_code.trim() {
        "" => None,
        code => Some(Code::parse(code).map_err(|error| Problem::invalid(&sentence(&error)))?),
    };
    network::check(&app, client).await?;
    let tried = Try::begin(&app, client, &name).await?;
    let join = registration.redeemed(&app).await?;
    let registered = app.commands.register(join, code.as_ref(), now()).await;
    let closed = match code {
        Some(_) => "Registration is closed. Ask the staff of the site to open it.",
        None => "Strangers can't register just now. Ask a member for an invite.",
    };
    let answer = joined(&app, (client, &headers), registered, false, closed).await?;
    tried.succeeded(&app).await;
    Ok(answer)
}

/// Gives the code that the set-up asks for, the same on every node and after each start; it is good for nothing
/// once there is an administrator.
pub fn setup_code(keys: &dyn Keyed) -> RecoveryCode {
    let mac = keys.mac(KeyPurpose::Form, b"set-up code");
    RecoveryCode::new(mac.first_chunk().copied().unwrap_or_default())
}

/// Checks the code, where one is asked for.
fn check_code(app: &App, typed: &str) -> Result<(), Problem> {
    let typed = RecoveryCode::parse(typed).ok();
    let right = typed.is_some_and(|typed| {
        let code = setup_code(&*app.keys);
        bool::from(typed.reveal().as_bytes().ct_eq(code.reveal().as_bytes()))
    });
    if right || !app.site.asks_code {
        return Ok(());
    }
    Err(Problem::forbidden(
        "The set-up code isn't right. It stands in the file `setup-code` in the site's data directory.",
    ))
}

async fn set_up(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(mut registration): Body<Registration>,
) -> Result<Response, Problem> {
    // What is wrong with it is told before anything is made.
    check_code(&app, &registration.setup_code)?;
    let password = registration.panic_password.take().map(Secret::new);
    if let Some(password) = &password {
        let name = app.site.name();
        let known = [name.as_str(), registration.username.as_str()];
        strength::check(password, &known).map_err(|wrong| Problem::invalid(&wrong))?;
    }
    let join = registration.redeemed(&app).await?;
    let mut made = app.commands.set_up(join).await;
    let mut is_set = false;
    if let (Ok(done), Some(password)) = (&mut made, password) {
        match app.vault.set_password(done.of, None, password).await {
            Ok(position) => {
                done.position = done.position.max(position);
                is_set = true;
            }
            // The administrator is made; the page leads them to where it is set.
            Err(error) => tracing::warn!(%error, "the Panic Password wasn't set"),
        }
    }
    let late = "The site has its first administrator already. Sign in.";
    joined(&app, (client, &headers), made, is_set, late).await
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
async fn joined(
    app: &App,
    (client, headers): (Client, &HeaderMap),
    joined: Result<commands::Done<MemberId>, Refusal<Rejection>>,
    is_set: bool,
    closed: &str,
) -> Result<Response, Problem> {
    let done = joined.map_err(|refusal| match refusal {
        Refusal::Forbidden => Problem::forbidden(closed),
        Refusal::Taken {
            scope: "username", ..
        } => Problem::conflict(
            "name-taken",
            "The name is taken",
            "Somebody has this name. Choose another one.",
        ),
        Refusal::Taken {
            scope: "look-alike",
            ..
        } => Problem::conflict(
            "name-taken",
            "The name is taken",
            "Somebody has a name that looks like this one. Choose another one.",
        ),
        other => other.into(),
    })?;
    app.reads.wait_for(done.position).await;
    let cookie = session::begin(app, done.of, client, headers).await?;
    let answer = json!({ "success": true, "user": { "id": done.of }, "panicPassword": is_set });
    let head = [
        (header::SET_COOKIE, cookie),
        (
            "x-position".parse().unwrap_or(header::ETAG),
            done.position.0.into(),
        ),
    ];
    Ok((
        StatusCode::CREATED,
        head.map(|(name, value)| (name, value)),
        Json(answer),
    )
        .into_response())
}

async fn logout(State(app): State<App>, signed_in: SignedIn) -> Result<Response, Problem> {
    signed_in.end(&app).await?;
    Ok((
        [(header::SET_COOKIE, session::ended(&app)?)],
        Json(json!({ "success": true })),
    )
        .into_response())
}
