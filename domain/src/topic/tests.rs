//! What a topic takes and what it refuses.

use super::*;
use crate::spec::given;

const ALICE: MemberId = MemberId(Uuid::from_u128(1));
const BOB: MemberId = MemberId(Uuid::from_u128(2));
const FIRST: PostId = PostId(Uuid::from_u128(10));
const SECOND: PostId = PostId(Uuid::from_u128(11));

fn alice() -> Writer {
    Writer {
        member: ALICE,
        is_staff: false,
    }
}

fn bob() -> Writer {
    Writer {
        member: BOB,
        is_staff: false,
    }
}

fn staff() -> Writer {
    Writer {
        member: MemberId(Uuid::from_u128(3)),
        is_staff: true,
    }
}

fn opening(title: &str, text: &str) -> Opening {
    Opening {
        section: SectionId(Uuid::from_u128(20)),
        author: ALICE,
        title: title.into(),
        post: FIRST,
        text: text.into(),
        mentioned: vec![],
    }
}

fn opened() -> Event {
    Event::TopicOpened(opening("Title", "words"))
}

fn reply(by: Writer, post: PostId, text: &str) -> Command {
    Command::Reply {
        by,
        post,
        text: text.into(),
        quotes: BTreeSet::from([FIRST, PostId(Uuid::nil())]),
        mentioned: vec![BOB],
    }
}

fn replied(by: Writer) -> Event {
    Event::TopicReplied(Reply {
        post: SECOND,
        number: 2,
        author: by.member,
        text: "answer".into(),
        topic_author: ALICE,
        quoted: vec![ALICE],
        mentioned: vec![BOB],
    })
}

fn edit(by: Writer, post: PostId, text: &str) -> Command {
    Command::Edit {
        by,
        post,
        text: text.into(),
        mentioned: vec![],
    }
}

fn remove(by: Writer, post: PostId) -> Command {
    Command::Remove {
        by,
        post,
        reason: None,
    }
}

fn gone(by_staff: bool) -> Event {
    Event::PostRemoved {
        post: SECOND,
        reason: None,
        by_staff,
    }
}

fn topic_gone(by_staff: bool) -> Event {
    Event::TopicRemoved {
        reason: None,
        by_staff,
    }
}

#[test]
fn a_topic_is_opened_once_with_a_title_and_words() {
    given::<Topic>(&[])
        .when(Command::Open(opening("Title", "words")))
        .then(&[opened()]);
    given::<Topic>(&[opened()])
        .when(Command::Open(opening("Title", "words")))
        .rejected(&Rejection::AlreadyOpened);
    for (title, text, rejection) in [
        ("", "words", Rejection::Title),
        ("  ", "words", Rejection::Title),
        (&"é".repeat(201), "words", Rejection::Title),
        ("Title", " \n ", Rejection::Empty),
        ("Title", &"é".repeat(50_001), Rejection::TooLong),
    ] {
        given::<Topic>(&[])
            .when(Command::Open(opening(title, text)))
            .rejected(&rejection);
    }
    for command in [
        reply(bob(), SECOND, "answer"),
        edit(alice(), FIRST, "other"),
        Command::Pin(true),
    ] {
        given::<Topic>(&[])
            .when(command)
            .rejected(&Rejection::Unknown);
    }
}

#[test]
fn a_reply_says_whom_it_concerns_and_which_place_it_has() {
    given::<Topic>(&[opened()])
        .when(reply(bob(), SECOND, "answer"))
        .then(&[replied(bob())]);
    given::<Topic>(&[opened()])
        .when(reply(bob(), SECOND, "  "))
        .rejected(&Rejection::Empty);
    given::<Topic>(&[opened()])
        .when(reply(bob(), SECOND, &"x".repeat(50_001)))
        .rejected(&Rejection::TooLong);
}

#[test]
fn in_a_locked_topic_only_the_staff_writes() {
    let locked = [opened(), replied(bob()), Event::TopicLocked {}];
    for refused in [
        reply(bob(), PostId(Uuid::nil()), "answer"),
        edit(bob(), SECOND, "other"),
        remove(bob(), SECOND),
    ] {
        given::<Topic>(&locked)
            .when(refused)
            .rejected(&Rejection::Locked);
    }
    given::<Topic>(&[opened(), Event::TopicLocked {}])
        .when(reply(staff(), SECOND, "answer"))
        .then(&[replied(staff())]);
    let unlocked = [opened(), Event::TopicLocked {}, Event::TopicUnlocked {}];
    given::<Topic>(&unlocked)
        .when(reply(bob(), SECOND, "answer"))
        .then(&[replied(bob())]);
}

#[test]
fn a_post_is_edited_by_its_author_and_the_staff_and_each_wording_has_a_number() {
    let edited = |version, text: &str| Event::PostEdited {
        post: FIRST,
        version,
        text: text.into(),
        mentioned: vec![],
    };
    for by in [alice(), staff()] {
        given::<Topic>(&[opened()])
            .when(edit(by, FIRST, "other"))
            .then(&[edited(2, "other")]);
    }
    let twice = [opened(), edited(2, "other")];
    given::<Topic>(&twice)
        .when(edit(alice(), FIRST, "words"))
        .then(&[edited(3, "words")]);
    given::<Topic>(&twice)
        .when(edit(alice(), FIRST, "other"))
        .then(&[]);
    given::<Topic>(&[opened()])
        .when(edit(bob(), FIRST, "other"))
        .rejected(&Rejection::NotYours);
    given::<Topic>(&[opened()])
        .when(edit(alice(), SECOND, "other"))
        .rejected(&Rejection::NoSuchPost);
    for text in ["", &"x".repeat(50_001)] {
        let refused = if text.is_empty() {
            Rejection::Empty
        } else {
            Rejection::TooLong
        };
        given::<Topic>(&[opened()])
            .when(edit(alice(), FIRST, text))
            .rejected(&refused);
    }
}

#[test]
fn what_was_removed_meanwhile_is_not_edited() {
    given::<Topic>(&[opened(), replied(bob()), gone(true)])
        .when(edit(bob(), SECOND, "other"))
        .rejected(&Rejection::PostRemoved);
    for command in [
        edit(alice(), FIRST, "other"),
        reply(alice(), SECOND, "answer"),
    ] {
        given::<Topic>(&[opened(), topic_gone(true)])
            .when(command)
            .rejected(&Rejection::TopicRemoved);
    }
}

#[test]
fn a_post_is_removed_once_and_restored_by_who_removed_it_or_the_staff() {
    let answered = [opened(), replied(bob())];
    given::<Topic>(&answered)
        .when(remove(bob(), SECOND))
        .then(&[gone(false)]);
    given::<Topic>(&answered)
        .when(remove(staff(), SECOND))
        .then(&[gone(true)]);
    given::<Topic>(&answered)
        .when(remove(alice(), SECOND))
        .rejected(&Rejection::NotYours);
    let by = |by_staff| given::<Topic>(&[opened(), replied(bob()), gone(by_staff)]);
    by(false)
        .when(remove(bob(), SECOND))
        .rejected(&Rejection::AlreadyRemoved);
    let restore = |by| Command::Restore { by, post: SECOND };
    let restored = Event::PostRestored { post: SECOND };
    for (by_staff, who) in [(false, bob()), (false, staff()), (true, staff())] {
        by(by_staff)
            .when(restore(who))
            .then(std::slice::from_ref(&restored));
    }
    by(true)
        .when(restore(bob()))
        .rejected(&Rejection::RemovedByStaff);
    given::<Topic>(&answered)
        .when(restore(bob()))
        .rejected(&Rejection::NotRemoved);
}

#[test]
fn with_its_first_post_a_topic_is_removed_by_its_author_while_nobody_else_has_answered() {
    given::<Topic>(&[opened(), replied(alice())])
        .when(remove(alice(), FIRST))
        .then(&[topic_gone(false)]);
    given::<Topic>(&[opened(), replied(bob())])
        .when(remove(alice(), FIRST))
        .rejected(&Rejection::Answered);
    given::<Topic>(&[opened(), replied(bob())])
        .when(remove(staff(), FIRST))
        .then(&[topic_gone(true)]);
    given::<Topic>(&[opened(), topic_gone(true)])
        .when(remove(staff(), FIRST))
        .rejected(&Rejection::AlreadyRemoved);
    let restore = |by| Command::Restore { by, post: FIRST };
    given::<Topic>(&[opened(), topic_gone(true)])
        .when(restore(alice()))
        .rejected(&Rejection::RemovedByStaff);
    given::<Topic>(&[opened(), topic_gone(false)])
        .when(restore(alice()))
        .then(&[Event::TopicRestored {}]);
    given::<Topic>(&[opened(), topic_gone(true), Event::TopicRestored {}])
        .when(reply(bob(), SECOND, "answer"))
        .then(&[replied(bob())]);
}

#[test]
fn what_stands_already_is_no_event() {
    let section = SectionId(Uuid::from_u128(21));
    let moved = Event::TopicMoved { section };
    for (command, event) in [
        (Command::Pin(true), Event::TopicPinned {}),
        (Command::Lock(true), Event::TopicLocked {}),
        (Command::Move(section), moved),
    ] {
        given::<Topic>(&[opened()])
            .when(command.clone())
            .then(std::slice::from_ref(&event));
        given::<Topic>(&[opened(), event]).when(command).then(&[]);
    }
    for (command, past, event) in [
        (
            Command::Pin(false),
            Event::TopicPinned {},
            Event::TopicUnpinned {},
        ),
        (
            Command::Lock(false),
            Event::TopicLocked {},
            Event::TopicUnlocked {},
        ),
    ] {
        given::<Topic>(&[opened()]).when(command.clone()).then(&[]);
        given::<Topic>(&[opened(), past])
            .when(command)
            .then(&[event]);
    }
}
