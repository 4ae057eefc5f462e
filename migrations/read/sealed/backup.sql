-- When backups were made stands in the clear beside the log; up to where, doesn't.
insert into backup_run (kind, at, upto)
select case event_type when 'BackupMade' then 'made' else 'verified' end, max(recorded_at), 0
from event_log where stream_type = 'audit' and event_type in ('BackupMade', 'BackupVerified') group by event_type;
