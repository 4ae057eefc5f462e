create unlogged table site (
    one             boolean primary key check (one),
    registration    text not null default 'closed',
    announcement    text not null default '',
    freeleech       boolean not null default false,
    freeleech_until bigint,
    -- A PNG, and how it is named in addresses.
    logo            bytea,
    logo_name       text,
    position        bigint not null default 0
);
-- What was set, as people write it.
create unlogged table setting (
    key   text primary key,
    value text not null
);
-- Who changed what when; nothing stands for the default.
create unlogged table setting_change (
    position bigint not null,
    key      text not null,
    value    text,
    at       timestamptz not null,
    member   uuid,
    primary key (position, key)
);
