-- What completed downloads owe.
create unlogged table obligation (
    stream       uuid not null,
    member       uuid not null,
    torrent      uuid not null,
    owes         bigint not null,
    due          bigint not null,
    completed_at timestamptz not null,
    standing     text not null,
    settled_at   timestamptz,
    settled_by   uuid,
    reason       text,
    position     bigint not null
);
-- Who was erased.
create unlogged table obligation_gone (
    member uuid not null
);
-- What looks wrong and wasn't looked at.
create unlogged table flag (
    stream   uuid not null,
    kind     text not null,
    member   uuid not null,
    torrent  uuid not null,
    facts    text not null,
    at       timestamptz not null,
    position bigint not null
);
-- Keys and indexes.
alter table obligation add primary key (stream);
alter table obligation_gone add primary key (member);
alter table flag add primary key (stream, kind);
create index obligation_of_member on obligation (member, position desc);
create index obligation_due on obligation (due) where standing = 'owing';
create index obligation_standing on obligation (standing, position desc);
create index obligation_pair on obligation (member, torrent) where standing in ('owing', 'marked');
create index flag_newest on flag (position desc);
