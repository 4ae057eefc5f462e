create unlogged table access_member (
    member   uuid primary key,
    passkey  bytea not null,
    position bigint not null
);
create index access_member_position on access_member (position);

create unlogged table access_torrent (
    torrent  uuid primary key,
    hashes   bytea[] not null,
    offered  boolean not null,
    position bigint not null
);
create index access_torrent_position on access_torrent (position);
