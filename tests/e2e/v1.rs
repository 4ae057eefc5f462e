//! The JSON API as a script uses it: torrents from upload to withdrawal, settings, the audit.

use domain::api_key::Scope;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tests::{Client, Options, Site, make};

use crate::api_key::key;

const PASSWORD: &str = "correct horse battery";

/// A script with a key: no cookies, no origin.
pub(crate) struct Script {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Script {
    pub(crate) async fn of(site: &Site, client: &Client, scopes: &[Scope]) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0);
        Self {
            http: http.build().unwrap(),
            base: site.url("/api/v1"),
            key: key(client, "a script", scopes).await,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.http.request(method, url).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        told(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        told(self.request(method, path).json(body)).await
    }

    async fn upload(&self, key: &str, file: Vec<u8>, category: &str) -> Response {
        let form = Form::new()
            .part("torrent", Part::bytes(file).file_name("upload.torrent"))
            .text("category", category.to_owned())
            .text("description", "by *script*");
        let request = self.request(Method::POST, "/torrents");
        let request = request.header("Idempotency-Key", key).multipart(form);
        request.send().await.unwrap()
    }
}

pub(crate) async fn told(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

fn file(seed: u8) -> Vec<u8> {
    let name = format!("file{seed}");
    make::torrent(&name, &make::payload(seed, 30_000), Some("OpenTracker"))
}

/// A site with its administrator and a member.
pub(crate) async fn site() -> (Site, Client, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let member = site.client();
    assert_eq!(member.register("alice", PASSWORD).await.0, 201);
    (site, admin, member)
}

#[tokio::test]
async fn an_upload_happens_once_is_read_again_and_what_is_wrong_with_it_names_the_field() {
    let (site, _admin, member) = site().await;
    let script = Script::of(&site, &member, &[Scope::Read, Scope::Upload]).await;
    let first = script.upload("one", file(1), "other").await;
    assert_eq!(first.status(), 201);
    let (location, position) = ["location", "x-position"]
        .map(|name| first.headers()[name].to_str().unwrap().to_owned())
        .into();
    let offered: Value = first.json().await.unwrap();
    let again = script.upload("one", file(1), "other").await;
    assert_eq!(again.status(), 201);
    assert_eq!(again.headers()["x-position"], position.as_str());
    assert_eq!(again.json::<Value>().await.unwrap(), offered);
    let taken = script.upload("two", file(1), "other").await;
    assert_eq!(taken.status(), 409);
    assert_eq!(taken.headers()["location"], location.as_str());
    for (field, file, category) in [
        ("torrent", b"no torrent".to_vec(), "other"),
        ("category", file(2), "nowhere"),
    ] {
        let wrong = script.upload(field, file, category).await;
        assert_eq!(wrong.status(), 422);
        assert_eq!(wrong.headers()["content-type"], "application/problem+json");
        let told: Value = wrong.json().await.unwrap();
        assert_eq!(told["errors"][0]["field"], field, "{told}");
    }
    let path = format!(
        "{}?after={position}",
        location.trim_start_matches("/api/v1")
    );
    let read = script.request(Method::GET, &path).send().await.unwrap();
    let tag = read.headers()["etag"].to_str().unwrap().to_owned();
    let one: Value = read.json().await.unwrap();
    assert_eq!(one, offered["torrent"]);
    assert_eq!(
        one["listed_files"][0],
        json!({ "path": "file1", "size": 30_000 })
    );
    let request = script.request(Method::GET, &path);
    let same = request.header("If-None-Match", tag).send().await.unwrap();
    assert_eq!(same.status(), 304);
    let path = offered["download"].as_str().unwrap();
    let request = script.request(Method::GET, path.trim_start_matches("/api/v1"));
    let file = request.send().await.unwrap().bytes().await.unwrap();
    let id = one["id"].as_str().unwrap();
    assert_eq!(
        file,
        member.download(id).await,
        "it is the member's own file"
    );
}

#[tokio::test]
async fn a_torrent_is_edited_and_goes_back_and_what_is_wrong_names_the_field() {
    let (site, _admin, member) = site().await;
    let script = Script::of(&site, &member, &[Scope::Read, Scope::Upload]).await;
    let offered: Value = script
        .upload("one", file(1), "other")
        .await
        .json()
        .await
        .unwrap();
    let path = format!("/torrents/{}", offered["torrent"]["id"].as_str().unwrap());
    let edit = json!({ "category": "software-linux", "description": "now *polished*" });
    let (status, edited) = script.send(Method::PATCH, &path, &edit).await;
    assert_eq!(
        (status, &edited["category"]),
        (200, &"software-linux".into())
    );
    for (body, field) in [
        (json!({ "category": "nowhere" }), "category"),
        (json!({ "description": "x".repeat(50_001) }), "description"),
    ] {
        let (status, told) = script.send(Method::PATCH, &path, &body).await;
        assert_eq!(
            (status, &told["errors"][0]["field"]),
            (422, &field.into()),
            "{told}"
        );
    }
    let nul = script
        .send(Method::PATCH, &path, &json!({ "description": "a\0b" }))
        .await;
    assert_eq!(nul.0, 400, "{nul:?}");
    let (_, versions) = script.get(&format!("{path}/versions")).await;
    assert_eq!(versions[1]["description"], "now *polished*");
    let back = format!("{path}/versions/1");
    let (status, one) = script.send(Method::POST, &back, &json!({})).await;
    assert_eq!((status, &one["description"]), (200, &"by *script*".into()));
}

#[tokio::test]
async fn others_torrents_are_changed_by_a_key_that_moderates_alone() {
    let (site, admin, member) = site().await;
    let at_once = [("approve_uploads", "off")];
    admin.post_form("/staff/settings/torrents", &at_once).await;
    let script = Script::of(&site, &member, &[Scope::Read, Scope::Upload]).await;
    let offered: Value = script
        .upload("one", file(1), "other")
        .await
        .json()
        .await
        .unwrap();
    let path = format!("/torrents/{}", offered["torrent"]["id"].as_str().unwrap());
    let edit = json!({ "description": "not mine" });
    // The administrator may, but a key that only uploads may not in their name.
    let narrow = Script::of(&site, &admin, &[Scope::Read, Scope::Upload]).await;
    let wide = Script::of(
        &site,
        &admin,
        &[Scope::Read, Scope::Upload, Scope::Moderate],
    )
    .await;
    let withdraw = format!("{path}/withdraw");
    let why = json!({ "reason": "a test" });
    let (status, told) = narrow.send(Method::POST, &withdraw, &why).await;
    assert_eq!(
        (status, &told["type"]),
        (403, &"/problems/missing-scope".into())
    );
    assert_eq!(
        wide.send(Method::POST, &withdraw, &why).await.1["withdrawn"],
        true
    );
    assert_eq!(wide.send(Method::POST, &withdraw, &why).await.0, 422);
    assert_eq!(
        script.get(&path).await.1["withdrawal"],
        json!({ "by": "staff", "reason": "a test" }),
        "its uploader reads why"
    );
    let other = site.client();
    assert_eq!(other.register("bertha", PASSWORD).await.0, 201);
    let other = Script::of(&site, &other, &[Scope::Read, Scope::Upload]).await;
    assert_eq!(
        other.get(&path).await.0,
        404,
        "a withdrawn one is its uploader's"
    );
    let restore = format!("{path}/restore");
    assert_eq!(
        script.send(Method::POST, &restore, &json!({})).await.0,
        422,
        "staff withdrew it"
    );
    assert_eq!(wide.send(Method::POST, &restore, &json!({})).await.0, 200);
    assert_eq!(other.send(Method::PATCH, &path, &edit).await.0, 403);
}

/// The names of a list of torrents, page after page.
async fn names(script: &Script, of: &str) -> Vec<String> {
    let (mut path, mut names) = (format!("/torrents?{of}"), vec![]);
    loop {
        let (status, page) = script.get(&path).await;
        assert_eq!(status, 200, "{page}");
        let rows = page["rows"].as_array().unwrap().iter();
        names.extend(rows.map(|row| row["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => next.trim_start_matches("/api/v1").clone_into(&mut path),
            None => return names,
        }
    }
}

#[tokio::test]
async fn lists_go_on_from_page_to_page_and_are_filtered_as_on_the_page() {
    let (site, _admin, member) = site().await;
    let script = Script::of(&site, &member, &[Scope::Read, Scope::Upload]).await;
    let mut ids = vec![];
    for seed in 1..=5 {
        let answer = script.upload(&seed.to_string(), file(seed), "other").await;
        assert_eq!(answer.status(), 201);
        let offered: Value = answer.json().await.unwrap();
        ids.push(offered["torrent"]["id"].as_str().unwrap().to_owned());
    }
    let of = "sort=name&dir=asc&limit=2&category=other&uploader=ALICE";
    let every = ["file1", "file2", "file3", "file4", "file5"];
    assert_eq!(names(&script, of).await, every);
    let mut found = names(&script, "q=file&limit=1").await;
    found.sort();
    assert_eq!(found, every);
    let found = names(&script, "q=file&sort=added&dir=asc&limit=2&category=other").await;
    assert_eq!(found, every);
    for nothing in [
        "q=file&category=books",
        "category=books",
        "category=nowhere",
        "uploader=admin",
        "uploader=nobody",
    ] {
        let (_, page) = script.get(&format!("/torrents?{nothing}")).await;
        assert_eq!(page, json!({ "rows": [], "next": null }), "{nothing}");
    }
    for wrong in ["limit=0", "limit=101", "limit=x"] {
        let (status, told) = script.get(&format!("/torrents?{wrong}")).await;
        assert_eq!((status, &told["status"]), (400, &400.into()), "{wrong}");
    }
    // More of the best hits than a page looks up at first can't be seen.
    for id in ids.iter().take(4) {
        let (path, why) = (format!("/torrents/{id}/withdraw"), json!({ "reason": "" }));
        assert_eq!(script.send(Method::POST, &path, &why).await.0, 200);
    }
    for order in ["", "&sort=size&dir=asc", "&sort=added&dir=asc"] {
        let found = names(&script, &format!("q=file&limit=1{order}")).await;
        assert_eq!(found, ["file5"], "{order}");
    }
    let (_, tree) = script.get("/categories").await;
    assert!(
        tree.as_array()
            .unwrap()
            .iter()
            .any(|one| one["slug"] == "software-linux")
    );
    assert_eq!(script.get("/ledger").await.1["rows"], json!([]));
    assert_eq!(
        script.get("/members/ADMIN").await.1["role"],
        "administrator"
    );
    assert_eq!(script.get("/members/nobody").await.0, 404);
    assert_eq!(script.get("/nowhere").await.0, 404);
}

#[tokio::test]
async fn settings_are_changed_by_key_and_every_field_that_is_wrong_is_named() {
    let (site, admin, _member) = site().await;
    let script = Script::of(&site, &admin, &[Scope::Read, Scope::Administer]).await;
    let change = |values: Value| json!({ "values": values });
    let good = change(json!({ "site_name": "A name", "default_invites": "3" }));
    let (status, settings) = script.send(Method::PATCH, "/settings", &good).await;
    assert_eq!(status, 200, "{settings}");
    let value = |settings: &Value, key: &str| {
        let all = settings.as_array().unwrap().clone();
        let one = all.into_iter().find(|one| one["key"] == key).unwrap();
        one["value"].clone()
    };
    assert_eq!(value(&settings, "default_invites"), "3");
    let bad = change(json!({ "site_name": "Another", "default_invites": "many", "nonsense": "1" }));
    let (status, told) = script.send(Method::PATCH, "/settings", &bad).await;
    assert_eq!(status, 422);
    let fields: Vec<&str> = told["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["default_invites", "nonsense"]);
    assert_eq!(
        value(&script.get("/settings").await.1, "site_name"),
        "A name",
        "all or none"
    );
}

#[tokio::test]
async fn the_site_its_roles_and_its_projections_are_administered_by_a_key() {
    let (site, admin, _member) = site().await;
    let script = Script::of(&site, &admin, &[Scope::Read, Scope::Administer]).await;
    let (_, site_now) = script
        .send(
            Method::PUT,
            "/site/registration",
            &json!({ "registration": "invite" }),
        )
        .await;
    assert_eq!(
        (&site_now["registration"], &site_now["freeleech"]),
        (&"invite".into(), &Value::Null)
    );
    let (status, told) = script
        .send(
            Method::PUT,
            "/site/registration",
            &json!({ "registration": "x" }),
        )
        .await;
    assert_eq!(
        (status, &told["errors"][0]["field"]),
        (422, &"registration".into())
    );
    let (_, site_now) = script
        .send(Method::PUT, "/site/freeleech", &json!({}))
        .await;
    assert_eq!(site_now["freeleech"], json!({ "until": null }));
    let past = json!({ "until": "2020-01-01T00:00:00Z" });
    assert_eq!(
        script.send(Method::PUT, "/site/freeleech", &past).await.0,
        422
    );
    let ended = told_of(&script, Method::DELETE, "/site/freeleech").await;
    assert_eq!(ended.1["freeleech"], Value::Null);
    let role = json!({ "role": "moderator" });
    let (_, alice) = script.send(Method::PUT, "/members/alice/role", &role).await;
    assert_eq!(alice["role"], "moderator");
    let (status, _) = script.send(Method::PUT, "/members/admin/role", &role).await;
    assert_eq!(status, 403, "not oneself");
    let (_, all) = script.get("/projections").await;
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "api_key")
    );
    assert_eq!(
        told_of(&script, Method::POST, "/projections/api_key/rebuild")
            .await
            .0,
        202
    );
    assert_eq!(
        told_of(&script, Method::POST, "/projections/nonsense/rebuild")
            .await
            .0,
        404
    );
}

async fn told_of(script: &Script, method: Method, path: &str) -> (u16, Value) {
    told(script.request(method, path)).await
}

#[tokio::test]
async fn an_auditing_key_reads_events_a_stream_at_a_moment_and_the_proof_and_is_noted() {
    let (site, admin, _member) = site().await;
    let script = Script::of(&site, &admin, &[Scope::Audit]).await;
    let (status, page) = script.get("/events?of=user&limit=2").await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["rows"][0]["event"], "DeviceSeen", "the latest first");
    let event = &page["rows"][1];
    assert_eq!(
        (&event["event"], &event["by"]),
        (&"MemberRegistered".into(), &"alice".into())
    );
    assert_eq!(
        event["payload"]["MemberRegistered"]["passkey"],
        "[withheld]"
    );
    let next = page["next"].as_str().unwrap().trim_start_matches("/api/v1");
    assert_eq!(script.get(next).await.1["rows"][0]["by"], "admin");
    assert_eq!(script.get("/events?of=nonsense").await.0, 400);
    let stream = event["stream"].as_str().unwrap();
    admin
        .post_form("/members/alice/role", &[("role", "auditor")])
        .await;
    let at = page["rows"][0]["position"].as_i64().unwrap();
    let (_, told) = script.get(&format!("/streams/{stream}?at={at}")).await;
    assert_eq!(
        (&told["then"]["role"], &told["now"]["role"]),
        (&"member".into(), &"auditor".into())
    );
    assert_eq!(told["differences"][0]["path"], "role");
    assert_eq!(script.get("/streams/user-nonsense").await.0, 404);
    assert_eq!(told_of(&script, Method::POST, "/proof").await.0, 202);
    tests::until("the proof", std::time::Duration::from_secs(20), || async {
        let (_, proof) = script.get("/proof").await;
        (proof["state"] == "fits").then_some(())
    })
    .await;
    let (_, looks) = script.get("/events?event=HistoryRead").await;
    assert!(looks["rows"].as_array().unwrap().len() >= 4, "{looks}");
}

#[tokio::test]
async fn the_document_and_its_page_are_for_anybody() {
    let (site, ..) = site().await;
    let guest = site.client();
    let document = guest.json("/api/v1/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["components"]["securitySchemes"]["key"]["scheme"],
        "bearer"
    );
    let list = &document["paths"]["/api/v1/torrents"]["get"];
    assert_eq!(list["security"], json!([{ "key": ["read"] }]));
    let page = guest.page("/api/docs").await;
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(path.as_str()), "{path}");
    }
}
