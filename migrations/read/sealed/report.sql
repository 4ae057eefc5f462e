-- Nobody's name, nothing of what is reported; how many there are, which are closed and when stands in the clear.
insert into report (id, position, reporter, kind, target, about, reason, text, at, state, place, closed_at)
select filed.stream_id, filed.position, nil, '[ENCRYPTED]', nil, nil, '[ENCRYPTED]', '[ENCRYPTED]', filed.recorded_at,
       case closed.event_type when 'ReportResolved' then 2 when 'ReportDismissed' then 3 else 0 end,
       coalesce(-closed.position, filed.position), closed.recorded_at
from event_log filed
cross join (values ('00000000-0000-0000-0000-000000000000'::uuid)) as nothing (nil)
left join lateral (
    select event_type, position, recorded_at from event_log ended
    where ended.stream_type = 'report' and ended.stream_id = filed.stream_id
      and ended.event_type in ('ReportResolved', 'ReportDismissed')
    order by ended.sequence desc limit 1
) as closed on true
where filed.stream_type = 'report' and filed.event_type = 'ReportFiled';
insert into report_note (position, report, by, at, text)
select position, stream_id, '00000000-0000-0000-0000-000000000000', recorded_at, '[ENCRYPTED]'
from event_log where stream_type = 'report' and event_type = 'ReportNoted';
