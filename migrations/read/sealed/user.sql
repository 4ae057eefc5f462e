-- Nobody's name, nobody's role; the count and the times stay.
insert into member (id, name, folded, role, joined)
select stream_id, '[ENCRYPTED]', '[ENCRYPTED] ' || stream_id, '[ENCRYPTED]', recorded_at
from event_log where stream_type = 'user' and event_type = 'MemberRegistered';
