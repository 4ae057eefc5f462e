-- No name, no size, no file, no hash, no reason; which are withdrawn stands in the clear, by whom doesn't.
insert into torrent (id, name, category, description, uploader, uploaded_at, size, files, piece_length,
                     info_hash, withdrawn, withdrawal_reason, review, held, position)
select uploaded.stream_id, '[ENCRYPTED]', uuid_nil, '[ENCRYPTED]', uuid_nil, uploaded.recorded_at, 0, 0, 0,
       '[ENCRYPTED]', coalesce(last.event_type = 'TorrentWithdrawn', false), '[ENCRYPTED]', '[ENCRYPTED]', true,
       uploaded.position
from event_log uploaded
cross join (values ('00000000-0000-0000-0000-000000000000'::uuid)) as nil (uuid_nil)
left join lateral (
    select event_type from event_log turned
    where turned.stream_type = 'torrent' and turned.stream_id = uploaded.stream_id
      and turned.event_type in ('TorrentWithdrawn', 'TorrentRestored')
    order by turned.sequence desc limit 1
) as last on true
where uploaded.stream_type = 'torrent' and uploaded.event_type = 'TorrentUploaded';
