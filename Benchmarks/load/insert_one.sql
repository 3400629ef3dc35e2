INSERT INTO raw.job (payload) VALUES ('{"to":"someone@example.com","n":12345}');
