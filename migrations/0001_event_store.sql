-- The log: every change, in one gapless order, sealed. Its layout is told in ARCHITECTURE.md.
create table event_log (
    position      bigint primary key check (position > 0),
    stream_type   text not null,
    stream_id     uuid not null,
    sequence      bigint not null check (sequence > 0),
    event_type    text not null,
    event_version integer not null,
    command_id    uuid not null,
    recorded_at   timestamptz not null,
    key_id        integer not null,
    suite         smallint not null, -- 1: XChaCha20-Poly1305
    sealed        bytea not null,    -- nonce, ciphertext and tag of payload, metadata and salt
    leaf          bytea not null,    -- SHA-256 of the envelope and of the plaintext's commitment
    chain         bytea not null,    -- SHA-256 of the chain before and the leaf
    constraint event_log_stream unique (stream_id, stream_type, sequence)
);
alter table event_log alter column sealed set storage external;

-- Each command once: the first answer, for who asks again.
create table command_log (
    command_id uuid primary key,
    first_pos  bigint not null,
    last_pos   bigint not null,
    at         timestamptz not null
);

-- Values that only one stream may hold, by keyed hash.
create table unique_claim (
    scope     text not null,
    key_hmac  bytea not null,
    stream_id uuid not null,
    position  bigint not null,
    primary key (scope, key_hmac)
);

-- Each traffic batch once.
create table flush_ledger (
    node     text not null,
    epoch    bigint not null,
    number   bigint not null,
    position bigint not null,
    primary key (node, epoch, number)
);

-- Data keys, wrapped by the master key. A member's own key has the member as its subject.
create sequence data_key_id as integer;
create table data_key (
    key_id  integer primary key,
    class   text not null,
    subject uuid not null,
    wrapped bytea not null,
    made_at timestamptz not null,
    unique (class, subject)
);

-- Which master key opens the data keys.
create table vault (
    one       boolean primary key check (one),
    key_check bytea not null
);

-- The log in the shape of postgres-es, for audit reads through the library.
create view stored_event as
select stream_type as aggregate_type,
       stream_id::text as aggregate_id,
       sequence,
       event_type,
       event_version::text as event_version,
       json_build_object('key_id', key_id, 'sealed', translate(encode(sealed, 'base64'), E'\n', '')) as payload,
       '{}'::json as metadata
from event_log;
