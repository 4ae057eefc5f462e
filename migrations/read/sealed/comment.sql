-- No text, no author and nothing of what it is about; the count and the times stay.
insert into comment (id, torrent, author, text, at, position)
select stream_id, nil, nil, '[ENCRYPTED]', recorded_at, position
from event_log cross join (values ('00000000-0000-0000-0000-000000000000'::uuid)) as nothing (nil)
where stream_type = 'comment' and event_type = 'CommentWritten';
