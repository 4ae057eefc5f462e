-- A member's key whose member was erased: its row stays, so that nothing is ever sealed under another
-- one, and what was wrapped is gone.
alter table data_key alter column wrapped drop not null;
