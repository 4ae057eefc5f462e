create unlogged table reading (
    member   uuid not null,
    upto     bigint not null,
    notified bigint not null
);
-- Keys and indexes.
alter table reading add primary key (member);
