create unlogged table own_role (
    id          uuid primary key,
    name        text not null,
    colour      text not null,
    permissions text[] not null,
    retired     boolean not null default false
);
create unlogged table member_role (
    member uuid not null,
    role   uuid not null,
    primary key (member, role)
);
create index member_role_by_role on member_role (role);
