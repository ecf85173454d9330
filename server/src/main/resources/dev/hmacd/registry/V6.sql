-- The nonce of the newest change; null before the first change of this schema.
ALTER TABLE registry ADD COLUMN nonce TEXT;

-- The entries that each change created, changed or deleted.
CREATE TABLE changes (
  revision   BIGINT NOT NULL,
  nonce      TEXT NOT NULL,
  kind       TEXT NOT NULL,
  account    TEXT NOT NULL,
  id         TEXT NOT NULL,
  changed_ms BIGINT NOT NULL,
  PRIMARY KEY (revision, kind, account, id)
);
