-- `place` orders a state's reports: those that wait by when they were made, the others by when they ended,
-- the latest first.
create unlogged table report (
    id        uuid not null,
    position  bigint not null,
    reporter  uuid not null,
    kind      text not null,
    target    uuid not null,
    topic     uuid,
    about     uuid not null,
    reason    text not null,
    text      text not null,
    at        timestamptz not null,
    state     smallint not null,
    place     bigint not null,
    taken_by  uuid,
    closed_by uuid,
    closed_at timestamptz,
    word      text
);
create unlogged table report_note (
    position bigint not null,
    report   uuid not null,
    by       uuid not null,
    at       timestamptz not null,
    text     text not null
);
-- Keys and indexes.
alter table report add primary key (id);
create index report_queue on report (state, place);
create index report_of_member on report (reporter, position desc);
alter table report_note add primary key (position);
create index report_note_of on report_note (report, position);
