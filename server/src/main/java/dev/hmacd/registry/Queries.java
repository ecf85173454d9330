package dev.hmacd.registry;

import com.google.errorprone.annotations.CheckReturnValue;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads of the registry's database in a transaction. Not thread-safe.
interface Queries {
  /// Maps a row of a result.
  interface RowReader<T> {
    T read(ResultSet row) throws SQLException;
  }

  /// Runs a query.
  ///
  /// @param arguments the values of the placeholders `?`, in order
  /// @return the rows, in the order of the result
  @CheckReturnValue
  <T> List<T> query(String sql, RowReader<T> reader, @Nullable Object... arguments)
      throws SQLException;
}
