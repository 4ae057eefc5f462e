-- No passkey and no hash, so nobody may announce anything.
insert into access_member (member, passkey, position)
select stream_id, null, position
from event_log where stream_type = 'user' and event_type = 'MemberRegistered';
insert into access_torrent (torrent, hashes, offered, position)
select stream_id, '{}', false, position
from event_log where stream_type = 'torrent' and event_type = 'TorrentUploaded';
