create schema if not exists read;
create unlogged table if not exists read.checkpoint (
    name     text primary key,
    version  integer not null,
    position bigint not null,
    error    text
);
