create unlogged table member (
    id            uuid primary key,
    name          text not null,
    -- An erased member has none. It isn't unique: where somebody else takes the name, both have it till the
    -- batch is applied.
    folded        text collate "C",
    role          text not null,
    joined        timestamptz not null,
    -- In seconds since 1970.
    banned_until  bigint,
    -- The keyed hash of what the ban covers besides.
    banned_network bytea,
    -- Since when another password than the first holds, in seconds since 1970.
    proves_since  bigint,
    -- Whether sign-ins ask for a code of the member's device.
    second_factor boolean not null default false,
    erased        boolean not null default false
);
create index member_by_name on member (folded);
create index member_by_network on member (banned_network) where banned_network is not null;
create unlogged table sanction (
    position bigint primary key,
    member   uuid not null,
    kind     text not null,
    reason   text not null,
    until    bigint,
    by_address boolean not null,
    at       timestamptz not null,
    by       uuid
);
create index sanction_of_member on sanction (member, position desc);
