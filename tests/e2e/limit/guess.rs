//! What is counted though whoever asks is a member, or becomes one.

use api::sign_in::scram::Purpose;

use super::{PASSWORD, founded, limited, measured};

#[tokio::test]
async fn who_has_a_session_and_not_the_password_guesses_a_few_times() {
    let site = limited(&[("LIMITS__SIGN_INS", "3")]).await;
    let admin = founded(&site).await;
    let press = async |password: &str| {
        let mut body = admin.answer_for(Purpose::Panic, "admin", password).await;
        body.as_object_mut().unwrap().remove("username");
        body["confirm"] = "ENCRYPT_ALL_DATA".into();
        admin.post_json("/api/admin/panic/encrypt", &body).await
    };
    for _ in 0..5 {
        // What fails for another reason is no guess.
        let told = press(PASSWORD).await;
        assert!(!matches!(told.0.as_u16(), 401 | 429), "{told:?}");
    }
    for _ in 0..3 {
        assert_eq!(press("another password").await.0, 401);
    }
    let (status, told) = press(PASSWORD).await;
    assert!(
        status == 429 && told["type"] == "/problems/too-often",
        "{told}"
    );
    let mut body = admin.answer_for(Purpose::Erasure, "admin", PASSWORD).await;
    body.as_object_mut().unwrap().remove("username");
    body["confirm"] = "ERASE mia".into();
    assert_eq!(site.client().register("mia", PASSWORD).await.0, 201);
    let erased = admin.post_json("/api/admin/members/mia/erase", &body).await;
    assert_eq!(erased.0, 429, "{erased:?}");
    assert!(measured(&site, "opentracker_refusals_total{class=\"sign-in\"}").await >= 2.0);
}

#[tokio::test]
async fn an_address_has_a_few_registrations() {
    let site = limited(&[("LIMITS__SIGN_INS", "3")]).await;
    founded(&site).await;
    for name in ["ann", "bob", "cid"] {
        assert_eq!(site.client().register(name, PASSWORD).await.0, 201);
    }
    let (status, told) = site.client().register("dan", PASSWORD).await;
    assert_eq!(status, 429, "{told}");
}
