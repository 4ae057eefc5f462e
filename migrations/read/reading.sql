create unlogged table reading (
    member   uuid not null,
    upto     bigint not null,
    notified bigint not null
);
-- Who was erased.
create unlogged table reading_gone (
    member   uuid not null
);
-- Keys and indexes.
alter table reading add primary key (member);
alter table reading_gone add primary key (member);
