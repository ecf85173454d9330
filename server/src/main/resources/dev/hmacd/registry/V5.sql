-- The process that makes a key in state CREATING, and the number of its attempt, from 1. Null in other states.
-- The owner is also null if an older version inserted the key.
ALTER TABLE keys ADD COLUMN creating_owner TEXT;
ALTER TABLE keys ADD COLUMN creating_attempt INTEGER;

UPDATE keys SET creating_attempt = 1 WHERE state = 'CREATING';

CREATE INDEX keys_creating ON keys (key_id) WHERE state = 'CREATING';
