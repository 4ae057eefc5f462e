insert into site (one, registration, announcement) values (true, 'closed', '[ENCRYPTED]');
