package dev.hmacd.key;

import com.google.errorprone.annotations.CheckReturnValue;
import dev.hmacd.key.RegistryException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.sqlite.JDBC;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteOpenMode;

/// One SQLite connection with migrations, in plain JDBC. Not thread-safe: one thread at a time.
///
/// A commit is on the disk when it returns (write-ahead log, `synchronous=FULL`), so a crash at any
/// moment loses nothing that was answered.
final class Database implements AutoCloseable {
  /// How long a statement waits for another process's lock, e.g. a backup's.
  private static final int BUSY_TIMEOUT_MILLIS = 2000;

  static final FileAttribute<?> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  /// The schema's versions, oldest first; `PRAGMA user_version` says how many have been applied.
  private static final List<String> MIGRATIONS = List.of("V1.sql", "V2.sql", "V3.sql");

  private final Connection connection;

  private Database(Connection connection) {
    this.connection = connection;
  }

  /// Opens a file, which is made for its owner alone if it is not there.
  ///
  /// @throws RegistryException `FOREIGN` when it is something else than a registry, or a newer
  ///   one's; then it is as it was before
  static Database open(Path file) throws IOException, SQLException {
    try {
      // SQLite takes an empty file for a new database, and its other files take after this one.
      Files.createFile(file, OWNER_ONLY);
    } catch (FileAlreadyExistsException e) {
      // Its permissions are the operator's.
    }
    return connect(file, new SQLiteConfig());
  }

  /// As [#open], but never makes a file: one that is not there is a failure.
  static Database reopen(Path file) throws SQLException {
    var settings = new SQLiteConfig();
    settings.resetOpenMode(SQLiteOpenMode.CREATE);
    return connect(file, settings);
  }

  private static Database connect(Path file, SQLiteConfig settings) throws SQLException {
    // The driver itself: DriverManager would look into every jar for others.
    Connection connection = new JDBC().connect("jdbc:sqlite:" + file, settings.toProperties());
    try (Statement statement = connection.createStatement()) {
      statement.execute("PRAGMA busy_timeout=" + BUSY_TIMEOUT_MILLIS);
      requireRegistry(statement, file);
      statement.execute("PRAGMA journal_mode=WAL");
      statement.execute("PRAGMA synchronous=FULL");
      statement.execute("PRAGMA foreign_keys=ON");
      connection.setAutoCommit(false);
      var database = new Database(connection);
      database.migrate();
      return database;
    } catch (SQLException | RuntimeException e) {
      connection.close();
      throw e;
    }
  }

  /// Only looks: what is no registry must not become half of one.
  private static void requireRegistry(Statement statement, Path file) throws SQLException {
    try {
      int version = number(statement, "PRAGMA user_version");
      int tables = number(statement, "SELECT count(*) FROM sqlite_master");
      if (version > MIGRATIONS.size()) {
        throw new RegistryException(
            Kind.FOREIGN, "the registry " + file + " was made by a newer hmacd: schema " + version);
      }
      if (version == 0 && tables > 0) {
        throw new RegistryException(Kind.FOREIGN, file + " is a database of another program");
      }
    } catch (SQLException e) {
      if (e.getErrorCode() == SQLiteErrorCode.SQLITE_NOTADB.code) {
        throw new RegistryException(Kind.FOREIGN, file + " is not a database", e);
      }
      throw e;
    }
  }

  private static int number(Statement statement, String sql) throws SQLException {
    try (ResultSet rows = statement.executeQuery(sql)) {
      return rows.getInt(1);
    }
  }

  /// All or nothing: SQLite's schema changes are part of the transaction.
  private void migrate() throws SQLException {
    int applied = query("PRAGMA user_version", row -> row.getInt(1)).getFirst();
    for (int i = applied; i < MIGRATIONS.size(); i++) {
      try (Statement statement = connection.createStatement()) {
        for (String sql : script(MIGRATIONS.get(i)).split(";", -1)) {
          if (!sql.isBlank()) {
            statement.execute(sql);
          }
        }
        statement.execute("PRAGMA user_version=" + (i + 1));
      } catch (SQLException e) {
        connection.rollback();
        throw e;
      }
    }
    connection.commit();
  }

  private static String script(String name) {
    try (InputStream in = Database.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("missing resource " + name);
      }
      // A comment may hold a semicolon, and statements are told apart by them.
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).replaceAll("(?m)--.*$", "");
    } catch (IOException e) {
      throw new IllegalStateException("unreadable resource " + name, e);
    }
  }

  interface RowReader<T> {
    T read(ResultSet row) throws SQLException;
  }

  @CheckReturnValue
  <T> List<T> query(String sql, RowReader<T> reader, @Nullable Object... arguments)
      throws SQLException {
    try (PreparedStatement statement = prepare(sql, arguments);
        ResultSet rows = statement.executeQuery()) {
      List<T> result = new ArrayList<>();
      while (rows.next()) {
        result.add(reader.read(rows));
      }
      return result;
    }
  }

  /// Returns the number of rows that changed.
  int update(String sql, @Nullable Object... arguments) throws SQLException {
    try (PreparedStatement statement = prepare(sql, arguments)) {
      return statement.executeUpdate();
    }
  }

  private PreparedStatement prepare(String sql, @Nullable Object... arguments) throws SQLException {
    PreparedStatement statement = connection.prepareStatement(sql);
    try {
      for (int i = 0; i < arguments.length; i++) {
        statement.setObject(i + 1, arguments[i]);
      }
      return statement;
    } catch (SQLException e) {
      statement.close();
      throw e;
    }
  }

  void commit() throws SQLException {
    connection.commit();
  }

  void rollback() throws SQLException {
    connection.rollback();
  }

  @Override
  public void close() throws SQLException {
    connection.close();
  }
}
