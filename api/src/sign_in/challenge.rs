//! Challenges of a sign-in: [`signed`], and spent once.
//!
//! One says its purpose (u8), and is bound to a name and an era. The era is kept where spent challenges
//! are: where they are forgotten, it is too, and no challenge of before is good any more.

use std::time::Duration;

use super::scram;
use crate::app::App;
use crate::problem::Problem;
use crate::signed::{self, LIFE};

const ERA: &str = "challenge-era";
const ERA_LIFE: Duration = Duration::from_hours(24 * 30);

async fn era(app: &App) -> Result<Vec<u8>, Problem> {
    if let Some(era) = app.ephemera.get(ERA).await? {
        return Ok(era);
    }
    let mut random = [0; 16];
    app.random.fill(&mut random);
    app.ephemera.put_new(ERA, &random, ERA_LIFE).await?;
    // Of two nodes at once one makes it.
    let made = app.ephemera.get(ERA).await?;
    made.ok_or_else(Problem::unavailable)
}

async fn bound(app: &App, folded: &str) -> Result<Vec<u8>, Problem> {
    Ok([b"sign-in", era(app).await?.as_slice(), folded.as_bytes()].concat())
}

fn number(purpose: scram::Purpose) -> u8 {
    match purpose {
        scram::Purpose::SignIn => 1,
        scram::Purpose::Password => 2,
        scram::Purpose::Panic => 3,
        scram::Purpose::Erasure => 4,
        scram::Purpose::SecondFactor => 5,
    }
}

/// Makes a challenge for a name.
pub(super) async fn make(
    app: &App,
    purpose: scram::Purpose,
    folded: &str,
) -> Result<String, Problem> {
    let bound = bound(app, folded).await?;
    Ok(signed::make(app, &bound, &[number(purpose)]))
}

/// Spends a challenge; tells whether it was good.
pub(super) async fn spend(
    app: &App,
    purpose: scram::Purpose,
    folded: &str,
    challenge: &str,
) -> Result<bool, Problem> {
    let bound = bound(app, folded).await?;
    let good = signed::read(app, &bound, challenge)
        .is_some_and(|signed| !signed.late && signed.said[0] == number(purpose));
    let spent = format!("challenge:{challenge}");
    Ok(good && app.ephemera.put_new(&spent, b"", LIFE).await?)
}
