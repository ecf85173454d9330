package dev.hmacd.registry;

import dev.hmacd.key.AccessKey;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// All access keys of the registry in memory, by id. Reads are thread-safe. Changes run on the
/// thread of [RegistryStore].
final class AccessKeyTable implements RegistryFile.CachedPart {
  /// The query whose rows [#read] reads.
  static final String SELECT =
      "SELECT access_key_id, principal, created_ms, active FROM access_keys";

  private final Map<String, AccessKey> keys = new ConcurrentHashMap<>();

  @Override
  public void load(Database db) throws SQLException {
    Map<String, AccessKey> read = new HashMap<>();
    for (AccessKey key : db.query(SELECT, AccessKeyTable::read)) {
      read.put(key.id(), key);
    }
    keys.putAll(read);
    keys.keySet().retainAll(read.keySet());
  }

  Optional<AccessKey> find(String id) {
    return Optional.ofNullable(keys.get(id));
  }

  AccessKey put(AccessKey key) {
    keys.put(key.id(), key);
    return key;
  }

  void remove(String id) {
    keys.remove(id);
  }

  /// Reads the access key in a row of [#SELECT].
  static AccessKey read(ResultSet row) throws SQLException {
    return new AccessKey(
        row.getString("access_key_id"),
        row.getString("principal"),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        row.getBoolean("active"));
  }
}
