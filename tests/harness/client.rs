//! A member's program: signs in by the same proof as the browser, and uses the pages.

use std::path::PathBuf;

use api::sign_in::scram::{self, Exchange, Purpose};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, ORIGIN};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Site;

/// A cookie jar and where it is used.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    data: PathBuf,
}

impl Client {
    pub fn new(site: &Site) -> Self {
        Self::with(site, |http| http)
    }

    /// A browser of some kind at an address.
    pub fn from(site: &Site, address: [u8; 4], agent: &str) -> Self {
        let address = std::net::IpAddr::from(address);
        Self::with(site, |http| http.local_address(address).user_agent(agent))
    }

    fn with(
        site: &Site,
        build: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            // The site closes a connection whose body it didn't read; none is used twice.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: build(http).build().unwrap(),
            base: site.url(""),
            data: site.data.clone(),
        }
    }

    /// The same cookie jar, used at another node.
    #[must_use]
    pub fn at(&self, site: &Site) -> Self {
        Self {
            http: self.http.clone(),
            base: site.url(""),
            data: site.data.clone(),
        }
    }

    /// A request of this jar, from a page of ours.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.header(ORIGIN, &self.base)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http
            .get(format!("{}{path}", self.base))
            .header(ACCEPT, "text/html")
            .send()
            .await
            .unwrap()
    }

    /// A page's text; the page must be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        self.http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub async fn post_json(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header(ORIGIN, &self.base);
        let answer = request.json(body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// Sends a form as a page of ours does.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.token().await;
        let mut fields = fields.to_vec();
        fields.push(("_token", &token));
        self.post_form_from(&self.base, path, &fields).await
    }

    /// Sends a form from a page of some origin.
    pub async fn post_form_from(
        &self,
        origin: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Response {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header(ORIGIN, origin);
        request
            .header(ACCEPT, "text/html")
            .form(fields)
            .send()
            .await
            .unwrap()
    }

    /// The token of this session's forms; empty for a guest.
    pub async fn token(&self) -> String {
        let page = self.get("/settings").await.text().await.unwrap();
        let found = page.split("name=\"form-token\" content=\"").nth(1);
        found
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default()
            .to_owned()
    }

    pub async fn solved(&self) -> (String, String) {
        self.solved_for("registration").await
    }

    /// A solved challenge of a proof of work for some purpose, with its nonce.
    pub async fn solved_for(&self, purpose: &str) -> (String, String) {
        let work = self.json(&format!("/api/auth/pow?purpose={purpose}")).await;
        let challenge = work["challenge"].as_str().unwrap().to_owned();
        let bits = u32::try_from(work["difficultyBits"].as_u64().unwrap()).unwrap();
        let holds = |nonce: &u64| {
            let hash = Sha256::digest(format!("{challenge}:{nonce}"));
            u32::from_be_bytes(hash[..4].try_into().unwrap()).leading_zeros() >= bits
        };
        let nonce = (0..1_u64 << 32).find(holds).unwrap();
        (challenge, nonce.to_string())
    }

    /// What a browser sends to join.
    pub async fn registration(&self, name: &str, password: &str) -> Value {
        let (challenge, nonce) = self.solved().await;
        let mut body = kept(password);
        body["username"] = name.into();
        body["powChallenge"] = challenge.into();
        body["powNonce"] = nonce.into();
        body
    }

    pub async fn set_up(&self, name: &str, password: &str) {
        let mut body = self.registration(name, password).await;
        if let Ok(code) = std::fs::read_to_string(self.data.join("setup-code")) {
            body["setupCode"] = code.trim().into();
        }
        let (status, answer) = self.post_json("/api/auth/setup", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }

    /// As an administrator: lets members' uploads appear without approval.
    pub async fn approve_nothing(&self) {
        let fields = [("approve_uploads", "off")];
        let answer = self.post_form("/staff/settings/torrents", &fields).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    }

    pub async fn register(&self, name: &str, password: &str) -> (StatusCode, Value) {
        let body = self.registration(name, password).await;
        self.post_json("/api/auth/register", &body).await
    }

    /// The answer to a fresh challenge, not yet sent.
    pub async fn answer(&self, name: &str, password: &str) -> Value {
        self.answer_for(Purpose::SignIn, name, password).await
    }

    /// The answer to a fresh challenge of some purpose, not yet sent.
    pub async fn answer_for(&self, purpose: Purpose, name: &str, password: &str) -> Value {
        let query = match purpose {
            Purpose::SignIn => "",
            Purpose::Password => "&purpose=password",
            Purpose::Panic => "&purpose=panic",
            Purpose::Erasure => "&purpose=erasure",
            Purpose::SecondFactor => "&purpose=second-factor",
        };
        let asked = self
            .json(&format!("/api/auth/challenge?username={name}{query}"))
            .await;
        let salt: [u8; 32] = STANDARD
            .decode(asked["salt"].as_str().unwrap())
            .unwrap()
            .try_into()
            .unwrap();
        let iterations = u32::try_from(asked["iterations"].as_u64().unwrap()).unwrap();
        let credentials = scram::credentials(password, salt, iterations);
        let transcript = scram::transcript(&Exchange {
            purpose,
            origin: &self.base,
            username: name,
            credentials: &credentials,
            challenge: asked["challenge"].as_str().unwrap(),
            client_nonce: "bm9uY2U=",
        });
        let proof = STANDARD.encode(scram::prove(password, &credentials, &transcript));
        json!({ "username": name, "challenge": asked["challenge"], "proof": proof, "clientNonce": "bm9uY2U=" })
    }

    pub async fn sign_in(&self, name: &str, password: &str) -> (StatusCode, Value) {
        let body = self.answer(name, password).await;
        self.post_json("/api/auth/login", &body).await
    }

    pub async fn upload(&self, file: Vec<u8>, category: &str, description: &str) -> Response {
        let token = self.token().await;
        self.upload_with(&token, file, category, description).await
    }

    /// Uploads under an Idempotency-Key.
    pub async fn upload_once(&self, key: &str, file: Vec<u8>) -> Response {
        let token = self.token().await;
        self.try_upload(&token, key, file).await.unwrap()
    }

    /// Uploads under an Idempotency-Key with a token at hand, whatever becomes of it.
    pub async fn try_upload(
        &self,
        token: &str,
        key: &str,
        file: Vec<u8>,
    ) -> reqwest::Result<Response> {
        let form = upload_form(token, file, "other", "");
        let request = self.upload_request().header("Idempotency-Key", key);
        request.multipart(form).send().await
    }

    pub async fn upload_with(
        &self,
        token: &str,
        file: Vec<u8>,
        category: &str,
        description: &str,
    ) -> Response {
        let form = upload_form(token, file, category, description);
        let request = self.upload_request().multipart(form);
        request.send().await.unwrap()
    }

    fn upload_request(&self) -> RequestBuilder {
        self.http
            .post(format!("{}/upload", self.base))
            .header(ORIGIN, &self.base)
            .header(ACCEPT, "text/html")
    }

    pub async fn upload_with_tags(&self, file: Vec<u8>, tags: &[&str]) -> Response {
        let token = self.token().await;
        let tags = tags.iter();
        let form = tags.fold(upload_form(&token, file, "other", ""), |form, tag| {
            form.text(format!("tag-{tag}"), "yes")
        });
        let request = self.upload_request().multipart(form);
        request.send().await.unwrap()
    }

    /// Uploads a torrent with tags, and gives its id.
    pub async fn uploaded_with_tags(&self, file: Vec<u8>, tags: &[&str]) -> String {
        id_of(&self.upload_with_tags(file, tags).await)
    }

    /// What the form shows of a description before anything is uploaded.
    pub async fn upload_preview(&self, file: Vec<u8>, description: &str) -> String {
        let token = self.token().await;
        let form = upload_form(&token, file, "other", description).text("preview", "yes");
        let answer = self.upload_request().multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    /// Uploads a torrent that is ours already, and gives its id.
    pub async fn uploaded(&self, file: Vec<u8>, category: &str, description: &str) -> String {
        id_of(&self.upload(file, category, description).await)
    }

    /// The member's own .torrent file.
    pub async fn download(&self, torrent: &str) -> Vec<u8> {
        let answer = self.get(&format!("/torrents/{torrent}/download")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.bytes().await.unwrap().to_vec()
    }

    /// The member's announce URL.
    pub async fn announce_url(&self) -> String {
        let page = self.page("/settings").await;
        let found = page.split("data-copy>").nth(1).unwrap();
        found.split('<').next().unwrap().to_owned()
    }
}

/// The torrent to which an upload leads.
fn id_of(answer: &Response) -> String {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let location = answer.headers()["location"].to_str().unwrap();
    location.trim_start_matches("/torrents/").to_owned()
}

fn upload_form(token: &str, file: Vec<u8>, category: &str, description: &str) -> Form {
    Form::new()
        .text("_token", token.to_owned())
        .part("torrent", Part::bytes(file).file_name("upload.torrent"))
        .text("category", category.to_owned())
        .text("description", description.to_owned())
}

/// What a browser makes of a new password, to be kept by the site.
pub fn kept(password: &str) -> Value {
    let kept = scram::credentials(password, [7; 32], 100_000);
    json!({
        "authScheme": "v2", "authIterations": kept.iterations, "authSalt": STANDARD.encode(kept.salt),
        "authVerifier": STANDARD.encode(kept.verifier), "authServerKey": STANDARD.encode(kept.server_key),
    })
}
