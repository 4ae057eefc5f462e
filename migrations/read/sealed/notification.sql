-- Who is told what stands nowhere in the clear; who was erased does.
insert into notification_gone (member)
select distinct stream_id from event_log where stream_type = 'user' and event_type = 'MemberErased';
