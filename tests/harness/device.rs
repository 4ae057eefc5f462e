//! A member's device: it makes the codes of a second factor.

use std::time::Duration;

use api::sign_in::scram::Purpose;
use domain::user::{STEP, TotpSecret};
use reqwest::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{Client, until};

/// It shows no code twice.
#[derive(Debug)]
pub struct Device {
    /// What it shares with the site.
    pub secret: TotpSecret,
    last: i64,
}

impl Device {
    /// Takes in what a page shows to be scanned.
    pub fn scanning(page: &str) -> Self {
        let secret = page.split("data-secret>").nth(1).unwrap();
        Self::holding(secret.split('<').next().unwrap().replace(' ', ""))
    }

    /// Takes in a secret that was written down.
    pub fn holding(secret: String) -> Self {
        Self {
            secret: TotpSecret::try_from(secret).unwrap(),
            last: 0,
        }
    }

    /// The next code; where those that are good already were shown, that takes a while.
    pub async fn code(&mut self) -> String {
        let last = self.last;
        self.last = until("the next code", Duration::from_mins(1), || async move {
            let present = OffsetDateTime::now_utc().unix_timestamp() / STEP;
            let next = present.max(last + 1);
            (next <= present + 1).then_some(next)
        })
        .await;
        self.secret.code(self.last)
    }
}

impl Client {
    /// The password of a name, proved for a purpose as the site wants it nested.
    pub async fn proof(&self, purpose: Purpose, name: &str, password: &str) -> Value {
        let mut answer = self.answer_for(purpose, name, password).await;
        answer.as_object_mut().unwrap().remove("username");
        answer
    }

    /// Sets a second factor up.
    pub async fn enable_second_factor(&self, name: &str, password: &str) -> Device {
        let mut device = Device::scanning(&self.page("/settings/second-factor").await);
        let proof = self.proof(Purpose::SecondFactor, name, password).await;
        let body = json!({ "proof": proof, "code": device.code().await });
        let (status, answer) = self
            .post_json("/api/auth/second-factor/enable", &body)
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        device
    }

    /// Brings a code for a ticket.
    pub async fn bring(&self, ticket: &str, code: &str) -> (StatusCode, Value) {
        let body = json!({ "ticket": ticket, "code": code });
        self.post_json("/api/auth/second-factor", &body).await
    }

    /// Signs in with a password and a device; where its first code was shown already, with the next.
    pub async fn sign_in_by(&self, device: &mut Device, name: &str, password: &str) {
        for _ in 0..2 {
            let ticket = self.ticket(name, password).await;
            if self.bring(&ticket, &device.code().await).await.0 == StatusCode::OK {
                return;
            }
        }
        unreachable!("neither code is good");
    }

    /// The ticket for who proves the password and has a second factor.
    pub async fn ticket(&self, name: &str, password: &str) -> String {
        let (status, answer) = self.sign_in(name, password).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["success"], false, "{answer}");
        answer["secondFactor"].as_str().unwrap().to_owned()
    }
}
