-- Claims that were let go: who held what from which position up to which. With the claims themselves it
-- tells how they stood at any position, for a restore to a point in time.
create table released_claim (
    scope     text not null,
    key_hmac  bytea not null,
    stream_id uuid not null,
    position  bigint not null,
    released  bigint not null
);
