-- One row: what holds for the whole registry. Every change of any table bumps the revision in its transaction.
CREATE TABLE registry (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  revision  BIGINT NOT NULL,
  arn_prefix TEXT NOT NULL
);

CREATE TABLE keys (
  key_id      TEXT PRIMARY KEY,
  spec        TEXT NOT NULL,
  state       TEXT NOT NULL,
  origin      TEXT NOT NULL,
  created_ms  BIGINT NOT NULL,
  description TEXT NOT NULL,
  version     INTEGER NOT NULL
);

-- One row a version: the object on the token, and its attributes as they were read. Null: not told.
CREATE TABLE key_versions (
  key_id            TEXT NOT NULL REFERENCES keys,
  version           INTEGER NOT NULL,
  token_serial      TEXT NOT NULL,
  object_label      TEXT NOT NULL,
  object_id         TEXT NOT NULL,
  attributes_read   BOOLEAN NOT NULL,
  sensitive         BOOLEAN,
  extractable       BOOLEAN,
  sign              BOOLEAN,
  always_sensitive  BOOLEAN,
  never_extractable BOOLEAN,
  local             BOOLEAN,
  key_bytes         INTEGER,
  PRIMARY KEY (key_id, version),
  UNIQUE (token_serial, object_label, object_id)
);

CREATE TABLE aliases (
  name       TEXT PRIMARY KEY,
  key_id     TEXT NOT NULL REFERENCES keys,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);

CREATE INDEX aliases_by_key ON aliases (key_id, name);

-- The daemon's own keys, one row for each token and purpose.
CREATE TABLE own_keys (
  token_serial TEXT NOT NULL,
  purpose      TEXT NOT NULL,
  object_label TEXT NOT NULL,
  object_id    TEXT NOT NULL,
  known_answer TEXT NOT NULL,
  PRIMARY KEY (token_serial, purpose)
);
