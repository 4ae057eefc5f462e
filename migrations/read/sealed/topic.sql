-- No title, no text, no author, no section; how many posts there are, and when, stands in the clear.
insert into topic (id, section, title, author, opened_at, posts, last_post, last_by, last_at, activity)
select opened.stream_id, uuid_nil, '[ENCRYPTED]', uuid_nil, opened.recorded_at, 0, uuid_nil, uuid_nil,
       opened.recorded_at, opened.position
from event_log opened
cross join (values ('00000000-0000-0000-0000-000000000000'::uuid)) as nil (uuid_nil)
where opened.stream_type = 'topic' and opened.event_type = 'TopicOpened';
-- Which post an event is about isn't known, so each bears its place in the log instead.
insert into post (id, topic, number, author, at, position, text)
select md5('post ' || said.position)::uuid, said.stream_id, row_number() over (partition by said.stream_id order by said.sequence),
       uuid_nil, said.recorded_at, said.position, '[ENCRYPTED]'
from event_log said
cross join (values ('00000000-0000-0000-0000-000000000000'::uuid)) as nil (uuid_nil)
where said.stream_type = 'topic' and said.event_type in ('TopicOpened', 'TopicReplied');
insert into post_version (post, version, at, text)
select md5('post ' || edited.position)::uuid, 2, edited.recorded_at, '[ENCRYPTED]'
from event_log edited where edited.stream_type = 'topic' and edited.event_type = 'PostEdited';
