create unlogged table torrent (
    id            uuid not null,
    name          text not null,
    category      uuid not null,
    description   text not null,
    uploader      uuid not null,
    uploaded_at   timestamptz not null,
    size          bigint not null,
    files         integer not null,
    piece_length  bigint not null,
    info_hash     text not null,
    info_hash_v2  text,
    withdrawn     boolean not null default false,
    -- Whether the staff did, and why; while it is withdrawn.
    withdrawn_by_staff boolean not null default false,
    withdrawal_reason  text,
    -- What the staff says of it while it isn't approved: waiting, changes or rejected.
    review        text,
    review_reason text,
    -- Whether it isn't approved; of `review`, a text, the planner may know nothing.
    held          boolean not null default false,
    position      bigint not null
);
create unlogged table torrent_file (
    torrent uuid not null,
    place   integer not null,
    path    text not null,
    size    bigint not null
);
create unlogged table torrent_tag (
    torrent  uuid not null,
    tag      uuid not null,
    -- The torrent's.
    position bigint not null
);
-- Keys and indexes.
alter table torrent add primary key (id);
create index torrent_newest on torrent (position desc, id desc) where not withdrawn;
create index torrent_by_size on torrent (size desc, id desc) where not withdrawn;
create index torrent_by_name on torrent (lower(name), id) where not withdrawn;
create index torrent_by_category on torrent (category, id) where not withdrawn;
create index torrent_newest_of_category on torrent (category, position desc) where not withdrawn;
create index torrent_by_time on torrent (uploaded_at, position);
create index torrent_by_uploader on torrent (uploader, position desc, id desc);
create index torrent_by_hash on torrent (info_hash);
create index torrent_by_hash_v2 on torrent (left(info_hash_v2, 40)) where info_hash_v2 is not null;
create index torrent_held on torrent (position) where held and not withdrawn;
alter table torrent_file add primary key (torrent, place);
alter table torrent_tag add primary key (torrent, tag);
create index torrent_of_tag on torrent_tag (tag, position desc, torrent desc);
