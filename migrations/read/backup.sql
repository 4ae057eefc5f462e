create unlogged table backup_run (
    kind text not null,
    at   timestamptz not null,
    upto bigint not null
);
-- Keys and indexes.
alter table backup_run add primary key (kind);
