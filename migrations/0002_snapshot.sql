-- States of long streams, sealed like payloads: a cache that may be emptied at any time.
create unlogged table snapshot (
    stream_type text not null,
    stream_id   uuid not null,
    sequence    bigint not null,
    shape       integer not null,
    key_id      integer not null,
    sealed      bytea not null,
    primary key (stream_id, stream_type)
);
