-- The master key as the Panic Password opens it; what it holds is told in infra/src/vault/slot.rs.
create table panic_slot (
    one  boolean primary key check (one),
    slot jsonb not null
);
