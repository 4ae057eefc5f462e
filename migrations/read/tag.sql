create unlogged table tag (
    id      uuid primary key,
    name    text not null,
    colour  text not null,
    rank    integer not null,
    retired boolean not null default false
);
