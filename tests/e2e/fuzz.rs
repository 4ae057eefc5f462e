//! The JSON API against a fuzzer that reads its document: no answer is undocumented, none is a 5xx.

use std::path::Path;
use std::process::Command;

use domain::api_key::Scope;
use tests::{Options, Site, make};

use crate::api_key::key;

const PASSWORD: &str = "correct horse battery";
/// What must hold of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[tokio::test]
#[ignore = "it takes minutes and a program from elsewhere, which ./test --long provides"]
async fn a_fuzzer_finds_no_undocumented_answer_with_any_scope() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    for seed in 1..=3 {
        let name = format!("file{seed}");
        let payload = make::payload(seed, 30_000);
        let file = make::torrent(&name, &payload, Some("OpenTracker"));
        admin.uploaded(file, "other", "text").await;
    }
    let program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/schemathesis/bin/schemathesis");
    let mut scopes: Vec<Vec<Scope>> = Scope::ALL.iter().map(|one| vec![*one]).collect();
    scopes.push(Scope::ALL.to_vec());
    for scopes in scopes {
        let key = key(&admin, "a fuzzer", &scopes).await;
        let seconds = if scopes.len() > 1 { "120" } else { "20" };
        let run = Command::new(&program)
            .args(["run", &site.url("/api/v1/openapi.json"), "--checks", CHECKS])
            .args(["--header", &format!("Authorization: Bearer {key}")])
            .args([
                "--max-time",
                seconds,
                "--request-timeout",
                "20",
                "--no-color",
            ])
            .args(["--seed", "1", "--continue-on-failure", "--warnings", "off"])
            .current_dir(&site.data)
            .output();
        let run = run.expect("./test --long provides schemathesis");
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{scopes:?}: {told}");
        let summary = told.split("SUMMARY").nth(1).unwrap_or_default();
        eprintln!("{scopes:?}{summary}");
    }
    let stopped = site.run_json(&["--json", "projections", "status"]);
    let living = |one: &serde_json::Value| one["state"] == "living";
    assert!(stopped.as_array().unwrap().iter().all(living), "{stopped}");
}
