INSERT INTO raw.job (payload) SELECT * FROM unnest(:payloads::json[]);
