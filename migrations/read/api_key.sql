create unlogged table api_key (
    id     uuid not null,
    member uuid not null,
    label  text not null,
    scopes text[] not null,
    hash   bytea not null,
    made   timestamptz not null
);
-- Keys and indexes.
alter table api_key add primary key (id);
alter table api_key add unique (hash);
create index api_key_by_member on api_key (member);
