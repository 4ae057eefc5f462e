create unlogged table access_member (
    member       uuid not null,
    passkey      bytea not null,
    -- Keeps order among torrents.
    staff        boolean not null default false,
    -- The end of a ban in seconds since 1970.
    banned_until bigint,
    position     bigint not null
);
create unlogged table access_torrent (
    torrent    uuid not null,
    hashes     bytea[] not null,
    uploader   uuid,
    offered    boolean not null,
    -- Waits for approval.
    pending    boolean not null default false,
    -- The end of its freeleech in seconds since 1970.
    free_until bigint,
    position   bigint not null
);
-- Keys and indexes.
alter table access_member add primary key (member);
create index access_member_position on access_member (position);
alter table access_torrent add primary key (torrent);
create index access_torrent_position on access_torrent (position);
