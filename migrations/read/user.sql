create unlogged table member (
    id            uuid primary key,
    name          text not null,
    folded        text not null unique,
    role          text not null,
    joined        timestamptz not null
);
