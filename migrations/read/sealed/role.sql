-- Nobody may anything, and nobody has one: whose it was stands in sealed events.
insert into own_role (id, name, colour, permissions)
select stream_id, '[ENCRYPTED]', '[ENCRYPTED]', '{}'
from event_log where stream_type = 'role' and event_type = 'RoleCreated';
