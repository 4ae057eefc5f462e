create unlogged table site (
    one          boolean primary key check (one),
    open         boolean not null,
    announcement text not null
);
