create unlogged table member (
    id            uuid primary key,
    name          text not null,
    folded        text not null unique,
    administrator boolean not null,
    joined        timestamptz not null
);
