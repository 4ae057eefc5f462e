insert into site (one, open, announcement) values (true, false, '[ENCRYPTED]');
