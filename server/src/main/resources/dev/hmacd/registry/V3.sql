-- The tokens that hold a version's object beside the one that it was made or adopted on.
CREATE TABLE key_copies (
  key_id       TEXT NOT NULL,
  version      INTEGER NOT NULL,
  token_serial TEXT NOT NULL,
  PRIMARY KEY (key_id, version, token_serial),
  FOREIGN KEY (key_id, version) REFERENCES key_versions
);

CREATE INDEX key_versions_by_object ON key_versions (object_label, object_id);
