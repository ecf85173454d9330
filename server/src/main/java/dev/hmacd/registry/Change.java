package dev.hmacd.registry;

import com.google.errorprone.annotations.CheckReturnValue;
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
  private final Set<ChangedEntry> entries = new LinkedHashSet<>();

  Change(Database db) {
    this.db = db;
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
  int update(ChangedEntry entry, String sql, @Nullable Object... arguments) throws SQLException {
    int rows = db.update(sql, arguments);
    if (rows > 0) {
      entries.add(entry);
    }
    return rows;
  }

  /// Names one more entry whose content changes with the rows of another: for example, a key gets
  /// an alias.
  void touch(ChangedEntry entry) {
    entries.add(entry);
  }

  /// The entries that this change has touched, in the order of their first write.
  Set<ChangedEntry> entries() {
    return entries;
  }
}
