-- How the vault stands (domain::vault::State), and what is being done about it. The epoch grows with
-- each change of state or keys: who appends names the epoch that they know.
alter table vault
    add column state   text not null default 'open',
    add column epoch   bigint not null default 0,
    add column layered boolean not null default false, -- whether the log has its outer layer
    add column doing   text not null default '',
    add column done    bigint not null default 0,
    add column total   bigint not null default 0,
    add column trouble text;

-- The key that wraps the data keys, under the master key. It is empty while the vault is sealed: then
-- nothing in the database leads to a key, whoever has a copy of the master key.
create table keyring (
    one      boolean primary key check (one),
    wrapping bytea not null
);

-- Keys of the log's outer layer, each sealed to the public key of the Panic Password before it is used.
create table outer_key (
    id           integer generated always as identity primary key,
    encapsulated bytea not null,
    sealed       bytea not null
);

-- Traffic that the log didn't take any more when the vault was sealed, sealed to the same public key.
create table sealed_traffic (
    id           integer generated always as identity primary key,
    encapsulated bytea not null,
    sealed       bytea not null
);

-- A data key that was rotated away opens what it sealed, and seals nothing new.
alter table data_key add column retired boolean not null default false;
alter table data_key drop constraint data_key_class_subject_key;
create unique index data_key_class_subject_key on data_key (class, subject) where not retired;
