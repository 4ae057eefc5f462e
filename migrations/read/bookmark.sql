create unlogged table bookmark (
    member  uuid not null,
    torrent uuid not null,
    primary key (member, torrent)
);
