insert into category (id, slug, name, parent, rank)
select stream_id, '[ENCRYPTED] ' || stream_id, '[ENCRYPTED]', null, 0
from event_log where stream_type = 'category' and event_type = 'CategoryCreated';
