-- No name; who might see it is unknown, which are retired stands in the clear.
insert into section (id, slug, name, description, rank, staff_only, retired)
select made.stream_id, '[ENCRYPTED] ' || made.stream_id, '[ENCRYPTED]', '[ENCRYPTED]', 0, true,
       coalesce(last.event_type = 'SectionRetired', false)
from event_log made
left join lateral (
    select event_type from event_log turned
    where turned.stream_type = 'section' and turned.stream_id = made.stream_id
      and turned.event_type in ('SectionRetired', 'SectionReopened')
    order by turned.sequence desc limit 1
) as last on true
where made.stream_type = 'section' and made.event_type = 'SectionCreated';
