-- What `counted_in` and `counted` say of it stands in its section's total.
create unlogged table topic (
    id         uuid not null,
    section    uuid not null,
    title      text not null,
    author     uuid not null,
    opened_at  timestamptz not null,
    pinned     boolean not null default false,
    locked     boolean not null default false,
    removed    boolean not null default false,
    by_staff   boolean not null default false,
    remover    uuid,
    reason     text,
    posts      integer not null,
    last_post  uuid not null,
    last_by    uuid not null,
    last_at    timestamptz not null,
    activity   bigint not null,
    counted_in uuid,
    counted    integer not null default 0
);
-- Its text is what it said first; later wordings are in their own table.
create unlogged table post (
    id        uuid not null,
    topic     uuid not null,
    number    integer not null,
    author    uuid not null,
    at        timestamptz not null,
    position  bigint not null,
    text      text not null,
    version   integer not null default 1,
    removed   boolean not null default false,
    by_staff  boolean not null default false,
    remover   uuid,
    reason    text
);
create unlogged table post_version (
    post    uuid not null,
    version integer not null,
    by      uuid,
    at      timestamptz not null,
    text    text not null
);
create unlogged table section_total (
    section uuid not null,
    topics  bigint not null,
    posts   bigint not null
);
-- Keys and indexes.
alter table topic add primary key (id);
create index topic_of_section on topic (section, pinned, activity) where not removed;
create index topic_latest on topic (section, activity) where not removed;
alter table post add primary key (id);
create unique index post_of_topic on post (topic, number);
create index post_shown on post (topic, position) where not removed;
create index post_of_member on post (author, position) where not removed;
alter table post_version add primary key (post, version);
alter table section_total add primary key (section);
