-- The MAC by which a version's key is recognised, in hex; null until the first use of a key that is older than this column.
ALTER TABLE key_versions ADD COLUMN check_value TEXT;
