-- One row per run of a client: the greatest totals that were ever recorded for it.
create unlogged table ledger (
    member     uuid not null,
    torrent    uuid not null,
    client     text not null,
    run        integer not null,
    uploaded   bigint not null,
    downloaded bigint not null,
    charged    bigint not null,
    remaining  bigint not null,
    seeded     bigint not null,
    leeched    bigint not null,
    completed  boolean not null,
    first_at   timestamptz not null,
    last_at    timestamptz not null
);

-- Who was erased: nothing is written of them any more, and what they moved before stays in the sums alone.
create unlogged table ledger_gone (
    member uuid not null
);

-- Sums of the ledger, what a member was given besides, how many hit-and-runs are open, and how many
-- torrents they completed.
create unlogged table member_total (
    member     uuid not null,
    uploaded   bigint not null default 0,
    downloaded bigint not null default 0,
    charged    bigint not null default 0,
    seeded     bigint not null default 0,
    leeched    bigint not null default 0,
    credit     bigint not null default 0,
    marks      integer not null default 0,
    snatches   bigint not null default 0,
    position   bigint not null
);

-- Who completed which torrent, once each.
create unlogged table snatch (
    torrent  uuid not null,
    member   uuid not null,
    at       timestamptz not null,
    position bigint not null
);

-- How many completed each torrent, those that nobody did too.
create unlogged table snatch_count (
    torrent uuid not null,
    count   bigint not null
);

-- By how much all ledgers grew in an hour, in a day, and at all; `bucket` counts hours or days since 1970.
create unlogged table traffic_sum (
    grain      smallint not null,
    bucket     bigint not null,
    uploaded   bigint not null,
    downloaded bigint not null
);
-- Keys and indexes.
alter table ledger add primary key (member, torrent, client, run);
alter table ledger_gone add primary key (member);
alter table member_total add primary key (member);
alter table snatch add primary key (torrent, member);
alter table snatch_count add primary key (torrent);
alter table traffic_sum add primary key (grain, bucket);
create index ledger_of_member on ledger (member, last_at desc);
create index ledger_recent on ledger (last_at);
create index member_total_position on member_total (position);
create index snatch_position on snatch (position);
create index snatch_count_most on snatch_count (count desc, torrent desc);
