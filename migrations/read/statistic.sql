-- What happened in an hour, in a day, and at all; `bucket` counts hours or days since 1970.
create unlogged table statistic (
    grain    smallint not null,
    bucket   bigint not null,
    members  bigint not null,
    torrents bigint not null,
    posts    bigint not null,
    comments bigint not null,
    snatches bigint not null
);
-- Keys and indexes.
alter table statistic add primary key (grain, bucket);
