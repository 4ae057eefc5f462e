//! The pages of API keys, filled.

use domain::api_key::{Scope, Text};
use domain::id::{ApiKeyId, MemberId};
use domain::user::Role;
use maud::Markup;
use projections::api_key::ApiKey;
use uuid::Uuid;

use super::super::{api_key, docs};
use super::AT;

pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    let key = ApiKey {
        id: ApiKeyId(Uuid::from_u128(7)),
        member: MemberId(Uuid::from_u128(1)),
        label: "<uploads>".into(),
        scopes: Scope::ALL.to_vec(),
        made: AT,
    };
    let made = api_key::Shown {
        keys: vec![(key.clone(), Some(0)), (key, None)],
        permissions: Role::Administrator.permissions(),
        made: Some(Text::new([7; 32])),
        token: "00".into(),
        ..api_key::Shown::default()
    };
    let wrong = api_key::Shown {
        wrong: Some("<wrong>".into()),
        label: "<typed>".into(),
        scopes: vec![Scope::Read],
        token: "00".into(),
        ..api_key::Shown::default()
    };
    vec![
        ("API keys", api_key::body(&made)),
        ("no API key", api_key::body(&wrong)),
        ("API", docs::body("http://localhost:3000")),
    ]
}
