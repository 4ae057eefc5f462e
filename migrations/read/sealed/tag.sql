insert into tag (id, name, colour, rank)
select stream_id, '[ENCRYPTED]', '[ENCRYPTED]', 0
from event_log where stream_type = 'tag' and event_type = 'TagCreated';
