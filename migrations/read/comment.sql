create unlogged table comment (
    id        uuid not null,
    torrent   uuid not null,
    author    uuid not null,
    text      text not null,
    at        timestamptz not null,
    edited_at timestamptz,
    removed   boolean not null default false,
    by_staff  boolean not null default false,
    position  bigint not null
);
-- Keys and indexes.
alter table comment add primary key (id);
create index comment_of_torrent on comment (torrent, position desc);
