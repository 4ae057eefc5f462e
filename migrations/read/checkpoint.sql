-- Another node may make it just now.
do $$ begin create schema if not exists read; exception when unique_violation then null; end $$;
create unlogged table if not exists read.checkpoint (
    name     text primary key,
    version  integer not null,
    position bigint not null,
    error    text
);
