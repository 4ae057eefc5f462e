create unlogged table invite (
    id         uuid primary key,
    issuer     uuid not null,
    issued_at  timestamptz not null,
    expires    bigint not null,
    standing   text not null default 'open',
    used_by    uuid,
    settled_at timestamptz,
    position   bigint not null,
    -- Where somebody joined by it.
    used_position bigint
);
create index invite_of_issuer on invite (issuer, position desc);
create index invite_newest on invite (position desc);
create index invite_due on invite (expires) where standing = 'open';
create index invite_used_by on invite (used_by) where used_by is not null;
-- How many people each member may still invite.
create unlogged table invites_left (
    member uuid primary key,
    count  bigint not null
);
