create unlogged table category (
    id      uuid primary key,
    slug    text not null unique,
    name    text not null,
    parent  uuid,
    rank    integer not null,
    retired boolean not null default false
);
