-- Texts and names stand in other tables; each row bears what leads there.
create unlogged table notification (
    member   uuid not null,
    position bigint not null,
    kind     text not null,
    at       timestamptz not null,
    actor    uuid,
    topic    uuid,
    subject  uuid
);
-- Whom an answer in a topic is told: who wrote in it, and since when.
create unlogged table notification_writer (
    topic  uuid not null,
    member uuid not null,
    since  bigint not null
);
-- Who was told that a post names them, so that they are told once.
create unlogged table notification_naming (
    post     uuid not null,
    member   uuid not null,
    position bigint not null
);
-- Whom a comment on a torrent is told.
create unlogged table notification_uploader (
    torrent uuid not null,
    member  uuid not null
);
-- From where a member signed in that was new.
create unlogged table notification_device (
    member   uuid not null,
    position bigint not null,
    name     text not null
);
-- Who was erased.
create unlogged table notification_gone (
    member uuid not null
);
-- Keys and indexes.
alter table notification_gone add primary key (member);
alter table notification_device add primary key (member, position);
alter table notification add primary key (member, position);
alter table notification_writer add primary key (topic, member);
create index notification_writer_since on notification_writer (topic, since);
alter table notification_naming add primary key (post, member);
alter table notification_uploader add primary key (torrent);
