create unlogged table section (
    id          uuid not null,
    slug        text not null,
    name        text not null,
    description text not null,
    rank        integer not null,
    staff_only  boolean not null,
    retired     boolean not null default false
);
-- Keys and indexes.
alter table section add primary key (id);
create unique index section_by_slug on section (slug);
