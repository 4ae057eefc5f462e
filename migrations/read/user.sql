create unlogged table member (
    id            uuid not null,
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
    -- Whether a device of the member's makes codes for sign-ins, and how many keys prove one.
    codes         boolean not null default false,
    security_keys integer not null default 0,
    erased        boolean not null default false
);
create unlogged table sanction (
    position bigint not null,
    member   uuid not null,
    kind     text not null,
    reason   text not null,
    until    bigint,
    by_address boolean not null,
    at       timestamptz not null,
    by       uuid
);
-- Keys and indexes.
alter table member add primary key (id);
alter table sanction add primary key (position);
create index member_by_name on member (folded);
create index member_by_network on member (banned_network) where banned_network is not null;
create index sanction_of_member on sanction (member, position desc);
