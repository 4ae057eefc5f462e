create unlogged table member (
    id            uuid primary key,
    name          text not null,
    folded        text not null unique,
    role          text not null,
    joined        timestamptz not null,
    -- In seconds since 1970.
    banned_until  bigint,
    -- Since when another password than the first holds, in seconds since 1970.
    proves_since  bigint
);
create index member_by_name on member (folded collate "C");
create unlogged table sanction (
    position bigint primary key,
    member   uuid not null,
    kind     text not null,
    reason   text not null,
    until    bigint,
    at       timestamptz not null,
    by       uuid
);
create index sanction_of_member on sanction (member, position desc);
