package dev.hmacd.registry;

import com.google.errorprone.annotations.CheckReturnValue;
import dev.hmacd.key.Alias;
import dev.hmacd.key.KeyId;
import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.EntryName.Kind;
import java.sql.SQLException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A change of the registry, in the transaction of a [Database]. Not thread-safe.
///
/// Each write names the entry that it changes, so `changes` is complete: a cache drops exactly the
/// entries that a change has touched.
final class Change implements Queries {
  private final Database db;
  private final String account;
  private final Set<EntryName> entries = new LinkedHashSet<>();

  /// @param account the account of all entries
  Change(Database db, String account) {
    this.db = db;
    this.account = account;
  }

  EntryName key(KeyId id) {
    return new EntryName(Kind.KEY, account, id.value());
  }

  EntryName alias(Alias alias) {
    return new EntryName(Kind.ALIAS, account, alias.name());
  }

  EntryName accessKey(String id) {
    return new EntryName(Kind.ACCESS_KEY, account, id);
  }

  EntryName ownKeys(String tokenSerial) {
    return new EntryName(Kind.OWN_KEYS, account, tokenSerial);
  }

  /// For a change of too many entries to name each.
  EntryName everything() {
    return new EntryName(Kind.EVERYTHING, account, "");
  }

  @Override
  @CheckReturnValue
  public <T> List<T> query(String sql, RowReader<T> reader, @Nullable Object... arguments)
      throws SQLException {
    return db.query(sql, reader, arguments);
  }

  /// Changes rows of an entry.
  ///
  /// @return the number of rows that changed; for 0, the entry counts as unchanged
  int update(EntryName entry, String sql, @Nullable Object... arguments) throws SQLException {
    int rows = db.update(sql, arguments);
    if (rows > 0) {
      entries.add(entry);
    }
    return rows;
  }

  /// Names one more entry whose content changes with the rows of another: for example, a key gets
  /// an alias.
  void touch(EntryName entry) {
    entries.add(entry);
  }

  /// The entries that this change has touched, in the order of their first write.
  Set<EntryName> entries() {
    return entries;
  }
}
