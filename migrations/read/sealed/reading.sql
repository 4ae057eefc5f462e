-- Who has read what stands nowhere in the clear; who was erased does.
insert into reading_gone (member)
select distinct stream_id from event_log where stream_type = 'user' and event_type = 'MemberErased';
