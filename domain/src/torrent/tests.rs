//! What a torrent's stream decides.

use super::*;
use crate::spec::given;
use uuid::Uuid;

fn upload() -> Upload {
    Upload {
        uploader: MemberId(Uuid::from_u128(1)),
        name: "debian.iso".into(),
        category: CategoryId(Uuid::from_u128(2)),
        description: String::new(),
        info_hash: InfoHash([1; 20]),
        info_hash_v2: None,
        size: Bytes(5),
        piece_length: Bytes(16_384),
        files: vec![File {
            path: "debian.iso".into(),
            size: Bytes(5),
        }],
        metainfo: Metainfo(b"de".to_vec()),
        tags: vec![],
        pending: false,
    }
}

#[test]
fn a_torrent_is_uploaded_once() {
    let again = Command::Upload(Box::new(upload()));
    given::<Torrent>(&[])
        .when(again.clone())
        .then(&[Event::TorrentUploaded(upload())]);
    given::<Torrent>(&[Event::TorrentUploaded(upload())])
        .when(again)
        .rejected(&Rejection::AlreadyUploaded);
}

#[test]
fn a_torrent_is_withdrawn_once() {
    let withdrawn = withdrawn(false);
    let withdraw = Command::Withdraw {
        reason: Some("wrong file".into()),
        by_staff: false,
    };
    given::<Torrent>(&[])
        .when(withdraw.clone())
        .rejected(&Rejection::Unknown);
    given::<Torrent>(&[Event::TorrentUploaded(upload())])
        .when(withdraw.clone())
        .then(std::slice::from_ref(&withdrawn));
    given::<Torrent>(&[Event::TorrentUploaded(upload()), withdrawn])
        .when(withdraw)
        .rejected(&Rejection::AlreadyWithdrawn);
}

fn withdrawn(by_staff: bool) -> Event {
    Event::TorrentWithdrawn {
        reason: Some("wrong file".into()),
        by_staff,
    }
}

#[test]
fn a_withdrawn_torrent_is_restored_by_who_withdrew_it_or_the_staff() {
    let uploaded = Event::TorrentUploaded(upload());
    let restore = |by_staff| Command::Restore { by_staff };
    let gone = |by_staff| given::<Torrent>(&[uploaded.clone(), withdrawn(by_staff)]);
    for (withdrawn, restored) in [(false, false), (false, true), (true, true)] {
        gone(withdrawn)
            .when(restore(restored))
            .then(&[Event::TorrentRestored {}]);
    }
    gone(true)
        .when(restore(false))
        .rejected(&Rejection::WithdrawnByStaff);
    let again = [uploaded, withdrawn(false), Event::TorrentRestored {}];
    given::<Torrent>(&again)
        .when(restore(false))
        .rejected(&Rejection::NotWithdrawn);
    given::<Torrent>(&[])
        .when(restore(true))
        .rejected(&Rejection::Unknown);
}

fn edit(description: &str) -> Edit {
    Edit {
        category: CategoryId(Uuid::from_u128(3)),
        description: description.into(),
        tags: vec![],
    }
}

#[test]
fn an_edit_changes_the_page_and_not_the_file() {
    let uploaded = Event::TorrentUploaded(upload());
    let edited = Event::TorrentEdited(edit("new"));
    given::<Torrent>(&[])
        .when(Command::Edit(edit("new")))
        .rejected(&Rejection::Unknown);
    for past in [
        vec![uploaded.clone()],
        vec![uploaded.clone(), withdrawn(true)],
    ] {
        given::<Torrent>(&past)
            .when(Command::Edit(edit("new")))
            .then(std::slice::from_ref(&edited));
    }
    let mut state = Torrent::default();
    state.evolve(&uploaded);
    state.evolve(&edited);
    let Torrent::Offered(now) = state else {
        panic!("it is offered")
    };
    let expected = Upload {
        category: edit("new").category,
        description: "new".into(),
        ..upload()
    };
    assert_eq!(*now, expected);
}

#[test]
fn an_edit_that_changes_nothing_is_no_event() {
    let uploaded = Event::TorrentUploaded(upload());
    given::<Torrent>(std::slice::from_ref(&uploaded))
        .when(Command::Edit(upload().editable()))
        .then(&[]);
    let past = [uploaded, Event::TorrentEdited(edit("new"))];
    given::<Torrent>(&past)
        .when(Command::Edit(edit("new")))
        .then(&[]);
    given::<Torrent>(&past)
        .when(Command::Edit(upload().editable()))
        .then(&[Event::TorrentEdited(upload().editable())]);
}

#[test]
fn an_endless_description_is_refused() {
    let long = Upload {
        description: "é".repeat(50_001),
        ..upload()
    };
    given::<Torrent>(&[])
        .when(Command::Upload(Box::new(long)))
        .rejected(&Rejection::DescriptionTooLong);
    given::<Torrent>(&[Event::TorrentUploaded(upload())])
        .when(Command::Edit(edit(&"é".repeat(50_001))))
        .rejected(&Rejection::DescriptionTooLong);
}

fn waiting() -> Event {
    Event::TorrentUploaded(Upload {
        pending: true,
        ..upload()
    })
}

fn asked() -> Event {
    Event::TorrentChangesAsked {
        reason: "say what it is".into(),
    }
}

fn rejected() -> Event {
    Event::TorrentRejected {
        reason: "a fake".into(),
    }
}

#[test]
fn who_waits_is_approved_rejected_or_asked_for_changes() {
    let verdicts = [
        (Verdict::Approve, Event::TorrentApproved {}),
        (Verdict::Reject("a fake".into()), rejected()),
        (Verdict::AskForChanges("say what it is".into()), asked()),
    ];
    for (verdict, event) in verdicts {
        let command = Command::Review(verdict);
        for past in [vec![waiting()], vec![waiting(), asked()]] {
            given::<Torrent>(&past)
                .when(command.clone())
                .then(std::slice::from_ref(&event));
        }
        let refused = [
            (vec![], Rejection::Unknown),
            (
                vec![Event::TorrentUploaded(upload())],
                Rejection::NotWaiting,
            ),
            (
                vec![waiting(), Event::TorrentApproved {}],
                Rejection::NotWaiting,
            ),
            (vec![waiting(), rejected()], Rejection::Rejected),
            (
                vec![waiting(), withdrawn(false)],
                Rejection::AlreadyWithdrawn,
            ),
        ];
        for (past, rejection) in refused {
            given::<Torrent>(&past)
                .when(command.clone())
                .rejected(&rejection);
        }
    }
}

#[test]
fn who_rejects_or_asks_for_changes_says_why() {
    for reason in [String::new(), "  ".into(), "x".repeat(1_001)] {
        for verdict in [
            Verdict::Reject(reason.clone()),
            Verdict::AskForChanges(reason.clone()),
        ] {
            given::<Torrent>(&[waiting()])
                .when(Command::Review(verdict))
                .rejected(&Rejection::ReasonMissing);
        }
    }
}

#[test]
fn what_was_asked_for_waits_again_with_an_edit_or_at_its_uploaders_word() {
    let past = [waiting(), asked()];
    given::<Torrent>(&past)
        .when(Command::Edit(edit("new")))
        .then(&[
            Event::TorrentEdited(edit("new")),
            Event::TorrentSubmitted {},
        ]);
    given::<Torrent>(&past)
        .when(Command::Submit)
        .then(&[Event::TorrentSubmitted {}]);
    given::<Torrent>(&[waiting()])
        .when(Command::Edit(edit("new")))
        .then(&[Event::TorrentEdited(edit("new"))]);
    for past in [
        vec![waiting()],
        vec![waiting(), asked(), Event::TorrentSubmitted {}],
        vec![waiting(), rejected()],
        vec![Event::TorrentUploaded(upload())],
    ] {
        given::<Torrent>(&past)
            .when(Command::Submit)
            .rejected(&Rejection::NotAsked);
    }
}

#[test]
fn what_was_rejected_is_looked_at_anew_by_the_staff_alone() {
    let past = [waiting(), rejected()];
    let restore = |by_staff| Command::Restore { by_staff };
    given::<Torrent>(&past)
        .when(restore(false))
        .rejected(&Rejection::Rejected);
    given::<Torrent>(&past)
        .when(restore(true))
        .then(&[Event::TorrentSubmitted {}]);
    let withdraw = Command::Withdraw {
        reason: None,
        by_staff: false,
    };
    given::<Torrent>(&past)
        .when(withdraw)
        .rejected(&Rejection::Rejected);
}

#[test]
fn what_waited_when_it_was_withdrawn_waits_when_it_is_restored() {
    let mut state = Torrent::default();
    for event in [waiting(), withdrawn(false), Event::TorrentRestored {}] {
        state.evolve(&event);
    }
    assert!(matches!(
        state,
        Torrent::Held {
            review: Review::Waiting,
            ..
        }
    ));
}

#[test]
fn a_torrent_has_ten_tags_at_most() {
    let tags = |count: u128| (0..count).map(|number| TagId(Uuid::from_u128(number)));
    let tagged = |count| Edit {
        tags: tags(count).collect(),
        ..edit("new")
    };
    let past = [Event::TorrentUploaded(upload())];
    given::<Torrent>(&past)
        .when(Command::Edit(tagged(10)))
        .then(&[Event::TorrentEdited(tagged(10))]);
    given::<Torrent>(&past)
        .when(Command::Edit(tagged(11)))
        .rejected(&Rejection::TooManyTags);
}

#[test]
fn freeleech_ends_ahead_or_never() {
    let set = |end| Command::SetFreeleech(Free::Until { end, now: 9 });
    let uploaded = [Event::TorrentUploaded(upload())];
    given::<Torrent>(&[])
        .when(set(None))
        .rejected(&Rejection::Unknown);
    given::<Torrent>(&uploaded)
        .when(set(Some(9)))
        .rejected(&Rejection::EndsBehind);
    given::<Torrent>(&uploaded)
        .when(set(Some(10)))
        .then(&[Event::FreeleechSet { until: Some(10) }]);
    given::<Torrent>(&uploaded)
        .when(Command::SetFreeleech(Free::Charged))
        .then(&[Event::FreeleechLifted {}]);
}
