//! Members at the command line, for who has no browser at hand.

use anyhow::Context as _;
use commands::Commands;
use commands::ports::Random as _;
use commands::user::Join;
use domain::Actor;
use domain::user::{Credentials, Name, Role};
use infra::random::System;
use serde_json::json;

use crate::announcement;
use crate::cli;
use crate::config::Config;
use crate::store::Store;

/// Makes a member, gives one another password or role, turns off their second factor, or erases one.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Member,
    json: bool,
) -> anyhow::Result<()> {
    let store = Store::open(config).await?;
    let done = match command {
        cli::Member::Create { name, admin } => {
            let role = if *admin {
                Role::Administrator
            } else {
                Role::Member
            };
            create(&store.commands, config, name, role, json).await
        }
        cli::Member::ResetCredentials { name } => reset(&store.commands, config, name, json).await,
        cli::Member::DisableSecondFactor { name } => {
            disable_second_factor(&store.commands, name, json).await
        }
        cli::Member::Erase { name, confirm } => erase(&store.commands, name, confirm, json).await,
        cli::Member::Role { name, role } => assign(&store.commands, name, role, json).await,
    };
    store.close().await?;
    done
}

async fn create(
    commands: &Commands,
    config: &Config,
    name: &str,
    role: Role,
    json: bool,
) -> anyhow::Result<()> {
    let name = Name::parse(name)?;
    let (password, credentials) = new_credentials(config.site.iterations);
    let join = Join {
        name: name.clone(),
        credentials,
    };
    let member = commands.create_member(join, role).await?.of;
    let passkey = commands
        .member(member)
        .await?
        .context("the member isn't there")?
        .passkey;
    let value = json!({
        "member": member, "name": name.as_str(), "passkey": passkey.reveal(), "credentials": password,
    });
    let text = format!("{name} may sign in with this password, shown once: {password}");
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn reset(commands: &Commands, config: &Config, name: &str, json: bool) -> anyhow::Result<()> {
    let name = Name::parse(name)?;
    let (password, credentials) = new_credentials(config.site.iterations);
    let member = commands.reset_credentials(&name, credentials).await?.of;
    let value = json!({ "member": member, "name": name.as_str(), "credentials": password });
    let text = format!("{name} may sign in with this password, shown once: {password}");
    announcement::answer(json, &value, &text);
    Ok(())
}

async fn disable_second_factor(commands: &Commands, name: &str, json: bool) -> anyhow::Result<()> {
    let name = Name::parse(name)?;
    let member = commands
        .member_named(&name)
        .await?
        .with_context(|| format!("there is no member {name}"))?;
    commands
        .disable_second_factor(Actor::Operator, member.id)
        .await?;
    let value = json!({ "member": member.id, "name": name.as_str(), "secondFactor": false });
    announcement::answer(
        json,
        &value,
        &format!("{name} signs in by the password alone"),
    );
    Ok(())
}

async fn assign(commands: &Commands, name: &str, role: &str, json: bool) -> anyhow::Result<()> {
    let name = Name::parse(name)?;
    let role = Role::named(role).with_context(|| {
        format!("there is no role {role}; there are administrator, moderator, auditor, member")
    })?;
    let member = commands
        .member_named(&name)
        .await?
        .with_context(|| format!("there is no member {name}"))?;
    commands
        .assign_role(Actor::Operator, member.id, role)
        .await?;
    let value = json!({ "member": member.id, "name": name.as_str(), "role": role.name() });
    announcement::answer(json, &value, &format!("{name} is {} now", role.name()));
    Ok(())
}

async fn erase(commands: &Commands, name: &str, confirm: &str, json: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        name == confirm,
        "--confirm must be the same name; nothing was changed"
    );
    let name = Name::parse(name)?;
    let member = commands
        .member_named(&name)
        .await?
        .with_context(|| format!("there is no member {name}"))?;
    commands.erase_member(Actor::Operator, member.id).await?;
    let value = json!({ "member": member.id, "erased": true });
    let text = format!("{name} is erased, and nobody can undo it");
    announcement::answer(json, &value, &text);
    Ok(())
}

/// Makes a password of 120 random bits and what the site keeps of it.
pub(crate) fn new_credentials(iterations: u32) -> (String, Credentials) {
    let mut bytes = [0; 24];
    System.fill(&mut bytes);
    // 32 letters and digits that aren't mistaken for one another.
    let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letter = |byte: &u8| {
        letters
            .get(usize::from(byte % 32))
            .copied()
            .map_or('a', char::from)
    };
    let password: String = bytes.iter().map(letter).collect();
    let credentials = credentials_for(&password, iterations);
    (password, credentials)
}

/// Derives what the site keeps of a password.
pub(crate) fn credentials_for(password: &str, iterations: u32) -> Credentials {
    let mut salt = [0; 32];
    System.fill(&mut salt);
    api::sign_in::scram::credentials(password, salt, iterations)
}
