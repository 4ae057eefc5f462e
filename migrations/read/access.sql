create unlogged table access_member (
    member       uuid not null,
    -- An erased member has none.
    passkey      bytea,
    -- Keeps order among torrents.
    staff        boolean not null default false,
    -- The end of a ban in seconds since 1970.
    banned_until bigint,
    position     bigint not null
);
-- Roles of the site's own, and who has them.
create unlogged table access_role (
    role  uuid not null,
    -- Keeps order among torrents.
    staff boolean not null
);
create unlogged table access_member_role (
    member uuid not null,
    role   uuid not null
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
alter table access_role add primary key (role);
alter table access_member_role add primary key (member, role);
create index access_member_role_by_role on access_member_role (role);
create index access_member_position on access_member (position);
alter table access_torrent add primary key (torrent);
create index access_torrent_position on access_torrent (position);
create index access_torrent_free on access_torrent (free_until) where free_until is not null;
