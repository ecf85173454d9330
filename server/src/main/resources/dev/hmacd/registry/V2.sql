-- When a key is to be destroyed; null unless it waits for that. While a key is being destroyed its state is CONDEMNED.
ALTER TABLE keys ADD COLUMN deletion_ms BIGINT;

CREATE INDEX keys_by_deletion ON keys (deletion_ms);

CREATE TABLE tags (
  key_id    TEXT NOT NULL REFERENCES keys,
  tag_key   TEXT NOT NULL,
  tag_value TEXT NOT NULL,
  position  INTEGER NOT NULL,
  PRIMARY KEY (key_id, tag_key),
  UNIQUE (key_id, position)
);

-- Who may sign requests to the AWS edge. Nothing here makes a signature: secrets are derived in the HSM.
CREATE TABLE access_keys (
  access_key_id TEXT PRIMARY KEY,
  principal     TEXT NOT NULL,
  created_ms    BIGINT NOT NULL,
  active        BOOLEAN NOT NULL
);
